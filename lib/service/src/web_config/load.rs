//! From the file to checked settings.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::WebConfig;
use super::checks::{Checks, Stamp};
use super::raw::{self, Raw, Texts};
use super::{client_cert, rate_limit, tls};
use crate::auth::Users;
use crate::config;
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
    let mut stamps = vec![Stamp::of(path)];
    let config =
        config::load(path, |root| check(raw::read(&root), &mut Checks::new(path, root.failures(), &mut stamps)));
    Loaded { config, stamps }
}

fn check(raw: Raw, checks: &mut Checks<'_>) -> WebConfig {
    WebConfig {
        verifies_clients: raw.tls.as_ref().is_some_and(|raw| client_cert::verifies(&raw.value)),
        demands_clients: raw.tls.as_ref().is_some_and(|raw| client_cert::demands(&raw.value)),
        tls: raw.tls.and_then(|raw| tls::server_config(&raw, checks)),
        headers: headers(raw.headers, checks),
        rate_limit: rate_limit::check(&raw.rate_limit, checks),
        users: users(raw.users, checks),
    }
}

fn headers(raw: Texts, checks: &mut Checks<'_>) -> HeaderMap {
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

fn users(raw: Texts, checks: &mut Checks<'_>) -> Users {
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
