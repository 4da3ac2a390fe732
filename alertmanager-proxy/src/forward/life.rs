//! How long the sender of an Alertmanager goes on.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// What ends a sender: the program's stop, or that its Alertmanager is no longer listed.
#[derive(Debug)]
pub(super) struct Life {
    listed: watch::Sender<Listed>,
    /// Cancelled when it shall end once nothing is left.
    stop: CancellationToken,
    /// Cancelled when it shall end at once.
    abandon: CancellationToken,
}

/// Whether the Alertmanager is among those that alerts go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    Yes,
    /// No more: the sender ends once nothing is left, and at that time at the latest.
    Until(Instant),
    /// No more, and the sender has ended.
    Ended,
}

// === impl Life ===

impl Life {
    pub(super) fn new(stop: CancellationToken, abandon: CancellationToken) -> Self {
        Self { listed: watch::Sender::new(Listed::Yes), stop, abandon }
    }

    /// No longer listed: lets the sender end once nothing is left, and at the latest after `limit`.
    pub(super) fn retire(&self, limit: Duration) {
        self.listed.send_replace(Listed::Until(Instant::now() + limit));
    }

    /// Listed again: lets the sender go on after all; false where it has ended.
    pub(super) fn revive(&self) -> bool {
        self.listed.send_if_modified(|listed| {
            let leaves = matches!(listed, Listed::Until(_));
            if leaves {
                *listed = Listed::Yes;
            }
            leaves
        });
        !self.has_ended()
    }

    /// Whether the sender has ended because the Alertmanager is no longer listed.
    pub(super) fn has_ended(&self) -> bool {
        *self.listed.borrow() == Listed::Ended
    }

    /// Whether the sender shall end once nothing is left.
    pub(super) fn is_ending(&self) -> bool {
        self.stop.is_cancelled() || *self.listed.borrow() != Listed::Yes
    }

    /// Waits until it shall.
    pub(super) async fn ending(&self) {
        let mut listed = self.listed.subscribe();
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = listed.wait_for(|listed| *listed != Listed::Yes) => {}
        }
    }

    /// Waits until the sender shall end at once.
    pub(super) async fn over(&self) {
        let mut listed = self.listed.subscribe();
        loop {
            let until = match *listed.borrow_and_update() {
                Listed::Yes => None,
                Listed::Until(time) => Some(time),
                Listed::Ended => return,
            };
            tokio::select! {
                () = self.abandon.cancelled() => return,
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => return,
                _ = listed.changed() => {}
            }
        }
    }

    /// Ends the sender, unless the Alertmanager has been listed again: false then. `last` is told whether it is no longer
    /// listed, and done before another sender to the same Alertmanager can begin.
    pub(super) fn end(&self, last: impl FnOnce(bool)) -> bool {
        let mut ends = false;
        self.listed.send_if_modified(|listed| {
            let leaves = *listed != Listed::Yes;
            ends = leaves || self.stop.is_cancelled();
            if ends {
                last(leaves);
            }
            if leaves {
                *listed = Listed::Ended;
            }
            leaves
        });
        ends
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_listed_again_goes_on_and_what_has_ended_does_not() {
        let life = Life::new(CancellationToken::new(), CancellationToken::new());
        let never = |_| panic!("it does not end");
        life.retire(Duration::from_secs(60));
        assert!(life.ending().now_or_never().is_some() && life.over().now_or_never().is_none());
        assert!(life.revive() && !life.is_ending());
        life.retire(Duration::ZERO);
        life.over().await;
        assert!(life.revive(), "it has not ended yet");
        assert!(life.ending().now_or_never().is_none() && life.over().now_or_never().is_none());
        assert!(!life.end(never));
        life.retire(Duration::ZERO);
        life.over().await;
        assert!(life.end(|leaves| assert!(leaves)) && life.has_ended() && !life.revive());
    }

    #[tokio::test]
    async fn a_stop_ends_what_is_listed() {
        let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
        let life = Life::new(stop.clone(), abandon.clone());
        stop.cancel();
        assert!(life.is_ending() && life.ending().now_or_never().is_some() && life.over().now_or_never().is_none());
        abandon.cancel();
        assert!(life.over().now_or_never().is_some());
        assert!(life.end(|leaves| assert!(!leaves)) && !life.has_ended());
    }
}
