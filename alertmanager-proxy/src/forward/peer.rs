//! One Alertmanager and its sender.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;
use reqwest::Client;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::pending::Pending;
use super::post::{PostError, post};
use crate::alert::Outgoing;
use crate::events::{Events, Loss};
use crate::setup::Shared;

/// Waits between tries: Prometheus resends each minute, so a wait must stay well below that.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// An Alertmanager.
#[derive(Debug)]
pub struct Peer {
    url: Url,
    name: String,
    pending: Pending,
    down_since: Mutex<Option<Instant>>,
    stop: CancellationToken,
    abandon: CancellationToken,
}

/// What a sender needs beside its Alertmanager.
pub(super) struct Parts {
    pub(super) setup: Shared,
    pub(super) client: Client,
    pub(super) events: Arc<Events>,
}

/// The sender: delivers what is pending until it is told to stop and nothing is left.
pub(super) async fn run(peer: Arc<Peer>, parts: Parts) {
    let target = peer.at("/api/v2/alerts");
    let mut waits = waits();
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
            Ok(()) => waits = self::waits(),
            Err((rest, error)) => {
                peer.pending.put_back(rest);
                peer.set_down(true);
                parts.events.retried(&peer.name, &error);
                let wait = waits.next().unwrap_or(LONGEST_WAIT);
                let _ = peer.abandon.run_until_cancelled(tokio::time::sleep(wait)).await;
            }
        }
        parts.events.pending(&peer.name, peer.len());
    }
    if peer.len() == 0 {
        parts.events.forgotten(&peer.name);
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_jitter()
        .without_max_times()
        .build()
}

// === impl Peer ===

impl Peer {
    pub(super) fn new(url: Url, stop: CancellationToken, abandon: CancellationToken) -> Self {
        let name = url.as_str().trim_end_matches('/').to_owned();
        Self { url, name, pending: Pending::default(), down_since: Mutex::default(), stop, abandon }
    }

    /// Its base URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its base URL as metrics and logs name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of `path`, which begins with a slash, below the base URL.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
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

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Lets the sender end once nothing is left.
    pub(super) fn retire(&self) {
        self.stop.cancel();
    }

    fn take(&self, events: &Events) -> Vec<Arc<Outgoing>> {
        let (batch, stale) = self.pending.take(Timestamp::now());
        if stale > 0 {
            events.dropped(Loss::Stale, &self.name, stale, "they waited until they no longer said what was posted");
        }
        batch
    }

    /// Delivers `batch`; what could not be delivered comes back with the reason. Alertmanager has kept the good alerts of a
    /// batch that it refuses with 400, but of one that it refuses with 422 none, so both halves are posted again.
    async fn deliver(
        &self,
        batch: Vec<Arc<Outgoing>>,
        target: &Url,
        parts: &Parts,
    ) -> Result<(), (Vec<Arc<Outgoing>>, String)> {
        let timeout = parts.setup.load().config.forward.timeout;
        let mut work = vec![batch];
        while let Some(mut batch) = work.pop().filter(|batch| !batch.is_empty()) {
            match post(&parts.client, target, &batch, timeout).await {
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
                    parts.events.dropped(Loss::Rejected, &self.name, 1, &refused.to_string());
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
