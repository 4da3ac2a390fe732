//! What the gateway counts and logs of itself.

pub mod shared;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::header::{HOST, HeaderMap, ORIGIN};
use check_result::values::MOST_VALUES;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::groups::Groups;
use crate::labels::Labels;
use crate::store::StoreError;

/// Upper bounds of the size histogram, in bytes.
const SIZES: [f64; 7] = [100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
/// Upper bounds of the duration histogram, in seconds.
const DURATIONS: [f64; 9] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: u16,
    handler: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Why a push was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The path names no group.
    Path,
    /// The body is no metrics.
    Body,
    /// It contradicts itself or what is there.
    Inconsistent,
    /// The body is too large.
    BodySize,
    /// There is no memory for a large body beside others.
    Crowded,
    /// A label is too long.
    LabelSize,
    /// A check result is too large.
    DetailSize,
    /// Too many series in the group.
    Series,
    /// Too many groups.
    Groups,
    /// It could not be stored.
    Storage,
    /// Another site has made a browser send it, a push or another change.
    Foreign,
}

/// Metrics and log lines. Clones count in the same place.
#[derive(Clone, Debug)]
pub struct Events(Arc<Metrics>);

type Histograms = Family<MethodLabel, Histogram, fn() -> Histogram>;

#[derive(Debug)]
struct Metrics {
    requests: Family<RequestLabels, Counter>,
    size: Histograms,
    duration: Histograms,
    refused: Family<ReasonLabel, Counter>,
    late: Counter,
    left_out: Counter,
    groups: Gauge,
    series: Gauge,
    failing: AtomicBool,
    /// Whether it was said that another site has a browser send something.
    said_foreign: AtomicBool,
    /// Whether it was said that results of a shared store are left out.
    said_left_out: AtomicBool,
}

impl Reason {
    const ALL: [Self; 11] = [
        Self::Path,
        Self::Body,
        Self::Inconsistent,
        Self::BodySize,
        Self::Crowded,
        Self::LabelSize,
        Self::DetailSize,
        Self::Series,
        Self::Groups,
        Self::Storage,
        Self::Foreign,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Body => "body",
            Self::Inconsistent => "inconsistent",
            Self::BodySize => "body_size",
            Self::Crowded => "crowded",
            Self::LabelSize => "label_size",
            Self::DetailSize => "detail_size",
            Self::Series => "series",
            Self::Groups => "groups",
            Self::Storage => "storage",
            Self::Foreign => "foreign",
        }
    }
}

// === impl Metrics ===

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "pushgateway_http_requests",
            "Total HTTP requests processed by the Pushgateway, excluding scrapes",
            self.requests.clone(),
        );
        registry.register(
            "pushgateway_http_push_size_bytes",
            "HTTP request size for pushes to the Pushgateway",
            self.size.clone(),
        );
        registry.register(
            "pushgateway_http_push_duration_seconds",
            "HTTP request duration for pushes to the Pushgateway",
            self.duration.clone(),
        );
        registry.register("pushgateway_pushes_refused", "Pushes that were not taken, by reason", self.refused.clone());
        registry.register(
            "pushgateway_late_results",
            "Check results that changed nothing, because what is known of their check is of a later run",
            self.late.clone(),
        );
        registry.register(
            "pushgateway_store_results_left_out",
            "Check results of the store that were left out, because they have more JSON values than a result may have",
            self.left_out.clone(),
        );
        registry.register("pushgateway_groups", "Groups that are kept", self.groups.clone());
        registry.register(
            "pushgateway_series",
            "Series that are kept, those that the Pushgateway adds to each group included",
            self.series.clone(),
        );
    }
}

// === impl Events ===

