//! Refuses what another site makes a browser send.
//!
//! Alertmanager lets the pages of all sites read what it answers, and post. Through a browser inside, any page outside could so
//! have alerts resolved and everything silenced. Pages whose origin the configuration lists may go on doing that, and all others
//! may read. Prometheus, amtool and dashboards that ask by themselves say nothing of where a request began, and pass.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HOST, ORIGIN, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::events::Events;
use crate::intake::error;
use crate::setup::Shared;

/// The longest origin that is told, in bytes; a host's name has 253.
const LONGEST: usize = 300;

/// Knows who may.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The configuration in force.
    pub setup: Shared,
    /// What is counted and logged.
    pub events: Arc<Events>,
}

/// Lets a request pass that no other site has begun, or one that may.
pub async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
    if !service::is_foreign(request.method(), headers, host) {
        return next.run(request).await;
    }
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    if origin.is_some_and(|origin| gate.setup.load().config.origins.have(origin)) {
        return next.run(request).await;
    }
    let site = origin.filter(|origin| origin.len() <= LONGEST).unwrap_or("another site");
    let told = format!(
        "a page of {site} has made a browser send this, and nothing was changed; if its pages may change things, list its origin \
         in `allowed_origins` of the proxy's configuration"
    );
    gate.events.refused_cross_site(&told);
    let mut refusal = error(StatusCode::FORBIDDEN, 403, &told);
    readable(headers, &mut refusal);
    refusal
}

/// Lets the pages of all sites read an answer, as Alertmanager's CORS handler does: also one that it does not give.
pub fn readable(asked: &HeaderMap, response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(VARY).or_insert(HeaderValue::from_static("Origin"));
    if asked.contains_key(ORIGIN) {
        headers.entry(ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
    }
}
