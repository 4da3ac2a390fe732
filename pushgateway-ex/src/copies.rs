//! The copies of the file, which are what to go back to when it is damaged.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::groups::Groups;
use crate::keeper::Keeper;
use crate::store;

/// How soon after a start the first copy is made, and the shortest time between two.
const SOON: Duration = Duration::from_secs(1);

/// Makes copies now and then.
#[derive(Debug)]
pub(crate) struct Copies {
    file: PathBuf,
    interval: Duration,
    last: Gauge<f64, AtomicU64>,
    failures: Counter,
}

impl Copies {
    /// Copies of `file`, at most one each `interval`.
    pub(crate) fn new(file: &Path, interval: Duration, registry: &mut Registry) -> Self {
        let (last, failures) = (Gauge::default(), Counter::default());
        registry.register(
            "pushgateway_store_copy_timestamp_seconds",
            "Unix time of the last copy of the store since the start, 0 before the first",
            Gauge::clone(&last),
        );
        registry.register(
            "pushgateway_store_copy_failures",
            "Copies of the store that could not be made",
            Counter::clone(&failures),
        );
        Self { file: file.to_owned(), interval: interval.max(SOON), last, failures }
    }

    /// Makes a copy of what was there at the start, or came first, and then one each interval in which something was changed.
    pub(crate) async fn make(self, keeper: Keeper) {
        let (mut copied, mut wait) = (None, SOON);
        loop {
            tokio::time::sleep(wait).await;
            let groups = keeper.groups();
            let is_known =
                copied.as_ref().map_or(groups.is_empty(), |copied| Weak::as_ptr(copied) == Arc::as_ptr(&groups));
            if is_known {
                continue;
            }
            if self.copy(Arc::clone(&groups)).await {
                // To know them again; all that they hold would be a second generation in memory.
                copied = Some(Arc::downgrade(&groups));
            }
            wait = self.interval;
        }
    }

    async fn copy(&self, groups: Arc<Groups>) -> bool {
        let (file, at) = (self.file.clone(), Timestamp::now());
        let made = tokio::task::spawn_blocking(move || store::copy(&file, groups.iter().map(|group| &**group))).await;
        let error = match made {
            Ok(Ok(())) => {
                self.last.set(at.as_millisecond() as f64 / 1e3);
                tracing::debug!("Copied the storage {}", self.file.display());
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.failures.inc();
        tracing::error!(error, "Could not copy the storage {}: {error}", self.file.display());
        false
    }
}
