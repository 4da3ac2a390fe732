//! How many requests are answered at a time.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

use crate::body::Guarded;
use crate::metrics::HttpMetrics;

/// Places for requests that are answered at a time; an answer has its place until its client has read it. Clones have the same places.
#[derive(Clone)]
pub struct RequestLimit {
    places: Arc<Semaphore>,
    http: Arc<HttpMetrics>,
}

// === impl RequestLimit ===

impl RequestLimit {
    pub(super) fn new(places: usize, http: &Arc<HttpMetrics>) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), http: Arc::clone(http) }
    }

    /// Gives each request of these routes a place, or 503.
    pub fn bounding(&self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), bound))
    }

    /// Gives one answer a place, and has it made; or 503.
    pub async fn bound(&self, answer: impl Future<Output = Response>) -> Response {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.http.overloaded();
            let again = [(RETRY_AFTER, HeaderValue::from_static("1"))];
            return (StatusCode::SERVICE_UNAVAILABLE, again, "Too many requests at a time; try again\n")
                .into_response();
        };
        answer.await.map(|body| Body::new(Guarded::new(body, place)))
    }
}

async fn bound(State(limit): State<RequestLimit>, request: Request, next: Next) -> Response {
    limit.bound(next.run(request)).await
}
