//! Whether the program is ready, for load balancers and systemd.
//!
//! - `GET /-/ready`: 200 when ready, 503 when not

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

use crate::systemd;

/// Says whether the program is ready. Clones say it of the same program.
#[derive(Debug, Clone)]
pub struct Readiness {
    ready: Arc<watch::Sender<bool>>,
    /// The program says when it is ready, not the server.
    taken_over: bool,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { ready: Arc::new(watch::Sender::new(false)), taken_over: false }
    }
}

impl Readiness {
    /// Says that the program is ready, or no longer is. systemd is told the first time it is ready.
    pub fn set_ready(&self, ready: bool) {
        self.ready.send_replace(ready);
    }

    pub(super) fn take_over(&mut self) -> Self {
        self.taken_over = true;
        self.clone()
    }

    /// The ports are open.
    pub(super) fn listening(&self) {
        if !self.taken_over {
            self.set_ready(true);
        }
    }

    /// Tells systemd when the program is ready.
    pub(super) async fn announce(&self) {
        if self.ready.subscribe().wait_for(|ready| *ready).await.is_ok() {
            systemd::ready();
            tracing::info!("Ready");
        }
    }

    /// Tells systemd again, which ends a reload. A program that is not ready yet says so later.
    pub(super) fn remind(&self) {
        if *self.ready.borrow() {
            systemd::ready();
        }
    }

    pub(super) fn routes(&self) -> Router {
        let ready = Arc::clone(&self.ready);
        let answer = move || {
            let ready = *ready.borrow();
            async move {
                match ready {
                    true => (StatusCode::OK, "Ready\n"),
                    false => (StatusCode::SERVICE_UNAVAILABLE, "Not ready\n"),
                }
            }
        };
        Router::new().route("/-/ready", get(answer))
    }
}
