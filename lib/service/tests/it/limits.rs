//! Clients that hold a connection: each is cut for its own reason, and nobody else is disturbed.

use service::Timeouts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::running::{NEVER, PATIENT, SHORT, answer, rest, routes, server, start};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
const HALF_BODY: &str = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";

#[tokio::test]
async fn a_silent_connection_is_cut() {
    let running = start(server(&[]).routes(routes()).timeouts(Timeouts { header: SHORT, ..PATIENT }));
    let mut stream = running.connect("").await;
    assert_eq!(rest(&mut stream).await, "");
    running.wait_for_cut("header_timeout").await;
    running.stop().await;
}

#[tokio::test]
async fn half_a_header_is_cut_also_when_it_drips() {
    let running = start(server(&[]).routes(routes()).timeouts(Timeouts { header: SHORT * 5, ..PATIENT }));
    let mut stream = running.connect("GET /hello HTTP/1.1\r\n").await;
    let (mut reading, mut writing) = stream.split();
    let drip = async {
        let mut beat = tokio::time::interval(SHORT / 3);
        while writing.write_all(b"X-Drip: drip\r\n").await.is_ok() {
            beat.tick().await;
        }
    };
    let mut got = Vec::new();
    let ended = async {
        tokio::select! {
            _ = reading.read_to_end(&mut got) => {}
            () = drip => {}
        }
    };
    tokio::time::timeout(NEVER, ended).await.expect("the server does not end the connection");
    running.wait_for_cut("header_timeout").await;
    running.stop().await;
}

#[tokio::test]
async fn half_a_second_header_is_cut_by_the_header_limit() {
    let running = start(server(&[]).routes(routes()).timeouts(Timeouts { header: SHORT * 5, ..PATIENT }));
    let mut stream = running.connect(HELLO).await;
    answer(&mut stream, "hello").await;
    stream.write_all(b"GET /hel").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    running.wait_for_cut("header_timeout").await;
    running.stop().await;
}

#[tokio::test]
async fn half_a_body_is_answered_with_408_and_cut() {
    let running = start(server(&[]).routes(routes()).timeouts(Timeouts { body: SHORT, ..PATIENT }));
    let mut stream = running.connect(HALF_BODY).await;
    let got = rest(&mut stream).await;
    assert!(got.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{got}");
    assert!(got.ends_with("The request body did not arrive in time\n"), "{got}");
    running.wait_for_cut("body_timeout").await;
    running.stop().await;
}

#[tokio::test]
async fn a_kept_connection_is_closed_when_idle() {
    let running = start(server(&[]).routes(routes()).timeouts(Timeouts { idle: SHORT, ..PATIENT }));
    let mut stream = running.connect(HELLO).await;
    answer(&mut stream, "hello").await;
    assert_eq!(rest(&mut stream).await, "");
    running.wait_for_cut("idle_timeout").await;
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let running = start(server(&[]).routes(routes()).timeouts(Timeouts { write: SHORT, ..PATIENT }));
    let stream = running.connect("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    running.wait_for_cut("write_timeout").await;
    drop(stream);
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_reads_a_little_now_and_then_is_cut() {
    let running = start(server(&[]).routes(routes()).timeouts(Timeouts { answer: SHORT * 5, ..PATIENT }));
    let mut stream = running.connect("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let drip = async {
        let mut beat = tokio::time::interval(SHORT / 3);
        let mut part = [0; 64 << 10];
        while matches!(stream.read(&mut part).await, Ok(1..)) {
            beat.tick().await;
        }
    };
    tokio::time::timeout(NEVER, drip).await.expect("the server does not end the connection");
    running.wait_for_cut("answer_timeout").await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_answered_and_counted() {
    let running = start(server(&[]).routes(routes()).timeouts(PATIENT));
    let mut stream = running.connect("\u{16}\u{3}\u{1} hello\r\n\r\n").await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    running.wait_for_cut("bad_request").await;
    running.stop().await;
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let running = start(server(&[]).routes(routes()).timeouts(PATIENT));
    let mut stream = running.connect("GET /hello HTTP/1.1\r\n").await;
    let endless = format!("X: {}\r\n", "x".repeat(1 << 20));
    // The server may have answered and closed before it has taken everything.
    let _ = stream.write_all(endless.as_bytes()).await;
    let got = rest(&mut stream).await;
    assert!(got.is_empty() || got.starts_with("HTTP/1.1 431 "), "{got}");
    running.wait_for_cut("bad_request").await;
    running.stop().await;
}

#[tokio::test]
async fn a_body_over_a_routes_limit_is_413_also_without_a_length() {
    let running = start(server(&[]).routes(routes()).timeouts(PATIENT));
    for request in ["Content-Length: 5\r\n\r\n12345", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"] {
        let request = format!("POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{request}");
        let mut stream = running.connect(&request).await;
        let got = rest(&mut stream).await;
        assert!(got.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{got}");
    }
    let mut stream = running.connect("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n1234").await;
    assert!(answer(&mut stream, "1234").await.starts_with("HTTP/1.1 200 OK\r\n"));
    running.stop().await;
}

#[tokio::test]
async fn a_refused_upload_still_gets_its_answer() {
    let running = start(server(&[]).routes(routes()).timeouts(PATIENT));
    let mut stream = running.connect("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").await;
    stream.write_all(&[b'x'; 1_000_000]).await.unwrap();
    let got = rest(&mut stream).await;
    assert!(got.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{got}");
    running.stop().await;
}

#[tokio::test]
async fn at_the_limit_an_idle_connection_makes_room() {
    let running = start(server(&["--web.max-connections=2"]).routes(routes()).timeouts(PATIENT));
    let mut kept = running.connect(HELLO).await;
    let got = answer(&mut kept, "hello").await;
    assert!(!got.contains("connection: close\r\n"), "{got}");
    let mut busy = running.connect(HALF_BODY).await;
    let mut waiting = running.connect(HELLO).await;
    assert_eq!(rest(&mut kept).await, "", "the idle one is closed");
    let got = answer(&mut waiting, "hello").await;
    assert!(got.contains("connection: close\r\n"), "at the limit nobody keeps a connection: {got}");
    busy.write_all(b" other").await.unwrap();
    answer(&mut busy, "half other").await;
    let waited = running.get("/metrics").await.sample("http_connections_waited_total").unwrap();
    assert!(waited >= 1.0, "{waited}");
    running.stop().await;
}

#[tokio::test]
async fn at_the_limit_a_new_connection_waits_for_a_busy_one() {
    let running = start(server(&["--web.max-connections=1"]).routes(routes()).timeouts(PATIENT));
    let mut busy = running.connect(HALF_BODY).await;
    let mut waiting = running.connect(HELLO).await;
    busy.write_all(b" other").await.unwrap();
    answer(&mut busy, "half other").await;
    assert!(answer(&mut waiting, "hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    running.stop().await;
}
