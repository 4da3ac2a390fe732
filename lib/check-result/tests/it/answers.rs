//! The forms of the API's answers: text, compression, entity tags, HEAD, and requests that cannot be answered.

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY};
use reqwest::{Method, Response, StatusCode};

use crate::api::{Server, client, server};

const DETAIL: &str = "/api/v1/checks/disk";

async fn ask(server: &Server, method: Method, path: &str, headers: &[(reqwest::header::HeaderName, &str)]) -> Response {
    let request = client().request(method, server.url(path));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
    request.send().await.unwrap()
}

fn header(response: &Response, name: impl reqwest::header::AsHeaderName) -> String {
    let values = response.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
    values.collect::<Vec<_>>().join(", ")
}

async fn body(response: Response) -> Vec<u8> {
    service::http::read_limited(response, 1 << 20).await.unwrap().to_vec()
}

#[tokio::test]
async fn a_known_answer_is_not_sent_again() {
    let server = server().await;
    for path in ["/api/v1/checks", DETAIL, "/api/v1/checks/disk/history"] {
        let first = ask(&server, Method::GET, path, &[]).await;
        let tag = header(&first, ETAG);
        assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
        for known in [tag.as_str(), &format!("\"x\", W/{tag}"), "*"] {
            let again = ask(&server, Method::GET, path, &[(IF_NONE_MATCH, known)]).await;
            assert_eq!((again.status(), header(&again, ETAG)), (StatusCode::NOT_MODIFIED, tag.clone()), "{known}");
            assert_eq!(header(&again, VARY), header(&first, VARY));
            assert_eq!(body(again).await, b"");
        }
        for unknown in ["\"x\"", "", tag.trim_matches('"')] {
            let again = ask(&server, Method::GET, path, &[(IF_NONE_MATCH, unknown)]).await;
            assert_eq!(again.status(), StatusCode::OK, "{unknown}");
        }
    }
    let other = header(&ask(&server, Method::GET, "/api/v1/checks/ping", &[]).await, ETAG);
    let detail = ask(&server, Method::GET, DETAIL, &[(IF_NONE_MATCH, &other)]).await;
    assert_eq!(detail.status(), StatusCode::OK);
}

#[tokio::test]
async fn each_form_has_a_tag_of_its_own() {
    let server = server().await;
    let (plain, gzip, text) = (&[][..], &[(ACCEPT_ENCODING, "gzip")][..], &[(ACCEPT, "text/plain")][..]);
    let mut tags = Vec::new();
    for headers in [plain, gzip, text] {
        let response = ask(&server, Method::GET, DETAIL, headers).await;
        let vary = header(&response, VARY);
        assert!(vary.contains("accept") && vary.contains("accept-encoding"), "{vary}");
        assert_eq!(header(&response, CACHE_CONTROL), "no-cache");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        tags.push(header(&response, ETAG));
        let known = [headers, &[(IF_NONE_MATCH, tags.last().unwrap())]].concat();
        assert_eq!(ask(&server, Method::GET, DETAIL, &known).await.status(), StatusCode::NOT_MODIFIED);
    }
    assert!(tags[0] != tags[1] && tags[0] != tags[2], "{tags:?}");
    let crossed = ask(&server, Method::GET, DETAIL, &[(IF_NONE_MATCH, &tags[1])]).await;
    assert_eq!(crossed.status(), StatusCode::OK, "the compressed form is not the plain one");
}

#[tokio::test]
async fn answers_are_compressed_when_accepted() {
    let server = server().await;
    let response = ask(&server, Method::GET, DETAIL, &[(ACCEPT_ENCODING, "gzip")]).await;
    assert_eq!(header(&response, CONTENT_ENCODING), "gzip");
    assert_eq!(body(response).await[..2], [0x1f, 0x8b], "gzip's magic number");
    let response = ask(&server, Method::GET, DETAIL, &[(ACCEPT_ENCODING, "br, identity")]).await;
    assert_eq!(header(&response, CONTENT_ENCODING), "");
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let server = server().await;
    for path in ["/api/v1/checks", DETAIL, "/api/v1/checks/disk/history", "/api/v1/checks/none"] {
        let get = ask(&server, Method::GET, path, &[]).await;
        let head = ask(&server, Method::HEAD, path, &[]).await;
        assert_eq!(head.status(), get.status());
        for name in ["content-type", "content-length", "etag", "vary"] {
            assert_eq!(header(&head, name), header(&get, name), "{name} of {path}");
        }
        assert_eq!(body(head).await, b"");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::from_bytes(b"BREW").unwrap()] {
        assert_eq!(ask(&server, method, DETAIL, &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn history_as_text_is_a_course() {
    let (status, text) = server().await.get("/api/v1/checks/disk/history", "text/plain").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        text,
        "1970-01-01T00:01:42Z   CRITICAL      DISK CRITICAL: / 100%\n\
         1970-01-01T00:01:41Z * CRITICAL      DISK CRITICAL: / 99%\n                                     more\n\
         1970-01-01T00:01:40Z * OK            DISK OK\n"
    );
}

#[tokio::test]
async fn paths_and_queries_that_make_no_sense_are_refused_in_words() {
    let server = server().await;
    let long = "x".repeat(5_000);
    for (path, status) in [
        ("/api/v1/checks/%ff", StatusCode::BAD_REQUEST),
        ("/api/v1/checks/disk?limit=99999999999999999999", StatusCode::BAD_REQUEST),
        ("/api/v1/checks?status=%00", StatusCode::BAD_REQUEST),
        ("/api/v1/checks/disk?%ff=%ff", StatusCode::NOT_FOUND),
        ("/api/v1/checks/..%2f..%2fetc%2fpasswd", StatusCode::NOT_FOUND),
        ("/api/v1/checks/%2e%2e%2fdisk/history", StatusCode::NOT_FOUND),
        ("/api/v1/checks/<script>alert(1)<%2fscript>", StatusCode::NOT_FOUND),
        (&format!("/api/v1/checks/{long}?{long}"), StatusCode::NOT_FOUND),
    ] {
        let (got, body) = server.get(path, "*/*").await;
        assert_eq!(got, status, "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(body["error"].is_string(), "{path}: {body}");
    }
}
