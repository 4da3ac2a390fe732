//! Stopping: what is in flight is answered, what holds on is cut at the deadline, nothing keeps the server from ending.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::running::{LARGE, PATIENT, Running, answer, rest, routes, server, start, until};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

fn running(deadline: &str) -> Running {
    start(server(&[&format!("--web.shutdown-timeout={deadline}")]).routes(routes()).timeouts(PATIENT))
}

/// Waits until the server has taken over a connection besides the one that asks.
async fn taken(running: &Running) {
    running.wait_for("http_connections", 2.0).await;
}

#[tokio::test]
async fn what_holds_on_is_cut_at_the_deadline() {
    for (request, got_before) in [
        ("GET /hello HTTP/1.1\r\n", ""),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", ""),
        ("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n", ""),
        ("GET /large HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n"),
    ] {
        let running = running("50ms");
        let mut stream = running.connect(request).await;
        taken(&running).await;
        running.stop().await;
        let got = rest(&mut stream).await;
        assert!(got.starts_with(got_before) && got.len() < LARGE, "{request}: {} bytes", got.len());
        assert_eq!(got.is_empty(), got_before.is_empty(), "{request}");
    }
}

#[tokio::test]
async fn silent_and_idle_connections_close_at_once() {
    let running = running("20s");
    let mut silent = running.connect("").await;
    let mut idle = running.connect(HELLO).await;
    answer(&mut idle, "hello").await;
    running.wait_for("http_connections", 3.0).await;
    running.stop.cancel();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut idle).await, "");
    running.ended().await;
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_new_ones_are_refused() {
    let running = running("20s");
    let mut stream = running.connect("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf").await;
    taken(&running).await;
    running.stop.cancel();
    until(async || TcpStream::connect(running.address).await.is_err()).await;
    stream.write_all(b" other").await.unwrap();
    let got = rest(&mut stream).await;
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("half other"), "{got}");
    assert!(got.contains("connection: close\r\n"), "{got}");
    running.ended().await;
}

#[tokio::test]
async fn a_connection_that_waits_for_a_slot_does_not_hold_up_the_stop() {
    let server = server(&["--web.max-connections=1", "--web.shutdown-timeout=50ms"]);
    let running = start(server.routes(routes()).timeouts(PATIENT));
    let busy = running.connect("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut waiting = running.connect(HELLO).await;
    running.stop.cancel();
    assert_eq!(rest(&mut waiting).await, "");
    running.ended().await;
    drop(busy);
}
