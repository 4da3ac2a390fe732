//! How long a sender waits before it tries again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::peer::Peer;

/// Waits between tries: Prometheus resends each minute, so a wait must stay well below that.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// The waits between tries.
pub(super) struct Waits {
    growing: ExponentialBackoff,
    /// Whether a stop has cut one short.
    stopping: bool,
}

// === impl Waits ===

impl Waits {
    pub(super) fn new(stopping: bool) -> Self {
        let growing = ExponentialBuilder::new()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .with_jitter()
            .without_max_times()
            .build();
        Self { growing, stopping }
    }

    /// From the shortest on again.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.stopping)
    }

    /// Waits before the next try. A stop leaves less time than the longest wait, so it cuts one short and starts anew with
    /// the shortest.
    pub(super) async fn next(&mut self, peer: &Peer) {
        let wait = self.growing.next().unwrap_or(LONGEST_WAIT);
        // What is listed again may have to stop another time.
        self.stopping &= peer.life.is_ending();
        tokio::select! {
            () = peer.life.over() => {}
            () = peer.life.ending(), if !self.stopping => *self = Self::new(true),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::forward::peer::tests::{peer, peer_with};

    #[tokio::test]
    async fn a_stop_cuts_one_wait_short() {
        let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
        let (peer, mut waits) = (peer_with(stop.clone(), abandon.clone()), Waits::new(false));
        assert!(waits.next(&peer).now_or_never().is_none());
        stop.cancel();
        assert!(waits.next(&peer).now_or_never().is_some());
        assert!(waits.next(&peer).now_or_never().is_none(), "the one after it is waited");
        abandon.cancel();
        assert!(waits.next(&peer).now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_is_retired_twice_has_a_wait_cut_short_each_time() {
        let (peer, mut waits) = (peer(), Waits::new(false));
        for _ in 0..2 {
            peer.life.retire(Duration::from_secs(60));
            assert!(waits.next(&peer).now_or_never().is_some());
            assert!(peer.life.revive());
            assert!(waits.next(&peer).now_or_never().is_none());
        }
    }
}
