//! Whether a browser sends a request because another site tells it to (cross-site request forgery).
//!
//! As Go's `net/http.CrossOriginProtection` decides it: browsers say in `Sec-Fetch-Site` where a request began; older ones say
//! in `Origin` which site it was, which has to be the one that is asked. What sends neither is no browser, or the address
//! bar of one. GET, HEAD and OPTIONS change nothing, and pass.
//!
//! Browsers leave a scheme's default port out; proxies (nginx's `$host:$server_port`) and URLs that people write may name it.

use axum::http::header::{HeaderMap, HeaderValue, ORIGIN};
use axum::http::uri::{Authority, Scheme};
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
    let (Ok(origin), Ok(host)) = (Uri::try_from(origin), Authority::try_from(host)) else { return false };
    let (Some(scheme), Some(own)) = (origin.scheme(), origin.authority()) else { return false };
    let default = match scheme {
        scheme if *scheme == Scheme::HTTP => Some(80),
        scheme if *scheme == Scheme::HTTPS => Some(443),
        _ => None,
    };
    let port = |authority: &Authority| match authority.as_str().strip_prefix(authority.host())? {
        "" | ":" => default,
        named => named.strip_prefix(':')?.parse::<u16>().ok(),
    };
    own.host().eq_ignore_ascii_case(host.host()) && port(own).is_some_and(|own| port(&host) == Some(own))
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
    fn an_origin_is_that_of_a_host_if_name_and_port_are() {
        for (origin, host, ours) in [
            ("http://gw", "gw", true),
            ("http://gw", "gw:80", true),
            ("http://gw:80", "gw", true),
            ("https://gw", "gw", true),
            ("https://gw", "gw:443", true),
            ("https://gw:443", "GW", true),
            ("http://gw", "gw:", true),
            ("http://gw:8080", "gw:8080", true),
            ("http://[::1]", "[::1]:80", true),
            ("http://[::1]:9091", "[::1]:9091", true),
            ("http://gw", "gw:443", false),
            ("https://gw", "gw:80", false),
            ("http://gw", "gw:8080", false),
            ("http://gw:8080", "gw", false),
            ("http://gw:8080", "gw:80", false),
            ("ftp://gw", "gw:80", false),
            ("http://gw", "gw.example.org:80", false),
            ("http://gw.example.org", "gw:80", false),
            ("http://[::1]", "[::2]:80", false),
            ("http://gw", "gw:99999", false),
            ("http://gw", "gw@gw", false),
            ("http://gw", "gw:80:80", false),
            ("http://gw", "", false),
            ("null", "null", false),
        ] {
            assert_eq!(is_of(origin.as_bytes(), host.as_bytes()), ours, "{origin} {host}");
        }
    }

    #[test]
    fn without_a_host_no_origin_is_ours() {
        let headers = HeaderMap::from_iter([(ORIGIN, "http://ui.example.org".parse().unwrap())]);
        assert!(is_foreign(&Method::POST, &headers, b""));
    }
}
