//! What a definition asks for and cannot get here: told once, when the configuration is loaded.

use std::path::PathBuf;

use check_result::Object;
use check_result::log::Level;
use serde_json::Value;

use super::check::{Absence, absence, asks_for_proxies};
use super::document::{Document, place};
use super::{Client, Features, named, text};
use crate::notice::Notice;
use crate::schedule::Subdue;

/// A warning for each check of this client that is not run, or not run as written.
pub(super) fn warnings(settings: &Object, features: &Features, documents: &[(PathBuf, Document)]) -> Vec<Notice> {
    let client = Client::new(super::object(settings.get("client")));
    let mut notices = Vec::new();
    for (key, definition) in settings.get("checks").and_then(Value::as_object).into_iter().flatten() {
        let Some(definition) = definition.as_object() else { continue };
        for (attribute, notice) in of_check(&client, key, definition, features) {
            let field = ["checks", key, attribute].map(str::to_owned);
            notices.push(match place(documents, &field) {
                Some((file, line)) => notice.with("file", file.to_string_lossy()).with("line", line),
                None => notice,
            });
        }
    }
    notices
}

/// The warnings about one check, each with the attribute that it is about.
fn of_check(client: &Client, key: &str, check: &Object, features: &Features) -> Vec<(&'static str, Notice)> {
    let mut warnings = Vec::new();
    let mut warn = |attribute, message| {
        let notice = Notice::new(Level::Warn, message);
        warnings.push((attribute, notice.with("check", text(check, "name").unwrap_or_else(|| key.to_owned()))));
    };
    let absence = absence(client, check, features);
    let standalone = check.get("standalone") == Some(&Value::Bool(true));
    if asks_for_proxies(check) && standalone {
        warn("proxy_requests", "proxy_requests of a standalone check have no effect");
    } else if absence == Some(Absence::ProxyRequests) {
        warn("proxy_requests", "proxy_requests need a sensu-server, the check is not run");
    }
    if absence.is_some() {
        return warnings;
    }
    let shares = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("roundrobin:"));
    if !standalone && check.get("subscribers").and_then(Value::as_array).is_some_and(|names| names.iter().all(shares)) {
        warn("subscribers", "round-robin needs a sensu-server, the check runs on every client that subscribes");
    }
    if check.get("extension").is_some_and(Value::is_string) {
        let notice = Notice::new(Level::Warn, "unknown check extension").with("check", named(key, check));
        warnings.push(("extension", notice));
    }
    for time in check.get("subdue").map(Subdue::not_understood).unwrap_or_default() {
        let notice = Notice::new(Level::Warn, "subdue time is not understood, its window has no effect");
        warnings.push(("subdue", notice.with("check", key).with("time", time)));
    }
    warnings
}
