//! Answers in the form that Go's HTTP server gives them.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION};
use axum::http::{Method, StatusCode};
use axum::response::Response;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer of plain text.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// A failure in words.
pub(super) fn error(status: StatusCode, words: impl std::fmt::Display) -> Response {
    text(status, format!("{words}\n"))
}

/// What was pushed cannot be shown or changed now.
pub(super) fn unavailable(words: impl std::fmt::Display) -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, words)
}

pub(super) fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "404 page not found")
}

pub(super) fn not_allowed(methods: &'static str) -> Response {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

pub(super) fn options(methods: &'static str) -> Response {
    let mut response = empty(StatusCode::OK);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// Sends the client to another path, its query kept; by 301 if a client may change the method on the way.
pub(super) fn redirect(to: &str, moved: bool, request: &Request) -> Response {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let to = format!("{to}{query}");
    let status = if moved { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
    let Ok(location) = HeaderValue::try_from(&to) else { return not_found() };
    let mut response = empty(status);
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        // No body that names the address: it would have to be escaped, and nobody reads it.
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response.headers_mut().insert(LOCATION, location);
    response
}
