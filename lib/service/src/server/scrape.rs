//! The metrics endpoint.
//!
//! - `GET /metrics`: own metrics, then the program's scrape-time families

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use exposition::{Family, Format};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tower_http::compression::{CompressionLayer, CompressionLevel};

use crate::body::Guarded;

/// Makes metric families at a scrape.
pub(super) type Families = Box<dyn Fn() -> Vec<Family> + Send + Sync>;

/// Answers held at a time, since each is a whole page in memory until its client has read it; node_exporter's default.
const IN_FLIGHT: usize = 40;

/// Everything a scrape shows.
pub(super) struct Scrape {
    registry: Registry,
    families: Vec<Families>,
    slots: Arc<Semaphore>,
}

impl Scrape {
    pub(super) fn new(registry: Registry, families: Vec<Families>) -> Self {
        Self { registry, families, slots: Arc::new(Semaphore::new(IN_FLIGHT)) }
    }

    pub(super) fn routes(self) -> Router {
        let scrape = Arc::new(self);
        // A scrape costs the node that is watched. The default level takes longer than making the page does, for a quarter
        // fewer bytes.
        let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
        let answer = async move |headers: HeaderMap| scrape.answer(&headers);
        Router::new().route("/metrics", get(answer).layer(compression))
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("more than {IN_FLIGHT} scrapes at a time\n"))
                .into_response();
        };
        let format = Format::negotiate(accepted(headers).as_deref());
        let mut page = String::new();
        exposition::write_registry(&self.registry, format, &mut page);
        for families in &self.families {
            exposition::write(&families(), format, &mut page);
        }
        exposition::finish(format, &mut page);
        let mut response = Response::new(Body::new(Guarded::new(Body::from(page), slot)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        response
    }
}

/// The `Accept` headers as one list (RFC 9110, 5.3).
fn accepted(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_its_slot_until_it_is_gone() {
        let scrape = Scrape::new(Registry::default(), Vec::new());
        let mut held: Vec<_> = (0..IN_FLIGHT).map(|_| scrape.answer(&HeaderMap::new())).collect();
        assert!(held.iter().all(|response| response.status() == StatusCode::OK));
        assert_eq!(scrape.answer(&HeaderMap::new()).status(), StatusCode::SERVICE_UNAVAILABLE);
        held.pop();
        assert_eq!(scrape.answer(&HeaderMap::new()).status(), StatusCode::OK);
    }

    #[test]
    fn several_accept_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(accepted(&headers), None);
        headers.append(ACCEPT, HeaderValue::from_static("text/html"));
        headers.append(ACCEPT, HeaderValue::from_static("text/plain"));
        assert_eq!(accepted(&headers).as_deref(), Some("text/html,text/plain"));
    }
}
