//! Delivering alerts to the Alertmanagers.
//!
//! Alerts are not gossiped, so each Alertmanager gets every alert, from a sender of its own: one that is down or slow never
//! delays another. What waits is keyed by alert, the newest post wins, and what has become meaningless is not delivered.
//! A batch that fails is tried again with growing waits; one that is refused, or that fails again and again though it is
//! answered, is halved until the bad alert stands alone, which is tried once more as it was posted.
//!
//! Where all Alertmanagers are to be found in DNS and none has been yet, alerts wait for the first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::alert::{Fingerprint, Outgoing};
use crate::config::{Lookup, Targets};
use crate::events::{Events, Loss};
use crate::setup::{Setup, Shared, Way};

mod life;
mod peer;
mod pending;
mod post;
mod sender;
mod waits;

pub use peer::{Peer, below};
use pending::Pending;

/// How long the sender of an Alertmanager that is no longer listed may still deliver.
const RETIREMENT: Duration = Duration::from_secs(60);

/// The name of no Alertmanager, in metrics.
const NONE: &str = "none";

/// What DNS gave last: hosts and ports for each name.
type Found = HashMap<Lookup, Vec<(String, u16)>>;

/// One sender for each Alertmanager.
#[derive(Debug)]
pub struct Forwarder {
    setup: Shared,
    peers: ArcSwap<Vec<Arc<Peer>>>,
    /// Locked while `peers` changes.
    found: Mutex<Found>,
    /// Those that are no longer listed and still deliver what they have.
    leaving: Mutex<Vec<Arc<Peer>>>,
    /// Alerts for the first Alertmanager to be found. Locked while alerts are given away: no older post may overtake.
    homeless: Mutex<Pending>,
    /// Since when no Alertmanager is known.
    alone: Mutex<Option<Instant>>,
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
    pub fn start(setup: Shared, events: Arc<Events>) -> Arc<Self> {
        let forwarder = Self {
            setup,
            peers: ArcSwap::default(),
            found: Mutex::default(),
            leaving: Mutex::default(),
            homeless: Mutex::default(),
            alone: Mutex::default(),
            events,
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        };
        forwarder.reconcile();
        Arc::new(forwarder)
    }

    /// Starts senders for Alertmanagers that are new in the configuration and ends those of the ones that left it, once
    /// they have delivered what they have. One that comes back before goes on: a second sender beside it could deliver newer
    /// posts first.
    pub fn reconcile(&self) {
        let mut found = self.found_before();
        let setup = self.setup.load();
        let lookups = setup.config.lookups();
        found.retain(|lookup, _| lookups.contains(&lookup));
        self.reconcile_with(&setup, &found);
    }

    /// The same for Alertmanagers that DNS gives now for `lookup`.
    pub fn found(&self, lookup: &Lookup, targets: Vec<(String, u16)>) {
        let mut found = self.found_before();
        let before = found.insert(lookup.clone(), targets);
        if before.as_ref() != found.get(lookup) {
            self.reconcile_with(&self.setup.load(), &found);
        }
    }

    fn reconcile_with(&self, setup: &Setup, found: &Found) {
        let (old, wanted) = (self.peers.load_full(), wanted(setup, found));
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |url: &Url| old.iter().chain(leaving.iter()).find(|peer| peer.url() == url && peer.life.revive());
        let peers: Vec<_> = wanted
            .into_iter()
            .map(|(url, way)| match known(&url) {
                Some(known) => {
                    known.set_way(way);
                    Arc::clone(known)
                }
                None => self.begin(url, way),
            })
            .collect();
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        *alone = peers.is_empty().then(|| alone.unwrap_or_else(Instant::now));
        drop(alone);
        let is_listed = |known: &Arc<Peer>| peers.iter().any(|peer| Arc::ptr_eq(peer, known));
        leaving.retain(|left| !left.life.has_ended() && !is_listed(left));
        for left in old.iter().filter(|old| !is_listed(old)) {
            left.life.retire(RETIREMENT);
            leaving.push(Arc::clone(left));
        }
        drop(leaving);
        self.peers.store(Arc::new(peers));
        self.house(&self.without_home());
    }

    /// Starts a sender.
    fn begin(&self, url: Url, way: Way) -> Arc<Peer> {
        let peer = Arc::new(Peer::new(url, way, self.stop.child_token(), self.abandon.child_token()));
        self.events.known(peer.name());
        let parts = sender::Parts { setup: self.setup.clone(), events: self.events.clone() };
        self.tracker.spawn(sender::run(Arc::clone(&peer), parts));
        peer
    }

    /// Gives the alert to every sender. Does not wait.
    pub fn send(&self, alert: Outgoing) {
        let homeless = self.without_home();
        let (alert, peers) = (Arc::new(alert), self.peers.load());
        if !peers.is_empty() {
            self.house(&homeless);
            self.give(&alert, &peers);
        } else if homeless.push(alert, self.room()) {
            self.events.dropped(Loss::PendingFull, NONE, 1, "too many alerts wait for an Alertmanager to be found");
        }
    }

