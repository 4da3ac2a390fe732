//! The rules of what only sensu-server uses (sensu-settings `validators/{filter,mutator,handler,extension,transport}.rb`).

use super::scope::{ARRAY, BOOLEAN, INTEGER, NUMERIC, OBJECT, SEVERITIES, STRING, Scope, are_strings, is_truthy};
use super::time_window;

pub(super) fn transport(transport: &mut Scope<'_>) {
    transport.optional("name", STRING);
    transport.optional("reconnect_on_error", BOOLEAN);
}

pub(super) fn filter(filter: &mut Scope<'_>) {
    filter.optional("negate", BOOLEAN);
    filter.required("attributes", OBJECT);
    if is_truthy(filter.get("when")) {
        time_window::rules(filter, "filter", "when");
    }
}

pub(super) fn mutator(mutator: &mut Scope<'_>) {
    mutator.required("command", STRING);
    mutator.optional("timeout", NUMERIC);
}

pub(super) fn extension(extension: &mut Scope<'_>) {
    extension.optional("gem", STRING);
    extension.optional("version", STRING);
}

pub(super) fn handler(handler: &mut Scope<'_>) {
    handler.required("type", STRING);
    match handler.get("type").as_str() {
        Some("pipe") => drop(handler.required("command", STRING)),
        Some("tcp" | "udp") => socket(handler),
        Some("transport") => transport_pipe(handler),
        Some("set") => set(handler),
        _ => drop(handler.whole_text("type", false, "unknown handler type")),
    }
    filtering(handler);
    severities(handler);
    handler.optional("timeout", NUMERIC);
    handler.optional("mutator", STRING);
    handler.optional("handle_flapping", BOOLEAN);
    handler.optional("handle_silenced", BOOLEAN);
}

fn socket(handler: &mut Scope<'_>) {
    if handler.required("socket", OBJECT) {
        let mut socket = handler.inside("socket", "handler");
        socket.required("host", STRING);
        socket.required("port", INTEGER);
    }
}

fn transport_pipe(handler: &mut Scope<'_>) {
    let pipe = handler.get("pipe");
    if handler.rule("pipe", pipe.is_object(), "transport pipe must be a hash") {
        let mut pipe = handler.inside("pipe", "handler transport pipe");
        pipe.required("type", STRING);
        let known = pipe.get("type").as_str().is_some_and(|kind| ["direct", "fanout", "topic"].contains(&kind));
        pipe.rule("type", known, "type is invalid");
        pipe.required("name", STRING);
        pipe.optional("options", OBJECT);
    }
}

fn set(handler: &mut Scope<'_>) {
    let handlers = handler.get("handlers");
    if handler.rule("handlers", handlers.is_array(), "set handlers must be an array") {
        handler.rule("handlers", are_strings(handlers), "set handlers must each be a string");
    }
}

fn filtering(handler: &mut Scope<'_>) {
    let filters = handler.get("filters");
    if handler.optional("filters", ARRAY) && filters.is_array() {
        handler.rule("filters", are_strings(filters), "filters items must be strings");
    }
    handler.optional("filter", STRING);
}

fn severities(handler: &mut Scope<'_>) {
    let severities = handler.get("severities");
    if handler.optional("severities", ARRAY)
        && let Some(items) = severities.as_array()
    {
        let known = items.iter().all(|item| item.as_str().is_some_and(|word| SEVERITIES.contains(&word)));
        handler.rule("severities", known, "severities are invalid");
    }
}
