//! What a browser may do, whoever wrote the page that it shows, and how many may read outputs at a time.

use axum::http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{Gateway, until};

#[tokio::test]
async fn the_page_of_another_site_pushes_and_deletes_nothing() {
    let gateway = Gateway::start(&["--web.enable-lifecycle", "--web.external-url=https://push.example.org:443/"]);
    let own = gateway.base.clone();
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 200);
    let before = gateway.get("/api/v1/metrics").await;
    let check = r#"{"name":"disk","output":"","status":0}"#;
    for header in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://evil.example.org"),
        ("Origin", "null"),
    ] {
        for (method, path, body) in [
            (Method::POST, "/metrics/job/a", "m 2\n"),
            (Method::PUT, "/metrics/job/b", "m 2\n"),
            (Method::POST, "/checks/job/a", check),
            (Method::DELETE, "/metrics/job/a", ""),
            (Method::POST, "/-/quit", ""),
        ] {
            let (status, text) = gateway.send_with(method.clone(), path, body, &[header]).await;
            assert!(status == 403 && text.starts_with("a page of another site"), "{method} {path}: {status} {text}");
        }
        assert_eq!(gateway.send_with(Method::GET, "/api/v1/metrics", "", &[header]).await, (200, before.clone()));
    }
    for header in [("Sec-Fetch-Site", "same-origin"), ("Origin", &own), ("Origin", "https://push.example.org")] {
        let push = gateway.send_with(Method::POST, "/checks/job/a", check, &[header]).await;
        assert_eq!(push, (200, String::new()), "{header:?}");
        assert_eq!(gateway.send_with(Method::DELETE, "/checks/job/a", "", &[header]).await.0, 202, "{header:?}");
    }
    assert!(gateway.get("/metrics").await.contains("pushgateway_pushes_refused_total{reason=\"foreign\"} 20\n"));
    gateway.stopped().await;
}

#[tokio::test]
async fn the_page_of_groups_runs_nothing_but_its_own_files_and_shows_plain_text() {
    let gateway = Gateway::start(&["--web.route-prefix=/push"]);
    let output = "\u{1b}[0m\n\u{202e} \n\u{1b}[31m full\u{1b}[0m \u{202e}txt.exe\nrest";
    let result = json!({"name": "disk\u{202e}", "output": output, "status": 2}).to_string();
    assert_eq!(gateway.put("/push/checks/job/a", result).await.0, 200);
    assert_eq!(gateway.put("/push/metrics/job/b", "m{x=\"\u{202e}y\"} 1\n").await.0, 200);
    assert_eq!(gateway.put("/push/metrics/job/b/x/%E2%80%AEc", "m 1\n").await.0, 200);
    let page = gateway.get("/push/").await;
    assert!(page.contains("> full txt.exe<") && !page.contains(['\u{1b}', '\u{202e}']), "{page}");
    // Both in the head of the group and in what is asked before it is deleted.
    assert_eq!(page.matches(r"\u{202e}c").count(), 2, "{page}");
    assert!(!page.contains("<style") && page.matches("<script").count() == 1, "{page}");
    for (file, kind) in [
        ("", "text/html; charset=utf-8"),
        ("assets/groups.css", "text/css; charset=utf-8"),
        ("assets/groups.js", "text/javascript; charset=utf-8"),
    ] {
        assert!(page.contains(&format!("\"{file}\"")) || file.is_empty(), "{file}: {page}");
        let headers = gateway.headers(&format!("/push/{file}")).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        let given = ["content-type", "x-content-type-options", "x-frame-options"].map(|name| headers[name].clone());
        assert_eq!(given, [kind, "nosniff", "deny"]);
    }
    gateway.stopped().await;
}

#[tokio::test]
async fn requests_for_outputs_over_the_limit_are_503_and_pushes_and_scrapes_go_on() {
    let large = ["--web.max-requests=1", "--detail.output-bytes=16000000", "--detail.max-bytes=40000000"];
    let gateway = Gateway::start(&large);
    // More than what the two sides of a connection hold.
    let result = json!({"name": "disk", "output": "x".repeat(15_000_000), "status": 2}).to_string();
    assert_eq!(gateway.put("/checks/job/a", result).await.0, 200);
    let mut slow = TcpStream::connect(gateway.base.trim_start_matches("http://")).await.unwrap();
    let ask = b"GET /api/v1/checks/disk HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    slow.write_all(ask).await.unwrap();
    let status = async |path: &str| gateway.send(Method::GET, path, "").await.0;
    let outputs = ["/api/v1/checks", "/detail/", "/"];
    until(async || status("/api/v1/checks").await == 503).await;
    for path in outputs {
        assert_eq!(status(path).await, 503, "{path}");
    }
    assert_eq!((status("/metrics").await, status("/-/healthy").await), (200, 200));
    assert_eq!(gateway.put("/checks/job/b", r#"{"name":"load","output":"","status":0}"#).await.0, 200);
    slow.read_to_end(&mut Vec::new()).await.unwrap();
    until(async || status("/api/v1/checks").await == 200).await;
    for path in outputs {
        assert_eq!(status(path).await, 200, "{path}");
    }
    let page = gateway.get("/metrics").await;
    assert!(page.contains("http_requests_limit 1\n"), "{page}");
    gateway.stopped().await;
}
