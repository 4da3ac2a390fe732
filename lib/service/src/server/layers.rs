//! What every request goes through, outermost first: measuring, response headers, rate limit, catching panics; then, by
//! group of routes, [access](admitting) and the [limit of requests](super::RequestLimit).

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;

use crate::access::Policy;
use crate::metrics::HttpMetrics;
use crate::panic_message;
use crate::web_config::Live;

/// The name of the route that made an answer, among its extensions, where a program finds its routes by itself: the label
/// `handler` of the metrics.
#[derive(Clone, Copy, Debug)]
pub struct RouteName(pub &'static str);

/// Puts the layers around all routes, the fallback included.
pub(super) fn around(router: Router, dressing: (Arc<Live>, HeaderMap), http: Arc<HttpMetrics>) -> Router {
    let panics = Arc::clone(&http);
    let on_panic = move |panic: Box<dyn Any + Send>| {
        panics.panicked(panic_message(panic.as_ref()));
        (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n").into_response()
    };
    router
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(from_fn_with_state(dressing, dress))
        .layer(from_fn_with_state(http, measure))
}

/// Keeps routes to the callers that a policy allows.
pub(super) fn admitting(router: Router, policy: Policy, web: &Arc<Live>) -> Router {
    router.layer(from_fn_with_state((Arc::new(policy), Arc::clone(web)), admit))
}

async fn admit(State((policy, web)): State<(Arc<Policy>, Arc<Live>)>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    match policy.admit(&head, &web).await {
        Ok(user) => user.into_iter().for_each(|user| drop(head.extensions.insert(user))),
        Err(refusal) => return refusal,
    }
    // A password for this server is for nobody behind it, and a handler may pass the request on.
    if web.current().has_users() {
        head.headers.remove(AUTHORIZATION);
    }
    next.run(Request::from_parts(head, body)).await
}

/// Sets the program's headers and the configured ones, also on refusals, and keeps to the rate limit.
async fn dress(State((web, headers)): State<(Arc<Live>, HeaderMap)>, request: Request, next: Next) -> Response {
    let config = web.current();
    let mut response = match config.refuse_above_rate() {
        None => next.run(request).await,
        Some(refusal) => refusal,
    };
    for (name, value) in &headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    for (name, value) in config.headers() {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

async fn measure(State(http): State<Arc<HttpMetrics>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let handler = request.extensions().get::<MatchedPath>().cloned();
    let method = label(request.method());
    let response = next.run(request).await;
    let named = response.extensions().get::<RouteName>().map(|name| name.0);
    let handler = named.or(handler.as_ref().map(MatchedPath::as_str)).unwrap_or("other");
    http.answered(handler, method, response.status().as_u16(), started.elapsed());
    response
}

/// A method as a label value: the ones that HTTP names, since a client may make up any number of others.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
