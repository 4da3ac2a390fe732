//! One Alertmanager, and what waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::life::Life;
use super::pending::Pending;
use crate::alert::{Fingerprint, Outgoing};
use crate::events::{Events, Loss};
use crate::setup::Way;

/// An Alertmanager.
#[derive(Debug)]
pub struct Peer {
    url: Url,
    name: String,
    way: ArcSwap<Way>,
    pub(super) pending: Pending,
    pub(super) life: Life,
    down_since: Mutex<Option<Instant>>,
}

/// The URL of `path`, which begins with a slash, below a base URL.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

// === impl Peer ===

impl Peer {
    pub(super) fn new(url: Url, way: Way, stop: CancellationToken, abandon: CancellationToken) -> Self {
        let name = url.as_str().trim_end_matches('/').to_owned();
        let (way, life) = (ArcSwap::from_pointee(way), Life::new(stop, abandon));
        Self { url, name, way, pending: Pending::default(), life, down_since: Mutex::default() }
    }

    /// Its base URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its base URL as metrics and logs name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is asked.
    pub fn way(&self) -> Arc<Way> {
        self.way.load_full()
    }

    /// From now on it is asked that way.
    pub(super) fn set_way(&self, way: Way) {
        self.way.store(Arc::new(way));
    }

    /// The URL of `path`, which begins with a slash, below the base URL.
    pub fn at(&self, path: &str) -> Url {
        below(&self.url, path)
    }

    /// Notes whether it could be reached.
    pub fn set_down(&self, down: bool) {
        let mut since = self.down_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = down.then(|| since.unwrap_or_else(Instant::now));
    }

    /// For how long it could not be reached; zero while it can.
    pub fn down_for(&self) -> Duration {
        let since = self.down_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed().max(Duration::from_nanos(1))).unwrap_or_default()
    }

    pub(super) fn push(&self, alert: Arc<Outgoing>, room: usize) -> bool {
        self.pending.push(alert, room)
    }

    /// Whether alerts would be lost to it if these came too. Those that are on their way come back while it is down.
    pub(super) fn overflows(&self, more: &[Fingerprint], room: usize) -> bool {
        self.pending.overflows(more, !self.down_for().is_zero(), room)
    }

    /// How many alerts wait for it.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For how long the oldest alert has waited for it, also while it is being delivered; zero where none waits.
    pub fn oldest(&self) -> Duration {
        self.pending.oldest().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Ends its sender, unless it has been listed again: false then. What is left when it is no longer listed is lost.
    pub(super) fn end(&self, events: &Events) -> bool {
        self.life.end(|leaves| {
            let left = self.len();
            if left > 0 && leaves {
                let detail = "not delivered when this Alertmanager was no longer listed";
                events.dropped(Loss::Removed, &self.name, left, detail);
            }
            if left == 0 || leaves {
                events.forgotten(&self.name);
            }
        })
    }

    /// The next batch. Where there is none after all, nothing proves any more that it is down.
    pub(super) fn take(&self, events: &Events) -> Vec<Arc<Outgoing>> {
        let (batch, stale) = self.pending.take(Timestamp::now());
        self.dropped_stale(stale, events);
        if batch.is_empty() {
            self.set_down(false);
        }
        batch
    }

    /// Those of a batch that still say what was posted.
    pub(super) fn fresh(&self, mut batch: Vec<Arc<Outgoing>>, events: &Events) -> Vec<Arc<Outgoing>> {
        let (before, now) = (batch.len(), Timestamp::now());
        batch.retain(|alert| alert.stale_at > now);
        self.dropped_stale(before - batch.len(), events);
        batch
    }

    fn dropped_stale(&self, count: usize, events: &Events) {
        if count > 0 {
            events.dropped(Loss::Stale, &self.name, count, "they waited until they no longer said what was posted");
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use prometheus_client::registry::Registry;
    use service::http::{ClientOptions, upstream_client};

    use super::*;
    use crate::alert::tests::outgoing;

    pub(in super::super) fn peer() -> Peer {
        peer_with(CancellationToken::new(), CancellationToken::new())
    }

    pub(in super::super) fn peer_with(stop: CancellationToken, abandon: CancellationToken) -> Peer {
        let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
        let way = Way { client, has_credentials: false };
        Peer::new("http://am:9093".parse().unwrap(), way, stop, abandon)
    }

    #[test]
    fn an_alertmanager_that_nothing_waits_for_is_not_known_to_be_down() {
        let (peer, events) = (peer(), Events::new(&mut Registry::default()));
        let alert = |name: &str, stale_at| Arc::new(outgoing(name, "{}", stale_at));
        peer.set_down(true);
        peer.push(alert("old", Timestamp::UNIX_EPOCH), 9);
        peer.push(alert("new", Timestamp::MAX), 9);
        assert_eq!(peer.take(&events).len(), 1);
        assert!(!peer.down_for().is_zero());
        peer.push(alert("old", Timestamp::UNIX_EPOCH), 9);
        assert_eq!(peer.take(&events).len(), 0);
        assert!(peer.down_for().is_zero());
    }
}
