//! Reloading the program's configuration, on a signal or a request, one at a time.
//!
//! - `POST /-/reload`: 200 when reloaded, 500 and the reason when not, 403 where another site makes a browser send it
//!
//! One task does the reloads and the others ask it, so that a client that goes away does not end a reload half-way.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::header::{HOST, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use futures_util::FutureExt as _;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::readiness::Readiness;
use crate::origin::is_foreign;
use crate::systemd;

type Hook = Box<dyn Fn() -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send + Sync>;
/// The failure in words, if any.
type Outcome = Result<(), String>;
/// Where the outcome is wanted.
type Order = oneshot::Sender<Outcome>;

/// Requests that may wait for their turn; further ones wait to be let in.
const WAITING: usize = 8;

/// The hook and what is known of its calls.
pub(super) struct Reloading {
    hook: Hook,
    successful: Gauge,
    succeeded_at: Gauge<f64, AtomicU64>,
    order: mpsc::Sender<Order>,
    orders: mpsc::Receiver<Order>,
}

impl Reloading {
    pub(super) fn new<F>(hook: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (order, orders) = mpsc::channel(WAITING);
        let reloading = Self {
            hook: Box::new(move || Box::pin(hook())),
            successful: Gauge::default(),
            succeeded_at: Gauge::default(),
            order,
            orders,
        };
        // A program that got as far as this has loaded its configuration.
        reloading.succeeded();
        reloading
    }

    pub(super) fn register(&self, registry: &mut Registry, prefix: &str) {
        registry.register(
            format!("{prefix}_config_last_reload_successful"),
            "Whether the last attempt to load the configuration succeeded",
            self.successful.clone(),
        );
        registry.register(
            format!("{prefix}_config_last_reload_success_timestamp_seconds"),
            "When the configuration was last loaded with success",
            self.succeeded_at.clone(),
        );
    }

    pub(super) fn routes(&self) -> Router {
        let order = self.order.clone();
        Router::new().route("/-/reload", post(async move |headers: HeaderMap| request(order, &headers).await))
    }

    /// Takes SIGHUP from here on.
    pub(super) fn listen(self, readiness: Readiness) -> std::io::Result<Listening> {
        Ok(Listening { hangup: signal(SignalKind::hangup())?, reloading: self, readiness })
    }

    async fn reload(&self) -> Outcome {
        // The hook is the program's; its bug must not end the program while it serves well.
        let call = AssertUnwindSafe(async { (self.hook)().await }).catch_unwind().await;
        match call.unwrap_or_else(|_| Err(anyhow::anyhow!("the reload panicked, which is a bug"))) {
            Ok(()) => {
                self.succeeded();
                tracing::info!("Reloaded the configuration");
                Ok(())
            }
            Err(error) => {
                self.successful.set(0);
                let reason = format!("{error:#}");
                tracing::error!(error = reason, "Could not reload the configuration, the old one stays: {reason}");
                Err(reason)
            }
        }
    }

    fn succeeded(&self) {
        self.successful.set(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.succeeded_at.set(now.as_secs_f64());
    }
}

/// Reloads on orders.
pub(super) struct Listening {
    reloading: Reloading,
    hangup: Signal,
    readiness: Readiness,
}

impl Listening {
    /// Does so for ever.
    pub(super) async fn run(mut self) {
        loop {
            let order = tokio::select! {
                _ = self.hangup.recv() => None,
                order = self.reloading.orders.recv() => order,
            };
            systemd::reloading();
            let outcome = self.reloading.reload().await;
            self.readiness.remind();
            if let Some(order) = order {
                // A client that has gone away does not want to know.
                let _ = order.send(outcome);
            }
        }
    }
}

async fn request(order: mpsc::Sender<Order>, headers: &HeaderMap) -> (StatusCode, String) {
    let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
    if is_foreign(&Method::POST, headers, host) {
        return (
            StatusCode::FORBIDDEN,
            "a page of another site has made a browser send this; nothing was reloaded\n".to_owned(),
        );
    }
    let (tell, told) = oneshot::channel();
    let outcome = match order.send(tell).await {
        Ok(()) => told.await,
        Err(_) => return (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n".to_owned()),
    };
    match outcome {
        Ok(Ok(())) => (StatusCode::OK, "Reloaded\n".to_owned()),
        Ok(Err(reason)) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload the configuration: {reason}\n"))
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n".to_owned()),
    }
}
