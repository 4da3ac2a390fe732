//! What the operator, or the service manager, asks for.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are handled; all others keep their default action.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user2: Signal,
}

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// TERM and INT, by name.
    Stop(&'static str),
    /// HUP.
    Reload,
    /// USR2: the log has been moved away.
    Reopen,
}

// === impl Signals ===

impl Signals {
    /// Starts to listen. Must be called within a tokio runtime.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    /// The next request; may be dropped and called again without losing one.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop("TERM"),
            _ = self.interrupt.recv() => Request::Stop("INT"),
            _ = self.hangup.recv() => Request::Reload,
            _ = self.user2.recv() => Request::Reopen,
        }
    }
}
