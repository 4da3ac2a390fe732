//! What is counted and logged of a store that several gateways share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::store::shared::{SharedError, Version};

/// Why everything was read from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Nothing was known yet.
    Start,
    /// More had changed than the store remembers.
    Behind,
    /// The store does not have what it had.
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Metrics and log lines. Clones count in the same place.
#[derive(Clone, Debug, Default)]
pub struct SharedEvents(Arc<Metrics>);

#[derive(Debug, Default)]
struct Metrics {
    up: Gauge,
    failures: Counter,
    conflicts: Counter,
    loads: Family<ReasonLabel, Counter>,
    unreadable: Gauge,
    /// Whether changes are refused, by the store or in the race for it, and it was said.
    refused: AtomicBool,
    /// Whether the store is away, and it was said.
    away: AtomicBool,
}

impl Load {
    const ALL: [Self; 3] = [Self::Start, Self::Behind, Self::Lost];

    fn label(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Behind => "behind",
            Self::Lost => "lost",
        }
    }
}

// === impl SharedEvents ===

impl SharedEvents {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        registry.register(
            "pushgateway_store_up",
            "Whether the shared store answered when it was last asked",
            metrics.up.clone(),
        );
        registry.register(
            "pushgateway_store_failures",
            "Times that the shared store was asked in vain",
            metrics.failures.clone(),
        );
        registry.register(
            "pushgateway_store_conflicts",
            "Changes that were checked again, since another replica had changed the shared store",
            metrics.conflicts.clone(),
        );
        registry.register(
            "pushgateway_store_loads",
            "Times that everything was read from the shared store, by reason",
            metrics.loads.clone(),
        );
        registry.register(
            "pushgateway_store_unreadable_groups",
            "Groups of the shared store that this version cannot read",
            metrics.unreadable.clone(),
        );
        for load in Load::ALL {
            let _ = metrics.loads.get_or_create(&ReasonLabel { reason: load.label() });
        }
        Self(Arc::new(metrics))
    }

    /// The store answered, and took what there was to take.
    pub fn synced(&self, wrote: bool) {
        self.0.up.set(1);
        if self.0.away.swap(false, Ordering::Relaxed) {
            tracing::info!("The shared store answers again");
        }
        if wrote && self.0.refused.swap(false, Ordering::Relaxed) {
            tracing::info!("The shared store takes changes again");
        }
    }

    /// It did not. The first time of a row is logged.
    pub fn failed(&self, error: &SharedError) {
        self.0.failures.inc();
        match error {
            SharedError::Away { .. } | SharedError::Doubt { .. } => {
                self.0.up.set(0);
                if !self.0.away.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        %error,
                        "Pushes and scrapes are answered with 503: {error} (said once; pushgateway_store_failures_total counts)"
                    );
                }
            }
            _ => {
                self.0.up.set(1);
                if !self.0.refused.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        %error,
                        "Pushes are refused: {error} (said once; pushgateway_store_failures_total counts)"
                    );
                }
            }
        }
    }

    /// Another replica came first.
    pub fn conflict(&self) {
        self.0.conflicts.inc();
    }

    /// Everything was read.
    pub fn loaded(&self, why: Load, groups: usize, (before, now): (&Version, &Version)) {
        self.0.loads.get_or_create(&ReasonLabel { reason: why.label() }).inc();
        let (before, now) = (before.revision, now.revision);
        match why {
            Load::Start => tracing::info!(groups, revision = now, "Read {groups} groups from the shared store"),
            Load::Behind => tracing::warn!(
                groups,
                revision = now,
                before,
                "Read all {groups} groups from the shared store: it does not remember what changed since revision {before}"
            ),
            Load::Lost => tracing::error!(
                groups,
                revision = now,
                before,
                "The shared store does not have what it had at revision {before}: it was emptied, went back to an older \
                 state, or was changed by others. Went on with the {groups} groups that it has; the rest is lost until it is \
                 pushed again"
            ),
        }
    }

    /// A group came that cannot be read here.
    pub fn unreadable(&self, group: &str, reason: &str) {
        tracing::error!(group, reason, "Left the group {group} of the shared store as it is, unread: {reason}");
    }

    /// How many of them there are.
    pub fn set_unreadable(&self, groups: usize) {
        self.0.unreadable.set(i64::try_from(groups).unwrap_or(i64::MAX));
    }
}
