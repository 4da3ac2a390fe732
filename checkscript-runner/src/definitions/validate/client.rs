//! The rules of the client definition (sensu-settings `validators/client.rb`).

use super::check;
use super::scope::{BOOLEAN, INTEGER, NAME, STRING, Scope, matches};

pub(super) fn rules(client: &mut Scope<'_>) {
    client.required("name", STRING);
    client.rule("name", matches(client.get("name"), &NAME), "name cannot contain spaces or special characters");
    client.required("address", STRING);
    client.optional("safe_mode", BOOLEAN);
    client.strings("subscriptions", "must each be a non empty string");
    sockets(client);
    client.optional("keepalives", BOOLEAN);
    keepalive(client);
    if !client.get("redact").is_null() {
        client.strings("redact", "keys must each be a string");
    }
    client.optional("signature", STRING);
    client.object("registration", events);
    client.object("deregistration", events);
}

fn sockets(client: &mut Scope<'_>) {
    client.object("socket", |socket| {
        // "a boolean" only here.
        let enabled = socket.get("enabled");
        socket.rule("enabled", enabled.is_null() || enabled.is_boolean(), "enabled must be a boolean");
        socket.optional("bind", STRING);
        socket.optional("port", INTEGER);
    });
    client.object("http_socket", |socket| {
        socket.optional("enabled", BOOLEAN);
        socket.optional("bind", STRING);
        socket.optional("port", INTEGER);
        if !socket.get("user").is_null() || !socket.get("password").is_null() {
            socket.required("user", STRING);
            socket.required("password", STRING);
        }
        socket.optional("protect_all_endpoints", BOOLEAN);
    });
}

fn keepalive(client: &mut Scope<'_>) {
    client.object("keepalive", |keepalive| {
        keepalive.handlers();
        keepalive.object("thresholds", |_| ());
        let mut thresholds = keepalive.inside("thresholds", "client keepalive");
        for (threshold, label) in [("warning", "warning threshold"), ("critical", "critical threshold")] {
            if !thresholds.get(threshold).is_null() {
                thresholds.labelled(threshold, label, INTEGER);
            }
        }
    });
    if client.get("keepalive").is_object() {
        // A keepalive is a check too, and its failures speak of one.
        let mut keepalive = client.apart("keepalive", "check");
        check::source(&mut keepalive);
        check::aggregate(&mut keepalive);
        check::flap_detection(&mut keepalive);
    }
}

fn events(registration: &mut Scope<'_>) {
    registration.handlers();
    registration.optional("status", INTEGER);
}
