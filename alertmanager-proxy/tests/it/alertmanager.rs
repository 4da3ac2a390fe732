//! An Alertmanager that records every alert that it takes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::world::{PATIENCE, any_port, serve};

pub(crate) struct Alertmanager {
    pub(crate) address: SocketAddr,
    taken: mpsc::UnboundedReceiver<Value>,
    state: Arc<Taking>,
}

struct Taking {
    taken: mpsc::UnboundedSender<Value>,
    /// How many posts came, whether answered or not.
    posts: watch::Sender<usize>,
    /// Whether posts are answered.
    open: watch::Sender<bool>,
    /// The configuration that it says it has.
    config: watch::Sender<String>,
}

impl Alertmanager {
    pub(crate) async fn start() -> Self {
        Self::start_at(any_port()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let (sender, taken) = mpsc::unbounded_channel();
        let state = Arc::new(Taking {
            taken: sender,
            posts: watch::Sender::new(0),
            open: watch::Sender::new(true),
            config: watch::Sender::new("route: {receiver: mail}".to_owned()),
        });
        let router = Router::new()
            .route("/api/v2/alerts", post(take))
            .route("/api/v2/status", get(status))
            .fallback(echo)
            .with_state(Arc::clone(&state))
            .layer(axum::extract::DefaultBodyLimit::disable());
        Self { address: serve(router, address).await, taken, state }
    }

    /// Lets every post wait for its answer, or no longer.
    pub(crate) fn answers(&self, whether: bool) {
        self.state.open.send_replace(whether);
    }

    /// Has another configuration from now on.
    pub(crate) fn configure(&self, config: &str) {
        self.state.config.send_replace(config.to_owned());
    }

    /// Waits until so many posts have come.
    pub(crate) async fn posted(&self, count: usize) {
        let mut posts = self.state.posts.subscribe();
        timeout(PATIENCE, posts.wait_for(|posts| *posts >= count)).await.expect("a post comes").unwrap();
    }

    /// How many posts have come.
    pub(crate) fn posts(&self) -> usize {
        *self.state.posts.borrow()
    }

    /// The next alert that it took.
    pub(crate) async fn next(&mut self) -> Value {
        timeout(PATIENCE, self.taken.recv()).await.expect("an alert comes").unwrap()
    }

    /// Alerts that it took and nobody has asked for.
    pub(crate) fn unseen(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.taken.try_recv().ok()).collect()
    }
}

/// Refuses a batch with a `bad` alert as a whole, as Alertmanager does with an invalid `generatorURL`, and so one with an
/// `only_bare` alert that has an output. Names are those of Alertmanager before 0.27. On a `poisonous` alert it does what the label
/// says: hang, hang up, or answer with a status.
async fn take(State(state): State<Arc<Taking>>, Json(alerts): Json<Vec<Value>>) -> Response {
    state.posts.send_modify(|posts| *posts += 1);
    state.open.subscribe().wait_for(|open| *open).await.unwrap();
    let bad = |alert: &Value| !alert["labels"]["bad"].is_null();
    let picky = |alert: &Value| !alert["labels"]["only_bare"].is_null() && !alert["annotations"]["output"].is_null();
    if alerts.iter().any(|alert| bad(alert) || picky(alert)) {
        let error = json!({"code": 601, "message": "0.generatorURL in body must be of type uri"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(error)).into_response();
    }
    let is_plain = |name: &String| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    let names = alerts.iter().flat_map(|alert| alert["labels"].as_object().unwrap().keys());
    let refused = names.filter(|name| !is_plain(name)).map(|name| format!("invalid label set: invalid name {name:?}"));
    let refused: Vec<_> = refused.collect();
    if !refused.is_empty() {
        return (StatusCode::BAD_REQUEST, Json(refused.join("; "))).into_response();
    }
    if let Some(poison) = alerts.iter().find_map(|alert| alert["labels"]["poisonous"].as_str()) {
        if poison == "hang" {
            std::future::pending::<()>().await;
        }
        let status: StatusCode = poison.parse().expect("a handler that panics hangs up");
        return status.into_response();
    }
    for alert in alerts {
        state.taken.send(alert).unwrap();
    }
    StatusCode::OK.into_response()
}

async fn status(State(state): State<Arc<Taking>>) -> Json<Value> {
    let config = state.config.borrow().clone();
    Json(json!({"cluster": {"status": "ready"}, "config": {"original": config}, "uptime": "2026-01-01T00:00:00Z"}))
}

/// Says what it was asked.
async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let said = json!({
        "method": parts.method.as_str(), "uri": parts.uri.to_string(), "headers": headers.collect::<Vec<_>>(),
        "body": body_text(body).await
    });
    (StatusCode::IM_A_TEAPOT, [("x-own", "yes"), ("connection", "x-hop"), ("x-hop", "no")], Json(said)).into_response()
}

async fn body_text(body: axum::body::Body) -> String {
    let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