impl Events {
    /// Registers the metrics. The first three are the reference's, with histograms where it has summaries.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics {
            requests: Family::default(),
            size: Family::new_with_constructor(|| Histogram::new(SIZES)),
            duration: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            refused: Family::default(),
            late: Counter::default(),
            left_out: Counter::default(),
            groups: Gauge::default(),
            series: Gauge::default(),
            failing: AtomicBool::new(false),
            said_foreign: AtomicBool::new(false),
            said_left_out: AtomicBool::new(false),
        };
        metrics.register(registry);
        // A counter that starts at its first event hides that event from `increase`.
        for reason in Reason::ALL {
            let _ = metrics.refused.get_or_create(&ReasonLabel { reason: reason.label() });
        }
        for method in ["put", "post"] {
            let _ = metrics.requests.get_or_create(&RequestLabels { code: 200, handler: "push", method });
        }
        Self(Arc::new(metrics))
    }

    /// A request other than a scrape was answered.
    pub fn answered(&self, handler: &'static str, method: &'static str, code: u16) {
        self.0.requests.get_or_create(&RequestLabels { code, handler, method }).inc();
    }

    /// A push was answered, whatever came of it.
    pub fn pushed(&self, method: &'static str, bytes: usize, took: Duration) {
        self.0.size.get_or_create(&MethodLabel { method }).observe(bytes as f64);
        self.0.duration.get_or_create(&MethodLabel { method }).observe(took.as_secs_f64());
    }

    /// A push was not taken. The client was told why; here it is of interest to who looks for it.
    pub fn refused(&self, reason: Reason, labels: Option<&Labels>, error: &dyn std::fmt::Display) {
        self.0.refused.get_or_create(&ReasonLabel { reason: reason.label() }).inc();
        let group = labels.map(Labels::to_string).unwrap_or_default();
        tracing::debug!(reason = reason.label(), group, %error, "Refused a push to {group}: {error}");
    }

    /// A change was not made, since another site has made a browser send it. The first is logged: it may be somebody's own browser behind
    /// a proxy.
    pub fn foreign(&self, error: &str, headers: &HeaderMap) {
        self.0.refused.get_or_create(&ReasonLabel { reason: Reason::Foreign.label() }).inc();
        if !self.0.said_foreign.swap(true, Ordering::Relaxed) {
            let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let (origin, host) = (header(ORIGIN), header(HOST));
            tracing::warn!(
                origin,
                host,
                "Refused a request: {error} (said once; pushgateway_pushes_refused_total{{reason=\"foreign\"}} counts)"
            );
        }
    }

    /// Results of a push changed nothing, because what is known is of later runs.
    pub fn came_late(&self, results: usize, labels: &Labels) {
        self.0.late.inc_by(results as u64);
        tracing::debug!(group = %labels, results, "Left {results} results of {labels} out: what is known is of later runs");
    }

    /// Check results of the store's file have more values than are taken, as an older version took them, and were deleted.
    pub fn deleted(&self, results: usize, file: &Path) {
        if results > 0 {
            self.0.left_out.inc_by(results as u64);
            tracing::error!(
                results,
                file = %file.display(),
                "Deleted {results} check results from {}: each has more than the {MOST_VALUES} JSON values that a result may have, \
                 and would take a hundred times its size of memory. Those with fewer come back with their next push",
                file.display()
            );
        }
    }

    /// Check results of a group of the shared store have more values than are taken, and the group is without them here. The first
    /// are logged.
    pub fn left_out(&self, results: usize, group: &Labels) {
        if results == 0 {
            return;
        }
        self.0.left_out.inc_by(results as u64);
        if self.0.said_left_out.swap(true, Ordering::Relaxed) {
            tracing::debug!(%group, results, "Left out {results} check results of the group {group} of the shared store");
        } else {
            tracing::error!(
                %group,
                results,
                "Left out {results} check results of the group {group} of the shared store: each has more than the {MOST_VALUES} JSON \
                 values that a result may have, as an older version took it. The next push to the group deletes them (said once; \
                 pushgateway_store_results_left_out_total counts)"
            );
        }
    }

    /// The groups as everybody sees them now.
    pub fn shown(&self, groups: &Groups) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.0.groups.set(number(groups.len()));
        self.0.series.set(number(groups.series()));
        if self.0.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("Storing works again");
        }
    }

    /// A batch of changes could not be stored. The first of a row is logged.
    pub fn not_stored(&self, error: &StoreError) {
        if !self.0.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(
                %error,
                "Could not store pushes, their clients were told: {error} (said once; pushgateway_pushes_refused_total counts)"
            );
        }
    }

    /// What was answered before could not be made durable. The first of a row is logged.
    pub fn not_synced(&self, error: &StoreError) {
        if !self.0.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "Could not make pushes durable that were answered, trying again each second: {error}");
        }
    }
}
