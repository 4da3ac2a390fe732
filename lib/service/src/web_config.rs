//! `--web.config.file`: TLS, client certificates, basic authentication, a rate limit, response headers, in the format of
//! exporter-toolkit (<https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>).
//!
//! `raw` is the file as written, `load` turns it into a checked [`WebConfig`] and collects all failures, `live` keeps the
//! one in force and follows changes of the file and of the files it names.

mod checks;
mod client_cert;
mod live;
mod load;
mod rate_limit;
mod raw;
mod tls;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use tokio::time::Instant;

pub(crate) use self::checks::Stamp;
pub(crate) use self::live::Live;
use self::rate_limit::RateLimit;
use crate::auth::Users;
use crate::config;

/// Every field that the file may have.
pub fn fields() -> Vec<config::Known> {
    config::survey(|root| drop(raw::read(&root)))
}

/// Checked settings. Without `Debug`, since they hold hashes of passwords.
#[derive(Default)]
pub(crate) struct WebConfig {
    tls: Option<Arc<rustls::ServerConfig>>,
    rate_limit: Option<RateLimit>,
    headers: HeaderMap,
    users: Users,
    verifies_clients: bool,
    demands_clients: bool,
}

impl WebConfig {
    /// Settings for new TLS connections; none for plain HTTP.
    pub(crate) fn tls(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.tls.clone()
    }

    /// The refusal of a request that comes above the rate.
    pub(crate) fn refuse_above_rate(&self) -> Option<Response> {
        let above = self.rate_limit.as_ref().is_some_and(|limit| !limit.allows(Instant::now()));
        above.then(rate_limit::refusal)
    }

    /// Whether a client certificate proves who its holder is.
    pub(crate) fn verifies_clients(&self) -> bool {
        self.verifies_clients
    }

    /// Whether there are users, and so the `Authorization` of a request is meant for this server.
    pub(crate) fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether everybody gets in, without password and certificate.
    pub(crate) fn is_open(&self) -> bool {
        self.users.is_empty() && !self.demands_clients
    }

    pub(crate) fn has_user(&self, user: &str) -> bool {
        self.users.has(user)
    }

    /// Headers of every response.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter()
    }
}
