//! What web-ui asks of Prometheus, counted: it must not grow with the people who look on.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::events::ByCluster;

/// How long one sum over all checks may take: a million of them is long.
const SUMS: Duration = Duration::from_secs(100);

/// What every cluster's Prometheus servers are asked.
#[derive(Debug, Default)]
pub struct Loads {
    queries: ByCluster<Labels, Counter>,
    series: ByCluster<Labels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    cluster: String,
    kind: &'static str,
}

/// What a Prometheus is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The nodes and what fails, at each refresh.
    Refresh,
    /// Sums over all checks.
    Sums,
    /// Where the nodes are.
    Targets,
    /// One check on all nodes, while somebody looks.
    Check,
    /// What was, while somebody looks.
    History,
    /// Whether alerts are gone whose silences end with them.
    Resolved,
}

/// What is asked of a cluster's Prometheus servers for one purpose.
#[derive(Clone, Debug)]
pub struct Load {
    queries: Counter,
    series: Counter,
}

// === impl Loads ===

impl Loads {
    /// Those that are shown in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let loads = Self::default();
        let help = "Questions that a Prometheus of the cluster was asked";
        loads.queries.register(registry, "web_ui_queries", help);
        loads.series.register(registry, "web_ui_series", "Series that a Prometheus of the cluster answered with");
        loads
    }

    /// Counts what is asked of a cluster for this purpose.
    pub fn of(&self, cluster: &str, purpose: Purpose) -> Load {
        let labels = Labels { cluster: cluster.to_owned(), kind: purpose.word() };
        Load { queries: self.queries.get(cluster, labels.clone()), series: self.series.get(cluster, labels) }
    }

    /// Nothing is shown of the cluster any more.
    pub fn forget(&self, cluster: &str) {
        self.queries.forget(cluster);
        self.series.forget(cluster);
    }
}

// === impl Purpose ===

impl Purpose {
    /// How long one answer may take, where that is not what the configuration says.
    pub fn patience(self) -> Option<Duration> {
        (self == Self::Sums).then_some(SUMS)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Sums => "sums",
            Self::Targets => "targets",
            Self::Check => "check",
            Self::History => "history",
            Self::Resolved => "resolved",
        }
    }
}

// === impl Load ===

impl Load {
    /// A question was asked.
    pub fn asked(&self) {
        self.queries.inc();
    }

    /// So many series came back.
    pub fn brought(&self, series: usize) {
        self.series.inc_by(series as u64);
    }
}
