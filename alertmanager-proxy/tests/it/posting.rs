//! What is answered to a post. Where no Alertmanager is there to ask, the answers are the proxy's own.

use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::alertmanager::Alertmanager;
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

#[tokio::test]
async fn half_a_batch_is_counted_and_costs_nothing_else() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let mut connection = TcpStream::connect(proxy.address).await.unwrap();
    let head =
        "POST /api/v2/alerts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
    connection.write_all(format!("{head}[{{\"labels\":{{\"alertname\":\"half\"}}}},").as_bytes()).await.unwrap();
    drop(connection);
    let broken = async || proxy.metric("alertmanager_proxy_alerts_refused_total{reason=\"broken\"}").await;
    while broken().await != Some(1.0) {
        tokio::task::yield_now().await;
    }
    let whole = json!({"labels": {"alertname": "whole"}});
    assert_eq!(proxy.post(&json!([whole])).await, 200);
    assert_eq!(alertmanager.next().await, whole);
}

#[tokio::test]
async fn posts_that_stall_keep_no_batch_out() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let mut stalled = Vec::new();
    for announced in ["transfer-encoding: chunked", "content-length: 16777216"].into_iter().cycle().take(4) {
        let mut connection = TcpStream::connect(proxy.address).await.unwrap();
        let kind = "content-type: application/json\r\nexpect: 100-continue";
        let head = format!("POST /api/v2/alerts HTTP/1.1\r\nhost: x\r\n{kind}\r\n{announced}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 25];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n", "the body is being read");
        connection.write_all(b"1\r\n[").await.unwrap();
        stalled.push(connection);
    }
    let whole = json!({"labels": {"alertname": "whole"}});
    assert_eq!(proxy.post(&json!([whole])).await, 200);
    assert_eq!(alertmanager.next().await, whole);
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference() {
    let (mut one, mut two) = (Alertmanager::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[one.address, two.address], ""));
    for path in ["/api/v2/alerts/", "/alertmanager/api/v2/alerts/"] {
        let alert = json!({"labels": {"alertname": path}});
        let posted = proxy.client.post(proxy.url(path)).json(&[&alert]).send().await.unwrap();
        assert_eq!(posted.status(), 200);
        assert_eq!((one.next().await, two.next().await), (alert.clone(), alert), "each gets it");
    }
}
