//! From the file to checked settings.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_saphyr::Spanned;

use super::WebConfig;
use super::checks::{Checks, Stamp};
use super::raw::Raw;
use super::{client_cert, rate_limit, tls};
use crate::auth::Users;
use crate::error::ConfigError;

/// Headers that may be configured, and the values of those that have a fixed set (exporter-toolkit's `extraHTTPHeaders`).
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// The costliest hash that is taken: it costs half a minute a verification. A higher one is a slip of the pen that would lock
/// everybody out.
const MAX_COST: u32 = 18;

/// What came of reading a file, and the files that have to change before reading again makes sense.
pub(super) struct Loaded {
    pub(super) config: Result<WebConfig, ConfigError>,
    pub(super) stamps: Vec<Stamp>,
}

/// Reads and checks a file.
pub(super) fn load(path: &Path) -> Loaded {
    let mut checks = Checks::new(path);
    let config = read(path, &mut checks).map(|raw| check(raw, &mut checks));
    let (failures, stamps) = checks.into_parts();
    let config = match config {
        Some(config) if failures.is_empty() => Ok(config),
        _ => Err(ConfigError::all(failures)),
    };
    Loaded { config, stamps }
}

fn read(path: &Path, checks: &mut Checks) -> Option<Raw> {
    let bytes = match checks.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            checks.fail_file(format_args!("cannot read the web config file: {error}"));
            return None;
        }
    };
    match serde_saphyr::from_slice::<Option<Raw>>(&bytes) {
        Ok(raw) => Some(raw.unwrap_or_default()),
        Err(error) => {
            // Without the snippet of the text: it may show a key or a hash.
            let line = error.location().map_or(0, |location| location.line());
            checks.fail_line(line, error.without_snippet());
            None
        }
    }
}

fn check(raw: Raw, checks: &mut Checks) -> WebConfig {
    let verifies_clients = raw.tls_server_config.as_ref().is_some_and(|raw| client_cert::verifies(&raw.value));
    let tls = raw.tls_server_config.and_then(|raw| tls::server_config(&raw, checks));
    let headers = headers(raw.http_server_config.and_then(|http| http.headers).unwrap_or_default(), checks);
    let rate_limit = raw.rate_limit.and_then(|raw| rate_limit::check(&raw, checks));
    let users = users(raw.basic_auth_users.unwrap_or_default(), checks);
    WebConfig { tls, rate_limit, headers, users, verifies_clients }
}

fn headers(raw: BTreeMap<String, Spanned<String>>, checks: &mut Checks) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in raw {
        let field = format!("http_server_config.headers.{name}");
        let Some((name, allowed)) = HEADERS.iter().find(|(known, _)| *known == name) else {
            let known = HEADERS.map(|(known, _)| known).join(", ");
            checks.fail(&field, &value, format_args!("this header cannot be configured; these can: {known}"));
            continue;
        };
        if value.value.is_empty() {
            continue;
        }
        if !allowed.is_empty() && !allowed.contains(&value.value.as_str()) {
            checks.fail(&field, &value, format_args!("`{}` is not one of: {}", value.value, allowed.join(", ")));
            continue;
        }
        match (HeaderName::try_from(*name), HeaderValue::try_from(&value.value)) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            _ => checks.fail(&field, &value, "not a valid value of an HTTP header"),
        }
    }
    headers
}

fn users(raw: BTreeMap<String, Spanned<String>>, checks: &mut Checks) -> Users {
    let mut hashes = BTreeMap::new();
    let mut highest = 0;
    for (user, hash) in raw {
        let field = format!("basic_auth_users.{user}");
        match cost(&hash.value) {
            Some(cost @ ..=MAX_COST) => {
                highest = highest.max(cost);
                hashes.insert(user, hash.value);
            }
            Some(cost) => checks.fail(&field, &hash, format_args!("a bcrypt cost of {cost} is above {MAX_COST}")),
            None => {
                checks.fail(&field, &hash, "not a bcrypt hash; make one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'`")
            }
        }
    }
    Users::new(hashes, highest)
}

/// The cost of a bcrypt hash, if it is one.
fn cost(hash: &str) -> Option<u32> {
    Some(hash.parse::<bcrypt::HashParts>().ok()?.get_cost())
}
