//! One Alertmanager and its sender.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::pending::Pending;
use super::post::{PostError, post};
use crate::alert::{Fingerprint, Outgoing};
use crate::events::{Events, Loss};
use crate::setup::{Shared, Way};

/// Waits between tries: Prometheus resends each minute, so a wait must stay well below that.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// An Alertmanager.
#[derive(Debug)]
pub struct Peer {
    url: Url,
    name: String,
    way: ArcSwap<Way>,
    pending: Pending,
    down_since: Mutex<Option<Instant>>,
    /// Whether it is none of ours any more.
    retired: AtomicBool,
    stop: CancellationToken,
    abandon: CancellationToken,
}

/// What a sender needs beside its Alertmanager.
pub(super) struct Parts {
    pub(super) setup: Shared,
    pub(super) events: Arc<Events>,
}

/// The URL of `path`, which begins with a slash, below a base URL.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// The sender: delivers what is pending until it is told to stop and nothing is left.
pub(super) async fn run(peer: Arc<Peer>, parts: Parts) {
    let target = peer.at("/api/v2/alerts");
    let mut waits = Waits::new(false);
    loop {
        tokio::select! {
            biased;
            () = peer.abandon.cancelled() => break,
            () = peer.pending.filled() => {}
            () = peer.stop.cancelled() => break,
        }
        let batch = peer.take(&parts.events);
        let delivered = match peer.abandon.run_until_cancelled(peer.deliver(batch.clone(), &target, &parts)).await {
            Some(delivered) => delivered,
            None => Err((batch, "the program stops".to_owned())),
        };
        match delivered {
            Ok(()) => {
                peer.pending.delivered();
                waits = Waits::new(waits.stopping);
            }
            Err((rest, error)) => {
                peer.pending.put_back(rest);
                peer.set_down(true);
                parts.events.retried(&peer.name, &error);
                waits.next(&peer).await;
            }
        }
    }
    let (left, retired) = (peer.len(), peer.retired.load(Ordering::Relaxed));
    if left > 0 && retired {
        parts.events.dropped(
            Loss::Removed,
            &peer.name,
            left,
            "not delivered when this Alertmanager was no longer listed",
        );
    }
    if left == 0 || retired {
        parts.events.forgotten(&peer.name);
    }
}

/// The waits between tries.
struct Waits {
    growing: ExponentialBackoff,
    /// Whether a stop has cut one short.
    stopping: bool,
}

// === impl Waits ===

impl Waits {
    fn new(stopping: bool) -> Self {
        let growing = ExponentialBuilder::new()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .with_jitter()
            .without_max_times()
            .build();
        Self { growing, stopping }
    }

    /// Waits before the next try. A stop leaves less time than the longest wait, so it cuts one short and starts anew with
    /// the shortest.
    async fn next(&mut self, peer: &Peer) {
        let wait = self.growing.next().unwrap_or(LONGEST_WAIT);
        tokio::select! {
            () = peer.abandon.cancelled() => {}
            () = peer.stop.cancelled(), if !self.stopping => *self = Self::new(true),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

// === impl Peer ===

impl Peer {
    pub(super) fn new(url: Url, way: Way, stop: CancellationToken, abandon: CancellationToken) -> Self {
        let name = url.as_str().trim_end_matches('/').to_owned();
        let (way, retired) = (ArcSwap::from_pointee(way), AtomicBool::new(false));
        Self { url, name, way, pending: Pending::default(), down_since: Mutex::default(), retired, stop, abandon }
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

    /// Lets the sender end once nothing is left, and at the latest after `limit`.
    pub(super) fn retire(self: &Arc<Self>, limit: Duration) {
        self.retired.store(true, Ordering::Relaxed);
        self.stop.cancel();
        let peer = Arc::clone(self);
        tokio::spawn(async move {
            let ended = peer.abandon.cancelled();
            if tokio::time::timeout(limit, ended).await.is_err() {
                peer.abandon.cancel();
            }
        });
    }

    /// The next batch. Where there is none after all, nothing proves any more that it is down.
    fn take(&self, events: &Events) -> Vec<Arc<Outgoing>> {
        let (batch, stale) = self.pending.take(Timestamp::now());
        if stale > 0 {
            events.dropped(Loss::Stale, &self.name, stale, "they waited until they no longer said what was posted");
        }
        if batch.is_empty() {
            self.set_down(false);
        }
        batch
    }

    /// Delivers `batch`; what could not be delivered comes back with the reason. Alertmanager has kept the good alerts of a
    /// batch that it refuses with 400, but of one that it refuses with 422 none, so both halves are posted again. What is
    /// refused alone is posted as it came: what the proxy added shall not cost the alert.
    async fn deliver(
        &self,
        batch: Vec<Arc<Outgoing>>,
        target: &Url,
        parts: &Parts,
    ) -> Result<(), (Vec<Arc<Outgoing>>, String)> {
        let timeout = parts.setup.load().config.forward.timeout;
        let mut work = vec![batch];
        while let Some(mut batch) = work.pop().filter(|batch| !batch.is_empty()) {
            match post(&self.way().client, target, &batch, timeout).await {
                Ok(()) => {
                    self.set_down(false);
                    parts.events.forwarded(&self.name, batch.len());
                }
                Err(PostError::Refused { .. }) if batch.len() > 1 => {
                    let half = batch.split_off(batch.len() / 2);
                    work.extend([half, batch]);
                }
                Err(refused @ PostError::Refused { .. }) => {
                    self.set_down(false);
                    match batch[0].bare() {
                        Some(bare) => {
                            parts.events.stripped(&self.name, &refused.to_string());
                            work.push(vec![Arc::new(bare)]);
                        }
                        None => parts.events.dropped(Loss::Rejected, &self.name, 1, &refused.to_string()),
                    }
                }
                Err(PostError::Failed(error)) => {
                    let rest = std::iter::once(batch).chain(work.into_iter().rev());
                    return Err((rest.flatten().collect(), error));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use prometheus_client::registry::Registry;
    use service::http::{ClientOptions, upstream_client};

    use super::*;
    use crate::alert::tests::outgoing;

    fn peer() -> Peer {
        let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
        let way = Way { client, has_credentials: false };
        Peer::new("http://am:9093".parse().unwrap(), way, CancellationToken::new(), CancellationToken::new())
    }

    #[tokio::test]
    async fn a_stop_cuts_one_wait_short() {
        let (peer, mut waits) = (peer(), Waits::new(false));
        assert!(waits.next(&peer).now_or_never().is_none());
        peer.stop.cancel();
        assert!(waits.next(&peer).now_or_never().is_some());
        assert!(waits.next(&peer).now_or_never().is_none(), "the one after it is waited");
        peer.abandon.cancel();
        assert!(waits.next(&peer).now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_a_removed_alertmanager_does_not_take_in_time_is_counted() {
        let mut registry = Registry::default();
        let (peer, events) = (Arc::new(peer()), Arc::new(Events::new(&mut registry)));
        let config = crate::Config::parse("alertmanagers: [{url: \"http://127.0.0.1:1\"}]").unwrap();
        let options = ClientOptions::new(service::build_info!());
        let setup = crate::setup::Setup::new(config, &options, Arc::clone(&events)).unwrap();
        peer.push(Arc::new(outgoing("a", "{}", Timestamp::MAX)), 9);
        peer.retire(Duration::from_millis(1));
        run(Arc::clone(&peer), Parts { setup: Arc::new(ArcSwap::from_pointee(setup)), events }).await;
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let series = "alerts_dropped_total{reason=\"removed\",alertmanager=\"http://am:9093\"} 1\n";
        assert!(text.contains(series), "{text}");
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
