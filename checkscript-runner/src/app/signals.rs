//! What the operator, or the service manager, asks for.

use std::io;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are handled; all others keep their default action.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user2: Signal,
    trap: Signal,
    /// Its default action would be the end where the log reaches the limit of a file's size; a handler turns it into
    /// an error of the write.
    _file_size: Signal,
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
    /// TRAP.
    ToggleDebug,
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
            trap: signal(SignalKind::from_raw(Number::SIGTRAP as i32))?,
            _file_size: signal(SignalKind::from_raw(Number::SIGXFSZ as i32))?,
        })
    }

    /// The next request; may be dropped and called again without losing one.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop("TERM"),
            _ = self.interrupt.recv() => Request::Stop("INT"),
            _ = self.hangup.recv() => Request::Reload,
            _ = self.user2.recv() => Request::Reopen,
            _ = self.trap.recv() => Request::ToggleDebug,
        }
    }
}
