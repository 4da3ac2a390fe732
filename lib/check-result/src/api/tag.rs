//! What every answer goes through: gzip where it is accepted, an entity tag, and what clients and caches have to know.
//!
//! The tag is a digest of the body, so it needs no state and is equal on every server that gives the same answer. It is a
//! strong one (RFC 9110, 8.8.3): the compressed form has a tag of its own. That an answer is unchanged is known only when it is
//! made; what is saved is sending it.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// An answer whose bytes are known, with its tag.
pub(crate) struct Tagged<B> {
    pub(crate) content_type: &'static str,
    pub(crate) body: B,
}

/// Puts the layers around routes that answer [`Tagged`].
pub(crate) fn layered(router: Router) -> Router {
    // The node that answers has other work to do than to save the last bytes.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
    router.layer(compression).layer(from_fn(finish))
}

impl<B: AsRef<[u8]> + IntoResponse> IntoResponse for Tagged<B> {
    fn into_response(self) -> Response {
        let digest = Sha256::digest(self.body.as_ref());
        let tag: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("hex digits are a header's value");
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(self.content_type)), (ETAG, tag)];
        (headers, self.body).into_response()
    }
}

async fn finish(request: Request, next: Next) -> Response {
    let known = request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Content is never taken for anything but what it is said to be: an output may look like HTML.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    // Kept, but asked for every time: an old state must not be taken for the current one.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    let Some(tag) = tag(headers) else { return response };
    headers.insert(ETAG, tag.clone());
    if response.status() == StatusCode::OK && known.iter().any(|known| names(known, &tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for header in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH] {
            response.headers_mut().remove(header);
        }
        *response.body_mut() = axum::body::Body::empty();
    }
    response
}

/// The tag of the form that is sent.
fn tag(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(ETAG)?;
    if !headers.contains_key(CONTENT_ENCODING) {
        return Some(tag.clone());
    }
    let plain = tag.to_str().ok()?.trim_end_matches('"');
    HeaderValue::try_from(format!("{plain}-gzip\"")).ok()
}

/// Whether a value of `If-None-Match` names the tag; weak comparison, as RFC 9110, 13.1.2 wants it.
fn names(header: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(header), Ok(tag)) = (header.to_str(), tag.to_str()) else { return false };
    let same = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag;
    header.split(',').any(|known| same(known.trim()))
}
