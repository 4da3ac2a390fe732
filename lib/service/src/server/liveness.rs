//! Whether the program does its work, for whoever restarts it when it does not: a liveness probe, and systemd's
//! watchdog.
//!
//! - `GET /-/healthy`: 200 when it does, 503 and the reason when not

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

/// Asked at each request for health, and each time that the watchdog is fed. A program that says nothing is alive as
/// long as it answers.
#[derive(Clone)]
pub(super) struct Liveness(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl Default for Liveness {
    fn default() -> Self {
        Self::new(|| Ok(()))
    }
}

impl fmt::Debug for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Liveness").field(&self.check()).finish()
    }
}

impl Liveness {
    pub(super) fn new(check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// The reason why the program is not alive, if it is not.
    pub(super) fn check(&self) -> Result<(), String> {
        (self.0)()
    }

    pub(super) fn routes(&self) -> Router {
        let liveness = self.clone();
        let answer = move || {
            let alive = liveness.check();
            async move {
                match alive {
                    Ok(()) => (StatusCode::OK, "OK\n".to_owned()),
                    Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("Not healthy: {reason}\n")),
                }
            }
        };
        Router::new().route("/-/healthy", get(answer))
    }
}
