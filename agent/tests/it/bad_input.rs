//! Requests that nobody should send, byte by byte, to the agent as it is served.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::serving::{Agent, folder_with, result};

/// What comes back until the server closes, which it has to.
async fn send(agent: &Agent, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(agent.base.strip_prefix("http://").unwrap()).await.unwrap();
    // The server may refuse and close before it has taken everything.
    let _ = stream.write_all(request).await;
    let mut got = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut got)).await;
    assert!(read.is_ok(), "not ended: {:?}, {:?}", String::from_utf8_lossy(request), String::from_utf8_lossy(&got));
    String::from_utf8_lossy(&got).into_owned()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn requests_are_refused_one_by_one_and_the_next_is_answered() {
    let agent = Agent::on(folder_with(&[result("disk", 0, "OK")]), &[]).await;
    let many_headers = (0..200).map(|n| format!("X-{n}: x\r\n")).collect::<String>();
    for (request, status) in [
        (get("/../../etc/passwd"), "404"),
        (get("/checks/../../../etc/passwd"), "404"),
        (get("/checks/..%2f..%2fetc%2fpasswd"), "404"),
        (get("/style.css/../../../Cargo.toml"), "404"),
        (get("//"), "404"),
        (get("/checks/%00"), "404"),
        (get("/checks/%"), "404"),
        (get("/checks/%ff%fe"), "400"),
        (get("/?status=%ff"), "400"),
        (get("/?page=18446744073709551616"), "400"),
        (get("/?page=4294967295"), "200"),
        (get("/?&&==&=%"), "400"),
        (get("/api/v1/checks?limit=1;DROP"), "400"),
        (get(&format!("/?find={}", "%F0%9F%92%A9".repeat(4_000))), "200"),
        (get("http://other.example.org/api/v1/checks"), "200"),
        (get("*"), "404"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), "404"),
        (b"BREW /api/v1/checks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), "405"),
        (b"POST /checks/disk HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec(), "405"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), "4"),
        (get("/\u{1b}[2J"), "400"),
        (get("/ /"), "400"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), "400"),
        (b"GET /\r\n\r\n".to_vec(), "400"),
        (b"\0\0\0\0\r\n\r\n".to_vec(), "400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n".to_vec(), "400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nAccept: \xff\xfe\r\nConnection: close\r\n\r\n".to_vec(), "200"),
        (format!("GET / HTTP/1.1\r\n{many_headers}\r\n").into_bytes(), "431"),
    ] {
        let answer = send(&agent, &request).await;
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{shown:?}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("[workspace"), "{shown:?}: {answer}");
        assert_eq!(agent.get("/api/v1/checks/disk", "text/plain").await, (StatusCode::OK, "OK".to_owned()));
    }
    agent.stopped().await;
}

#[tokio::test]
async fn a_header_or_a_target_without_end_is_cut() {
    let agent = Agent::on(folder_with(&[result("disk", 0, "OK")]), &[]).await;
    let long = "x".repeat(1 << 20);
    for request in [
        format!("GET /{long}"),
        format!("GET / HTTP/1.1\r\nX: {long}"),
        format!("GET / HTTP/1.1\r\nCookie: {long}\r\n\r\n"),
    ] {
        let answer = send(&agent, request.as_bytes()).await;
        // A reset may overtake the answer.
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"),
            "{answer}"
        );
    }
    let (_, metrics) = agent.get("/metrics", "").await;
    assert!(metrics.contains("http_connections_cut_total{reason=\"bad_request\"} 3\n"), "{metrics}");
    agent.stopped().await;
}

#[tokio::test]
async fn made_up_paths_and_methods_make_no_new_series() {
    let agent = Agent::on(folder_with(&[result("disk", 0, "OK")]), &[]).await;
    for n in 0..20 {
        agent.get(&format!("/made-up/{n}"), "text/html").await;
        agent.get(&format!("/checks/made-up-{n}"), "text/html").await;
        send(&agent, format!("M{n} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
    }
    let (_, metrics) = agent.get("/metrics", "").await;
    let series: Vec<_> = metrics.lines().filter(|line| line.starts_with("http_requests_total{")).collect();
    assert_eq!(series.len(), 3, "{series:#?}");
    agent.stopped().await;
}