    fn give(&self, alert: &Arc<Outgoing>, peers: &[Arc<Peer>]) {
        let room = self.room();
        for peer in peers {
            if peer.push(Arc::clone(alert), room) {
                self.events.dropped(Loss::PendingFull, peer.name(), 1, "too many alerts wait for this Alertmanager");
            }
        }
    }

    /// Gives the alerts that waited for an Alertmanager to those that there are now.
    fn house(&self, homeless: &Pending) {
        let peers = self.peers.load();
        while !peers.is_empty() && homeless.len() > 0 {
            let (batch, stale) = homeless.take(Timestamp::now());
            if stale > 0 {
                self.events.dropped(Loss::Stale, NONE, stale, "no Alertmanager was found in time");
            }
            batch.iter().for_each(|alert| self.give(alert, &peers));
            homeless.delivered();
        }
    }

    fn room(&self) -> usize {
        self.setup.load().config.limits.pending_alerts
    }

    /// Whether there is no room for these alerts in any queue that they go to, so that some would reach no Alertmanager. To lose
    /// them to one of several is counted alone: the others tell what it would have told.
    pub fn overflows(&self, alerts: &[Fingerprint]) -> bool {
        let (peers, room) = (self.peers.load(), self.room());
        let all = peers.iter().all(|peer| peer.overflows(alerts, room));
        all && (!peers.is_empty() || self.without_home().overflows(alerts, true, room))
    }

    /// For how long no Alertmanager at all could be reached; zero while one can.
    pub fn unreachable_for(&self) -> Duration {
        let alone = *self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let down = || self.peers.load().iter().map(|peer| peer.down_for()).min().unwrap_or_default();
        alone.map_or_else(down, |since| since.elapsed())
    }

    /// How many alerts wait for the first Alertmanager to be found, and for how long the oldest has; under the name that
    /// no Alertmanager has in metrics. None while none waits.
    pub fn homeless(&self) -> Option<(&'static str, usize, Duration)> {
        let homeless = self.without_home();
        Some((NONE, homeless.len(), homeless.oldest()?.elapsed()))
    }

    /// The Alertmanagers in configured order.
    pub fn peers(&self) -> Arc<Vec<Arc<Peer>>> {
        self.peers.load_full()
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
        let peers = self.peers.load();
        let queues = peers.iter().map(|peer| (peer.name(), peer.len())).chain([(NONE, self.without_home().len())]);
        for (name, left) in queues.filter(|(_, left)| *left > 0) {
            self.events.dropped(Loss::Shutdown, name, left, "not delivered when the program had to stop");
        }
    }

    fn without_home(&self) -> MutexGuard<'_, Pending> {
        self.homeless.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found_before(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The Alertmanagers that there are to be, each once.
fn wanted(setup: &Setup, found: &Found) -> Vec<(Url, Way)> {
    let mut wanted: Vec<(Url, Way)> = Vec::new();
    for (alertmanager, way) in setup.config.alertmanagers.iter().zip(&setup.ways) {
        let urls: Vec<_> = match &alertmanager.targets {
            Targets::Url(url) => vec![url.clone()],
            Targets::Dns { lookups, scheme, path_prefix } => {
                let targets = lookups.iter().filter_map(|lookup| found.get(lookup)).flatten();
                targets.filter_map(|(host, port)| Targets::url(scheme, host, *port, path_prefix)).collect()
            }
        };
        for url in urls {
            if wanted.iter().all(|(known, _)| *known != url) {
                wanted.push((url, way.clone()));
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use service::http::ClientOptions;

    use super::*;
    use crate::Config;
    use crate::alert::tests::{json, outgoing};

    #[tokio::test]
    async fn what_waited_for_an_alertmanager_takes_no_newer_posts_place() {
        let events = Arc::new(Events::new(&mut Registry::default()));
        let config = Config::parse("alertmanagers: [{dns_sd_configs: [{names: [am]}]}]").unwrap();
        let setup = Setup::new(config, &ClientOptions::new(service::build_info!()), Arc::clone(&events)).unwrap();
        let forwarder = Forwarder::start(Arc::new(ArcSwap::from_pointee(setup)), events);
        let post = |json| forwarder.send(outgoing("a", json, Timestamp::MAX));
        post("older");
        // One was found, and who found it has not come to give it what waits.
        let found = Arc::new(peer::tests::peer());
        forwarder.peers.store(Arc::new(vec![Arc::clone(&found)]));
        post("newer");
        forwarder.house(&forwarder.without_home());
        let (batch, _) = found.pending.take(Timestamp::UNIX_EPOCH);
        assert_eq!(batch.iter().map(|alert| json(alert)).collect::<Vec<_>>(), ["newer"]);
    }
}
