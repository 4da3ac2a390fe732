//! Answers in sensu-client's form: a JSON body, and its own words beside the status.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// What is sent back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    pub(super) content: Value,
    /// With the header that makes a browser ask for the password.
    challenge: bool,
}

// === impl Reply ===

impl Reply {
    pub(super) fn new(status: u16, reason: &'static str, content: Value) -> Self {
        let status = StatusCode::from_u16(status).expect("a constant status is one");
        Self { status, reason, content, challenge: false }
    }

    pub(super) fn text(status: u16, reason: &'static str, text: impl Into<String>) -> Self {
        Self::new(status, reason, json!({"response": text.into()}))
    }

    pub(super) fn unauthorized() -> Self {
        let text = "You must be authenticated using your http_options user and password settings";
        Self { challenge: true, ..Self::text(401, "Unauthorized", text) }
    }

    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.content.to_string()));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(ReasonPhrase::from_static(self.reason.as_bytes()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.challenge {
            let challenge = HeaderValue::from_static("Basic realm=\"Sensu Client Restricted Area\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
