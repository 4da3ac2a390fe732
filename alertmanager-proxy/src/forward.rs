//! Delivering alerts to the Alertmanagers.
//!
//! Alerts are not gossiped, so each Alertmanager gets every alert, from a sender of its own: one that is down or slow never
//! delays another. What waits is keyed by alert, the newest post wins, and what has become meaningless is not delivered.
//! A batch that fails is tried again with growing waits; one that is refused is halved until the bad alert stands alone, which
//! is tried once more as it was posted.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::Client;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alert::Outgoing;
use crate::events::{Events, Loss};
use crate::setup::Shared;

mod peer;
mod pending;
mod post;

pub use peer::Peer;

/// One sender for each configured Alertmanager.
#[derive(Debug)]
pub struct Forwarder {
    setup: Shared,
    peers: ArcSwap<Vec<Arc<Peer>>>,
    client: Client,
    events: Arc<Events>,
    tracker: TaskTracker,
    /// Cancelled when senders shall end once they have nothing left.
    stop: CancellationToken,
    /// Cancelled when they shall end at once.
    abandon: CancellationToken,
}

// === impl Forwarder ===

impl Forwarder {
    /// Starts a sender for each Alertmanager of the configuration; needs a runtime.
    pub fn start(setup: Shared, client: Client, events: Arc<Events>) -> Arc<Self> {
        let forwarder = Self {
            setup,
            peers: ArcSwap::default(),
            client,
            events,
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        };
        forwarder.reconcile();
        Arc::new(forwarder)
    }

    /// Starts senders for Alertmanagers that are new in the configuration and ends those of the ones that left it, once
    /// they have delivered what they have.
    pub fn reconcile(&self) {
        let setup = self.setup.load();
        let (old, wanted) = (self.peers.load_full(), &setup.config.alertmanagers);
        let peers = wanted.iter().map(|url| {
            let known = old.iter().find(|peer| peer.url() == url);
            known.cloned().unwrap_or_else(|| {
                let peer = Arc::new(Peer::new(url.clone(), self.stop.child_token(), self.abandon.child_token()));
                self.events.known(peer.name());
                let (setup, client, events) = (self.setup.clone(), self.client.clone(), self.events.clone());
                self.tracker.spawn(peer::run(Arc::clone(&peer), peer::Parts { setup, client, events }));
                peer
            })
        });
        self.peers.store(Arc::new(peers.collect()));
        for left in old.iter().filter(|peer| !wanted.contains(peer.url())) {
            left.retire();
        }
    }

    /// Gives the alert to every sender. Does not wait.
    pub fn send(&self, alert: Outgoing) {
        let alert = Arc::new(alert);
        let room = self.setup.load().config.limits.pending_alerts;
        for peer in self.peers.load().iter() {
            if peer.push(Arc::clone(&alert), room) {
                self.events.dropped(Loss::PendingFull, peer.name(), 1, "too many alerts wait for this Alertmanager");
            }
        }
    }

    /// For how long no Alertmanager at all could be reached; zero while one can.
    pub fn unreachable_for(&self) -> Duration {
        self.peers.load().iter().map(|peer| peer.down_for()).min().unwrap_or_default()
    }

    /// The Alertmanagers in configured order, those that are known to be down last.
    pub fn by_reachability(&self) -> Vec<Arc<Peer>> {
        let mut peers = Vec::clone(&self.peers.load_full());
        peers.sort_by_key(|peer| !peer.down_for().is_zero());
        peers
    }

    /// Delivers what is pending, until `deadline` at most. What is left then is counted as lost.
    pub async fn drain(&self, deadline: Instant) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout_at(deadline, self.tracker.wait()).await.is_err() {
            self.abandon.cancel();
            self.tracker.wait().await;
        }
        for peer in self.peers.load().iter() {
            let left = peer.len();
            if left > 0 {
                self.events.dropped(Loss::Shutdown, peer.name(), left, "not delivered when the program had to stop");
            }
        }
    }
}
