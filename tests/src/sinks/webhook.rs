//! A receiver of Alertmanager's webhook that accepts everything.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::post;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;

use super::Received;

/// One alert of one notification.
#[derive(Clone, Debug)]
pub struct Told {
    /// The path it was sent to, which says who sends.
    pub to: String,
    /// Whether it fires; else it is resolved.
    pub firing: bool,
    /// Whether it is the one that speaks for its notification, as in mail and Slack: the first that fires, or the one that ended last where
    /// none does.
    pub leads: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Serves on `listener` until its runtime ends.
pub fn start(listener: TcpListener) -> Received<Told> {
    let received = Received::default();
    let app = Router::new().fallback(post(take)).with_state(received.clone());
    #[expect(clippy::disallowed_methods, reason = "it serves Alertmanager alone, in a test")]
    let serve = axum::serve(listener, app).into_future();
    tokio::spawn(serve);
    received
}

async fn take(State(received): State<Received<Told>>, uri: Uri, body: Bytes) -> &'static str {
    let notification = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let alerts = notification["alerts"].as_array().map_or(&[][..], Vec::as_slice);
    let firing = alerts.iter().position(|alert| alert["status"] == "firing");
    let leader = firing.or_else(|| (0..alerts.len()).rev().max_by_key(|index| ended(&alerts[*index])));
    for (index, alert) in alerts.iter().enumerate() {
        let texts = |name: &str| {
            let texts = alert[name].as_object().into_iter().flatten();
            texts.map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned())).collect()
        };
        let firing = alert["status"] == "firing";
        let leads = leader == Some(index);
        let to = uri.path().to_owned();
        received.add(Told { to, firing, leads, labels: texts("labels"), annotations: texts("annotations") });
    }
    if alerts.is_empty() {
        // It was told all the same.
        let whole = String::from_utf8_lossy(&body).into_owned();
        let (to, annotations) = (uri.path().to_owned(), BTreeMap::from([("notification".to_owned(), whole)]));
        received.add(Told { to, firing: false, leads: true, labels: BTreeMap::new(), annotations });
    }
    "ok"
}

fn ended(alert: &Value) -> Option<Timestamp> {
    alert["endsAt"].as_str()?.parse().ok()
}
