//! What the client definition says about the sockets, with sensu-client's defaults.

use check_result::Object;
use serde_json::Value;
use std::fmt;

use crate::definitions::{Client, Redaction};

const LOOPBACK: &str = "127.0.0.1";

/// Which of the two settings objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `client.socket`: TCP and UDP.
    Plain,
    /// `client.http_socket`.
    Http,
}

/// One of them, read.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    /// Where to listen; none if it is disabled.
    pub(super) address: Option<Address>,
    /// The object with its defaults, its secrets hidden.
    pub(super) options: Object,
}

/// An address to bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) kind: Kind,
    /// A name or an IP address.
    pub(super) host: String,
    /// Any integer: sensu-client's validation does not look at its size.
    pub(super) port: i64,
}

// === impl Kind ===

impl Kind {
    /// The attribute of the client definition.
    pub(super) fn attribute(self) -> &'static str {
        match self {
            Self::Plain => "socket",
            Self::Http => "http_socket",
        }
    }

    fn port(self) -> i64 {
        match self {
            Self::Plain => 3030,
            Self::Http => 3031,
        }
    }

    pub(super) fn binding(self) -> &'static str {
        match self {
            Self::Plain => "binding client tcp and udp sockets",
            Self::Http => "binding client http socket",
        }
    }

    pub(super) fn disabled(self) -> &'static str {
        match self {
            Self::Plain => "client tcp/udp socket disabled per configuration",
            Self::Http => "client http socket disabled per configuration",
        }
    }

    /// Fills in what is not set.
    fn complete(self, options: &mut Object) {
        for (option, default) in [("bind", Value::from(LOOPBACK)), ("port", self.port().into())] {
            let value = options.entry(option).or_insert(Value::Null);
            if value.is_null() {
                *value = default;
            }
        }
    }
}

// === impl Settings ===

impl Settings {
    pub(super) fn of(client: &Client, kind: Kind) -> Self {
        let options = client.attributes.get(kind.attribute()).and_then(Value::as_object);
        let mut options = options.cloned().unwrap_or_default();
        kind.complete(&mut options);
        let address = Address {
            kind,
            host: options["bind"].as_str().unwrap_or(LOOPBACK).to_owned(),
            port: options["port"].as_i64().unwrap_or(kind.port()),
        };
        let enabled = options.get("enabled") != Some(&Value::Bool(false));
        let options = Redaction::of_client(&client.attributes).object(&options);
        Self { address: enabled.then_some(address), options }
    }
}

/// The merged settings as sensu-client shows them: with the defaults of those socket objects that there are.
pub(super) fn shown(settings: &Object) -> Object {
    let mut shown = settings.clone();
    let client = shown.get_mut("client").and_then(Value::as_object_mut);
    if let Some(client) = client {
        for kind in [Kind::Plain, Kind::Http] {
            if let Some(Value::Object(options)) = client.get_mut(kind.attribute()) {
                kind.complete(options);
            }
        }
    }
    shown
}

// === impl Address ===

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(attributes: Value, kind: Kind) -> Settings {
        let attributes = attributes.as_object().unwrap().clone();
        Settings::of(&Client { name: "web-1".to_owned(), attributes }, kind)
    }

    fn address(attributes: Value, kind: Kind) -> Option<String> {
        settings(attributes, kind).address.map(|address| address.to_string())
    }

    #[test]
    fn what_is_not_set_is_sensu_clients_default() {
        assert_eq!(address(json!({}), Kind::Plain).unwrap(), "127.0.0.1:3030");
        assert_eq!(address(json!({"http_socket": {"bind": null}}), Kind::Http).unwrap(), "127.0.0.1:3031");
        assert_eq!(address(json!({"socket": {"bind": "::", "port": 99}}), Kind::Plain).unwrap(), "[::]:99");
    }

    #[test]
    fn only_false_disables() {
        assert_eq!(address(json!({"socket": {"enabled": false}}), Kind::Plain), None);
        assert!(address(json!({"socket": {"enabled": null}}), Kind::Plain).is_some());
        assert!(address(json!({"socket": {"enabled": false}}), Kind::Http).is_some());
    }

    #[test]
    fn what_the_client_wants_hidden_is_hidden_besides_the_password() {
        let socket = json!({"user": "ops", "password": "s3", "pin": 4711, "port": 99});
        let settings = settings(json!({"redact": ["pin"], "http_socket": socket}), Kind::Http);
        let want = json!({"user": "ops", "password": "REDACTED", "pin": "REDACTED", "port": 99, "bind": "127.0.0.1"});
        assert_eq!(Value::Object(settings.options), want);
    }

    #[test]
    fn shown_settings_have_the_defaults_where_the_object_is() {
        let given = json!({"client": {"http_socket": {"user": "a"}}, "sensu": {}});
        let want = json!({"client": {"http_socket": {"user": "a", "bind": "127.0.0.1", "port": 3031}}, "sensu": {}});
        assert_eq!(Value::Object(shown(given.as_object().unwrap())), want);
    }
}
