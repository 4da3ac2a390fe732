//! Notices of the local sockets.

use std::borrow::Cow;
use std::fmt::Display;

use check_result::Object;
use check_result::log::Level;
use serde_json::Value;

use crate::definitions::redact_value;
use crate::notice::Notice;

/// How much of what was received goes into a line. sensu-client logs all of it.
const LOGGED: usize = 64 * 1024;

// === opening and closing ===

/// sensu-client's line prints the password too; these options have their secrets hidden.
pub(crate) fn binding(message: &'static str, options: Object) -> Notice {
    Notice::new(Level::Debug, message).with("options", options)
}

pub(crate) fn disabled(message: &'static str) -> Notice {
    Notice::new(Level::Info, message)
}

/// Told once; trying goes on.
pub(crate) fn not_bound(socket: &str, (address, setting): (&str, &str), error: &std::io::Error) -> Notice {
    let advice = format!(
        "stop the process that holds the address (sensu-client?), or change `port` or `bind` of client.{setting}, \
         or set its `enabled` to false"
    );
    Notice::new(Level::Error, "could not bind client socket, checks run without it while it is tried again")
        .with("socket", socket)
        .with("address", address)
        .with("error", error.to_string())
        .with("advice", advice)
}

/// After [`not_bound`].
pub(crate) fn bound_at_last(socket: &str, address: &str) -> Notice {
    Notice::new(Level::Warn, "client socket is bound now").with("socket", socket).with("address", address)
}

/// Told once until it works again.
pub(crate) fn not_received(socket: &str, error: &std::io::Error) -> Notice {
    Notice::new(Level::Error, "client socket cannot accept, trying again")
        .with("socket", socket)
        .with("error", error.to_string())
}

/// Told once until half of the connections are free again.
pub(crate) fn crowded(socket: &str, connections: usize) -> Notice {
    Notice::new(Level::Warn, "client socket has all the connections it takes, further ones wait")
        .with("socket", socket)
        .with("connections", connections)
}

// === TCP and UDP ===

pub(crate) fn ping() -> Notice {
    Notice::new(Level::Debug, "socket received ping")
}

pub(crate) fn data(data: &[u8]) -> Notice {
    about(Notice::new(Level::Debug, "socket received data"), data, None)
}

pub(crate) fn not_utf8(data: &[u8]) -> Notice {
    let message = "data from socket is not a valid UTF-8 sequence, processing it anyways";
    about(Notice::new(Level::Warn, message), data, None)
}

pub(crate) fn refused(data: &[u8], error: &str) -> Notice {
    let notice = Notice::new(Level::Error, "failed to process check result from socket");
    about(notice, data, Some(("error", error.into())))
}

/// The sender stopped in the middle, or took too long.
pub(crate) fn discarding(data: &[u8], error: Option<&dyn Display>) -> Notice {
    let notice = Notice::new(Level::Warn, "discarding data buffer for sender and closing connection");
    about(notice, data, Some(("parse_error", error.map_or(Value::Null, |error| error.to_string().into()))))
}

/// `data`, the field that follows it, and where `data` had to be cut, its length.
fn about(notice: Notice, data: &[u8], then: Option<(&str, Value)>) -> Notice {
    let kept = &data[..data.len().min(LOGGED)];
    let mut notice = notice.with("data", text(kept));
    if let Some((field, value)) = then {
        notice = notice.with(field, value);
    }
    if kept.len() < data.len() {
        notice = notice.with("data_bytes", data.len());
    }
    notice
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

// === HTTP ===

pub(crate) fn http_processing(method: &str, path: &str) -> Notice {
    Notice::new(Level::Debug, "http socket processing")
        .with("http_request_method", method)
        .with("http_request_uri", path)
}

pub(crate) fn http_found(path: &str, methods: Vec<&str>) -> Notice {
    Notice::new(Level::Debug, "http socket endpoint found")
        .with("http_request_uri", path)
        .with("accepted_methods", methods)
}

pub(crate) fn http_executing(method: &str, path: &str) -> Notice {
    Notice::new(Level::Debug, "http socket executing handler")
        .with("method_name", method)
        .with("http_request_uri", path)
}

pub(crate) fn http_method(method: &str, path: &str) -> Notice {
    Notice::new(Level::Debug, "http socket method is not allowed for endpoint")
        .with("method_name", method)
        .with("http_request_uri", path)
}

pub(crate) fn http_unknown(path: &str) -> Notice {
    Notice::new(Level::Warn, "http socket unknown endpoint requested").with("http_request_uri", path)
}

/// The content is logged without secrets; sensu-client's line may hold every password of the settings.
pub(crate) fn http_sending(status: u16, reason: &str, content: &Value) -> Notice {
    Notice::new(Level::Debug, "http socket sending response")
        .with("status", status)
        .with("status_string", reason)
        .with("content", redact_value(content))
}

pub(crate) fn http_unauthorized() -> Notice {
    Notice::new(Level::Warn, "http socket refusing to serve unauthorized request")
}

pub(crate) fn http_settings() -> Notice {
    Notice::new(Level::Info, "http socket responding to request for configuration settings")
}

/// sensu-client adds a backtrace.
pub(crate) fn http_error(error: impl Into<Cow<'static, str>>) -> Notice {
    Notice::new(Level::Error, "http socket error while processing request").with("error", error.into())
}
