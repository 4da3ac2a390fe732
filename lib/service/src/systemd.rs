//! What is said to systemd, when it started us: ready, reloading, stopping, alive.
//!
//! A message is one datagram to a local socket that systemd empties; sending it does not block for a time that matters.
//! Without `NOTIFY_SOCKET` in the environment nothing is sent.

use sd_notify::NotifyState;

/// The program serves.
pub(crate) fn ready() {
    send(&[NotifyState::Ready]);
}

/// The configuration is being reloaded; [`ready`] ends it, whatever came of it.
pub(crate) fn reloading() {
    // The time stamp is what `Type=notify-reload` demands (sd_notify(3)).
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "Could not read the monotonic clock for systemd"),
    }
}

/// The program stops.
pub(crate) fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Says for ever that the program is alive, where the unit sets `WatchdogSec` and as long as `alive` agrees. It runs as
/// a task of the runtime that serves, so that a runtime which hangs is silent.
pub(crate) async fn watchdog(alive: impl Fn() -> Result<(), String>) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    // Half the limit, as sd_watchdog_enabled(3) recommends.
    let mut ticks = tokio::time::interval(limit / 2);
    loop {
        ticks.tick().await;
        match alive() {
            Ok(()) => send(&[NotifyState::Watchdog]),
            // The journal shows it before systemd's own word that the watchdog timed out.
            Err(reason) => tracing::error!(reason, "Not feeding the watchdog: {reason}"),
        }
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, ?states, "Could not notify systemd");
    }
}
