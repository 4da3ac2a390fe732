//! What ends a program that runs a stack, so that what it started ends with it.

use futures_util::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, `kill`, and the terminal being closed, from when it is made.
#[derive(Debug)]
pub struct Signals(Vec<Signal>);

impl Signals {
    /// Takes them from now on.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn listen() -> anyhow::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        Ok(Self(kinds.into_iter().map(signal).collect::<Result<_, _>>()?))
    }

    /// Waits for any of them.
    pub async fn any(&mut self) {
        let each = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        select_all(each).await;
    }
}
