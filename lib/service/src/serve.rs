//! Serving connections within limits, which `axum::serve` does not have: without a timer hyper never ends a half-sent
//! request, and stopping then waits for ever.
//!
//! A connection is always in one of the phases of [`watch::Phase`], and each has a limit of its own. The limits are kept
//! beneath TLS and HTTP, where the bytes pass, in one place (`watch`); only a request's body is watched above, where it is
//! known that a handler waits for it (`connection`). `accept` takes connections while there are free slots.
//!
//! Stopping: listeners close, idle connections close, requests in flight are answered, and what is left when the
//! deadline passes is cut.

mod accept;
mod connection;
mod watch;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::HttpMetrics;
use crate::web_config::Live;

/// Time limits of a connection's phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TLS handshake. 10 s.
    pub tls_handshake: Duration,
    /// From connecting, or from the first byte of a further request, to the end of the request's header. 10 s.
    pub header: Duration,
    /// For a whole request body, from the end of the header. 30 s.
    pub body: Duration,
    /// Between two requests. 5 min, as long as Prometheus keeps a connection to a target.
    pub idle: Duration,
    /// While the client takes nothing of an answer. 30 s.
    pub write: Duration,
    /// From when a client first lets an answer wait to the answer's end, however much it takes meanwhile. 5 min.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tls_handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            write: Duration::from_secs(30),
            answer: Duration::from_secs(300),
        }
    }
}

/// What the connections of a server share.
pub(crate) struct Serving {
    pub(crate) router: Router,
    pub(crate) web: Arc<Live>,
    pub(crate) metrics: Arc<HttpMetrics>,
    pub(crate) timeouts: Timeouts,
    /// From the signal to stop to the cut of what is left.
    pub(crate) shutdown: Duration,
    /// One permit a connection.
    pub(crate) slots: Arc<Semaphore>,
    /// Told when a connection has to wait for a slot: others close after their current request.
    pub(crate) crowded: Notify,
    /// No new connections, no further requests.
    pub(crate) stop: CancellationToken,
    /// Past the deadline.
    pub(crate) kill: CancellationToken,
    pub(crate) connections: TaskTracker,
}

impl Serving {
    /// Serves until the token is cancelled and the last connection has ended.
    pub(crate) async fn run(self: Arc<Self>, listeners: Vec<TcpListener>) -> std::io::Result<()> {
        for listener in listeners {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            self.connections.spawn(accept::run(listener, Arc::clone(&self)));
        }
        self.stop.cancelled().await;
        self.connections.close();
        if tokio::time::timeout(self.shutdown, self.connections.wait()).await.is_err() {
            let left = self.connections.len();
            tracing::warn!(left, "Cutting {left} connections that did not end within {:?}", self.shutdown);
            self.kill.cancel();
            self.connections.wait().await;
        }
        Ok(())
    }
}
