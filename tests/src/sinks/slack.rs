//! A Slack incoming webhook that accepts every message.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

use super::Received;

/// The attachment of one message.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The path it was sent to, which says who sends.
    pub to: String,
    /// The head line.
    pub title: String,
    /// The text, in Slack's mark-up.
    pub text: String,
    /// The colour of the bar.
    pub color: String,
}

/// Serves on `listener` until its runtime ends.
pub fn start(listener: TcpListener) -> Received<Attachment> {
    let received = Received::default();
    let app = Router::new().fallback(post(take)).with_state(received.clone());
    #[expect(clippy::disallowed_methods, reason = "it serves Alertmanager alone, in a test")]
    let serve = axum::serve(listener, app).into_future();
    tokio::spawn(serve);
    received
}

async fn take(State(received): State<Received<Attachment>>, uri: Uri, body: Bytes) -> &'static str {
    let message = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let attachments = message["attachments"].as_array().map_or(&[][..], Vec::as_slice);
    let to = || uri.path().to_owned();
    for attachment in attachments {
        let text = |name: &str| attachment[name].as_str().unwrap_or_default().to_owned();
        received.add(Attachment { to: to(), title: text("title"), text: text("text"), color: text("color") });
    }
    if attachments.is_empty() {
        // It was told all the same.
        let text = String::from_utf8_lossy(&body).into_owned();
        received.add(Attachment { to: to(), title: String::new(), text, color: String::new() });
    }
    "ok"
}
