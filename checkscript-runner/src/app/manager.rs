//! What the service manager is told, where there is one (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::events;
use crate::notice::Sink;

/// The way to the service manager. Without one nothing is told.
#[derive(Clone)]
pub(super) struct Manager(Arc<dyn Sink>);

// === impl Manager ===

impl Manager {
    /// Failures to tell are told `sink`.
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self(sink)
    }

    pub(super) fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// A reload begins; [`Self::ready`] ends it.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => self.0.notice(&events::manager_not_told(&error)),
        }
    }

    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// Keeps the watchdog quiet as long as `heartbeat` goes on; after `stop` unconditionally, since a stop has limits of
    /// its own.
    pub(super) async fn watchdog(self, mut heartbeat: watch::Receiver<()>, stop: CancellationToken) {
        let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else { return };
        loop {
            tokio::select! {
                Ok(()) = heartbeat.changed() => (),
                () = stop.cancelled() => (),
                else => return,
            }
            self.tell(&[NotifyState::Watchdog]);
            tokio::time::sleep(pause(limit)).await;
        }
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            self.0.notice(&events::manager_not_told(&error));
        }
    }
}

/// Half the limit, as sd_watchdog_enabled(3) recommends, together with the wait for the next heartbeat.
fn pause(limit: Duration) -> Duration {
    (limit / 2).saturating_sub(Duration::from_secs(1))
}
