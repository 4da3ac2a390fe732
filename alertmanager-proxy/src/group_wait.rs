//! Whether alerts are held for less than Alertmanager's `group_wait`.
//!
//! Alertmanager counts `group_wait` from when an alert began to fire and not from when it came: an alert that was held
//! as long is told the moment it arrives, alone, before the others of its group. So each Alertmanager is asked for its
//! configuration, at the start, after a reload, and now and then, for its own may change.
//!
//! What an Alertmanager answers is read as [`routes`] says; one that cannot be asked is asked again.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use service::http::{innermost, read_limited};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::events::Events;
use crate::forward::Forwarder;
use crate::setup::Shared;

mod routes;

pub use routes::ShortWait;

/// How often an Alertmanager is asked.
const PERIOD: Duration = Duration::from_secs(60);

/// For one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 << 20;

/// What is read of `/api/v2/status`.
#[derive(Deserialize)]
struct Status {
    config: Original,
}

#[derive(Deserialize)]
struct Original {
    original: String,
}

/// Watches the Alertmanagers of the configuration in force. Ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    again: Arc<Notify>,
    _end: DropGuard,
}

/// What the watching needs.
#[derive(Debug)]
pub struct Watched {
    /// The configuration in force.
    pub setup: Shared,
    /// Who knows the Alertmanagers.
    pub forwarder: Arc<Forwarder>,
    /// What is counted and logged.
    pub events: Arc<Events>,
}

/// The routes of an Alertmanager that do not wait longer than `hold`; `url` is its `/api/v2/status`.
///
/// # Errors
/// Why they are not known, in words.
pub async fn short_waits(client: &Client, url: Url, hold: Duration) -> Result<Vec<ShortWait>, String> {
    let answer = client.get(url).timeout(TIMEOUT).send().await.map_err(|error| innermost(&error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("it answered {status}"));
    }
    let body = read_limited(answer, LONGEST).await.map_err(|error| error.to_string())?;
    let status: Status =
        serde_json::from_slice(&body).map_err(|error| format!("its status is not Alertmanager's: {error}"))?;
    routes::short_waits(&status.config.original, hold).map_err(|error| format!("its configuration: {error}"))
}

// === impl Watch ===

impl Watch {
    /// Begins to watch; needs a runtime.
    pub fn start(watched: Watched) -> Self {
        let (again, end) = (Arc::new(Notify::new()), CancellationToken::new());
        let (asked, ended) = (Arc::clone(&again), end.clone());
        tokio::spawn(async move {
            ended.run_until_cancelled(watched.run(&asked)).await;
        });
        Self { again, _end: end.drop_guard() }
    }

    /// Asks them all at once: the configuration is another one.
    pub fn again(&self) {
        self.again.notify_one();
    }
}

// === impl Watched ===

impl Watched {
    async fn run(self, again: &Notify) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = again.notified() => {}
            }
            self.ask().await;
        }
    }

    async fn ask(&self) {
        let hold = self.setup.load().config.hold;
        for peer in self.forwarder.by_reachability() {
            let waits = short_waits(&peer.way().client, peer.at("/api/v2/status"), hold).await;
            self.events.group_waits(peer.name(), hold, waits.as_deref().map_err(String::as_str));
        }
    }
}
