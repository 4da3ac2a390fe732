//! Whether a browser sends a request because another site tells it to (cross-site request forgery).
//!
//! As Go's `net/http.CrossOriginProtection` decides it: browsers say in `Sec-Fetch-Site` where a request began; older ones say
//! in `Origin` which site it was, which has to be the one that is asked. What sends neither is no browser, or the address
//! bar of one. GET, HEAD and OPTIONS change nothing, and pass.

use axum::http::header::{HeaderMap, HeaderValue, ORIGIN};
use axum::http::{Method, Uri};

/// Whether another site than that of `host`, the host that the browser asked for, has made a browser send this.
#[must_use]
pub fn is_foreign(method: &Method, headers: &HeaderMap, host: &[u8]) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
        (Some(b"same-origin" | b"none"), _) | (None, None) => false,
        (Some(_), _) => true,
        (None, Some(origin)) => !is_of(origin, host),
    }
}

/// Whether an origin, as `https://web-ui.example.org:8443`, is that of `host`. Whether it was asked over TLS is not known here.
fn is_of(origin: &[u8], host: &[u8]) -> bool {
    let origin = Uri::try_from(origin).ok().filter(|origin| origin.scheme().is_some());
    let authority = origin.as_ref().and_then(|origin| origin.authority());
    authority.is_some_and(|authority| authority.as_str().as_bytes().eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &[u8] = b"ui.example.org:9796";

    #[test]
    fn a_request_is_foreign_as_its_browser_says() {
        for (site, origin, foreign) in [
            ("same-origin", "", false),
            ("none", "", false),
            ("same-origin", "https://behind-a-proxy.example.org", false),
            ("cross-site", "", true),
            ("same-site", "", true),
            ("cross-site", "http://ui.example.org:9796", true),
            ("", "", false),
            ("", "http://ui.example.org:9796", false),
            ("", "https://UI.example.org:9796", false),
            ("", "ui.example.org:9796", true),
            ("", "http://ui.example.org", true),
            ("", "http://evil.example.org:9796", true),
            ("", "http://ui.example.org:9796.evil.example.org", true),
            ("", "null", true),
            ("", "\u{e9}", true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
                assert_eq!(is_foreign(&method, &headers, HOST), foreign, "{method} {site} {origin}");
            }
            for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
                assert!(!is_foreign(&method, &headers, HOST), "{method}");
            }
        }
    }

    #[test]
    fn without_a_host_no_origin_is_ours() {
        let headers = HeaderMap::from_iter([(ORIGIN, "http://ui.example.org".parse().unwrap())]);
        assert!(is_foreign(&Method::POST, &headers, b""));
    }
}
