//! A node's detail API, and how it can misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::{PATIENCE, any_port, serve};

/// Answers by the name of the check that it is asked for.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    state: Arc<Answers>,
}

struct Answers {
    asked: watch::Sender<usize>,
    output: watch::Sender<(i64, String)>,
    /// Whether the check `gated` is answered.
    open: watch::Sender<bool>,
}

impl Node {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Answers {
            asked: watch::Sender::new(0),
            output: watch::Sender::new((2, "CRITICAL: / 93%\n".to_owned())),
            open: watch::Sender::new(false),
        });
        let router = Router::new().route("/api/v1/checks/{check}", get(answer)).with_state(Arc::clone(&state));
        Self { address: serve(router, any_port()).await, state }
    }

    /// How many requests it got.
    pub(crate) fn asked(&self) -> usize {
        *self.state.asked.borrow()
    }

    /// Waits until it has got so many.
    pub(crate) async fn was_asked(&self, times: usize) {
        let mut asked = self.state.asked.subscribe();
        timeout(PATIENCE, asked.wait_for(|asked| *asked >= times)).await.expect("the node is asked").unwrap();
    }

    /// What the checks say from now on.
    pub(crate) fn says(&self, status: i64, output: &str) {
        self.state.output.send_replace((status, output.to_owned()));
    }

    /// Answers the check `gated` from now on, with what it said when it was asked.
    pub(crate) fn open(&self) {
        self.state.open.send_replace(true);
    }

    /// Lets the check `gated` wait again.
    pub(crate) fn close(&self) {
        self.state.open.send_replace(false);
    }
}

async fn answer(Path(check): Path<String>, State(answers): State<Arc<Answers>>) -> Response {
    let said = detail(&answers);
    answers.asked.send_modify(|asked| *asked += 1);
    match check.as_str() {
        hung if hung.starts_with("hung") => std::future::pending().await,
        "gated" => {
            answers.open.subscribe().wait_for(|open| *open).await.unwrap();
            said
        }
        "html" => "<html>Welcome to nginx!</html>".into_response(),
        "wrong" => r#"{"check": 1}"#.into_response(),
        "unknown" => (StatusCode::NOT_FOUND, r#"{"error": "no result of check unknown"}"#).into_response(),
        "twice" => (StatusCode::CONFLICT, r#"{"error": "2 checks match"}"#).into_response(),
        "elsewhere" => (StatusCode::FOUND, [("location", "/api/v1/checks/fine")]).into_response(),
        "huge" => Response::builder().header("content-length", 500 << 20).body(endless()).unwrap(),
        "endless" => Response::new(endless()),
        "bomb" => ([("content-encoding", "gzip")], bomb()).into_response(),
        "numbers" => long("labels", &json!({}), &vec![0; 1 << 20].into()),
        "attributes" => long("client_attributes", &json!({"long": "x".repeat(4 << 20)}), &json!([])),
        "drip" => Response::new(drip()),
        _ => said,
    }
}

fn detail(answers: &Answers) -> Response {
    let (status, output) = answers.output.borrow().clone();
    let now = jiff::Timestamp::now().as_second();
    axum::Json(json!({
        "labels": {"check": "disk"}, "client": "web-1",
        "client_attributes": {"address": "10.0.0.1", "subscriptions": ["base", "web"]},
        "check": {"name": "disk", "command": "check-disk", "issued": now, "executed": now, "status": status,
                  "output": output},
        "occurrences": 4, "status_changed": now
    }))
    .into_response()
}

/// A detail that is valid, and long.
fn long(attribute: &str, value: &Value, list: &Value) -> Response {
    axum::Json(json!({
        attribute: value, "client": "web-1", "occurrences": 4, "status_changed": 1_787_000_000,
        "check": {"name": "disk", "status": 2, "output": "CRITICAL: / 93%\n", "list": list}
    }))
    .into_response()
}

fn endless() -> Body {
    let chunk = Bytes::from(vec![b' '; 64 << 10]);
    Body::from_stream(stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
}

/// A megabyte of blanks in a kilobyte. The proxy asks for no compression and so unpacks none, whatever the header says.
fn bomb() -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 1_000_000), &mut packed).unwrap();
    packed.finish().unwrap()
}

/// A byte now and then, never an end: every single one arrives in time.
fn drip() -> Body {
    let ticks = tokio::time::interval(Duration::from_millis(20));
    let bytes = stream::unfold(ticks, |mut ticks| async {
        ticks.tick().await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ticks))
    });
    Body::from_stream(bytes)
}
