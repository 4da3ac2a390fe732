//! What the service manager is told, where there is one (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::events;
use crate::logger::Status;
use crate::notice::Sink;

/// The way to the service manager. Without one nothing is told.
#[derive(Clone)]
pub(super) struct Manager {
    sink: Arc<dyn Sink>,
    log: watch::Receiver<Status>,
}

// === impl Manager ===

impl Manager {
    /// Failures to tell are told `sink`; how the `log` stands is the unit's status.
    pub(super) fn new(sink: Arc<dyn Sink>, log: watch::Receiver<Status>) -> Self {
        Self { sink, log }
    }

    pub(super) fn ready(&self) {
        let status = self.log.borrow().to_string();
        self.tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    /// Tells how the log stands whenever that changes.
    pub(super) async fn follow_log(mut self) {
        while self.log.changed().await.is_ok() {
            let status = self.log.borrow_and_update().to_string();
            self.tell(&[NotifyState::Status(&status)]);
        }
    }

    /// A reload begins; [`Self::ready`] ends it.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => self.sink.notice(&events::manager_not_told(&error)),
        }
    }

    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// Feeds the watchdog, where the unit sets one.
    pub(super) async fn watchdog(self, heartbeat: watch::Receiver<()>, stop: CancellationToken) {
        if let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) {
            feed(limit, heartbeat, stop, || self.feed_once()).await;
        }
    }

    /// Without the thread that writes the log a runner is of no use.
    fn feed_once(&self) {
        if self.log.has_changed().is_ok() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            self.sink.notice(&events::manager_not_told(&error));
        }
    }
}

/// Feeds as long as `heartbeat` goes on; after `stop` unconditionally, since a stop has limits of its own.
async fn feed(limit: Duration, mut heartbeat: watch::Receiver<()>, stop: CancellationToken, mut ping: impl FnMut()) {
    loop {
        tokio::select! {
            Ok(()) = heartbeat.changed() => (),
            () = stop.cancelled() => (),
        }
        ping();
        // With the second that a heartbeat may take it stays below half a limit of 4 s and more, as
        // sd_watchdog_enabled(3) recommends.
        tokio::time::sleep(limit / 4).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn without_a_heartbeat_nothing_is_fed_until_the_stop() {
        let (beat, heartbeat) = watch::channel(());
        let stop = CancellationToken::new();
        let pings = Arc::new(AtomicU32::new(0));
        let (counted, limit) = (Arc::clone(&pings), Duration::from_millis(1));
        let feeding = tokio::spawn(feed(limit, heartbeat, stop.clone(), move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        let count = || pings.load(Ordering::Relaxed);
        for beats in 1..=3 {
            beat.send_replace(());
            while count() < beats {
                tokio::task::yield_now().await;
            }
        }
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(count(), 3, "the scheduler is stuck");
        stop.cancel();
        while count() < 10 {
            tokio::task::yield_now().await;
        }
        feeding.abort();
    }
}
