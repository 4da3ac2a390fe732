//! What is answered to a post. No Alertmanager is there to ask, so the answers are the proxy's own.

use reqwest::header::CONTENT_TYPE;

use crate::world::{Proxy, closed_port, config, read};

#[tokio::test]
async fn bad_posts_are_answered_as_alertmanager_answers_them() {
    let proxy = Proxy::start(&config(&[closed_port().await], "limits: {max_body_bytes: 1000}"));
    let large = format!("[{}]", " ".repeat(1000));
    for (body, kind, status, says) in [
        ("[]", "application/json", 200, ""),
        ("[]", "Application/JSON; charset=utf-8", 200, ""),
        ("", "application/json", 422, "\"code\":602,\"message\":\"alerts in body is required\""),
        ("[{}]", "application/json", 422, "0.labels in body is required"),
        ("[{bad", "application/json", 400, "\"code\":400,\"message\":\"parsing alerts body"),
        ("{}", "application/json", 400, "parsing alerts body"),
        ("[null]", "application/json", 400, "\"an alert is null\""),
        (r#"[{"labels":{}}]"#, "application/json", 400, "\"at least one label pair required\""),
        ("[]", "text/plain", 415, "unsupported media type"),
        (&large, "application/json", 413, "limits.max_body_bytes"),
    ] {
        let request = proxy.client.post(proxy.url("/api/v2/alerts")).header(CONTENT_TYPE, kind);
        let (got, text) = read(request.body(body.to_owned()).send().await.unwrap()).await;
        assert_eq!(got, status, "{body}: {text}");
        assert!(text.contains(says), "{body}: {text}");
    }
}

#[tokio::test]
async fn the_first_version_of_the_api_is_gone() {
    let proxy = Proxy::start(&config(&[closed_port().await], ""));
    for path in ["/api/v1/alerts", "/api/v1/silence/x", "/alertmanager/api/v1/status"] {
        let post = proxy.client.post(proxy.url(path)).body("[]").send().await.unwrap();
        for (status, text) in [read(post).await, proxy.get(path).await] {
            assert_eq!(status, 410, "{path}");
            assert!(text.contains("\"status\":\"deprecated\""), "{text}");
        }
    }
}
