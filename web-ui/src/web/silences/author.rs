//! Who is asked for a name is asked once: the browser keeps it.

use axum::response::Response;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The cookie that keeps the name of whoever is asked for one.
const COOKIE_NAME: &str = "author";

/// The name that a browser remembers; empty if it remembers none.
pub(super) fn remembered(headers: &HeaderMap) -> String {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let found = pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value);
    percent_decode_str(found.unwrap_or_default()).decode_utf8_lossy().into_owned()
}

/// The same answer, which makes the browser remember a name.
pub(super) fn remembering(mut response: Response, author: Option<&str>) -> Response {
    if let Some(author) = author {
        let value = utf8_percent_encode(author.trim(), NON_ALPHANUMERIC);
        let cookie = format!("{COOKIE_NAME}={value}; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly");
        let cookie = HeaderValue::from_str(&cookie).expect("what is encoded is ASCII");
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
