//! What the program tells of itself: metrics.

use std::net::IpAddr;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use tracing::warn;

use crate::access::Action;
use crate::load::Loads;

/// Metrics of web-ui.
#[derive(Debug, Default)]
pub struct Events {
    up: Family<Asked, Gauge>,
    failures: Family<Asked, Counter>,
    /// What Prometheus is asked.
    pub loads: Loads,
    changes: Family<Changed, Counter>,
    ignored_headers: Counter,
    exports: Family<Exported, Counter>,
    cut: Family<Exported, Counter>,
    resolved: Family<Of, Counter>,
    doubted: Family<Doubted, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Doubted {
    cluster: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    cluster: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    cluster: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Changed {
    action: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exported {
    list: &'static str,
    format: &'static str,
}

// === impl Events ===

impl Events {
    /// Events that are shown in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let events = Self { loads: Loads::new(registry), ..Self::default() };
        let (up, failures) = (events.up.clone(), events.failures.clone());
        registry.register(
            "web_ui_cluster_up",
            "Whether any server of this kind answered when the cluster was last asked",
            up,
        );
        registry.register("web_ui_cluster_failures", "Times that no server of this kind answered", failures);
        let changes = events.changes.clone();
        registry.register("web_ui_changes", "Changes of silences that were asked for, done or failed", changes);
        let resolved = events.resolved.clone();
        registry.register(
            "web_ui_silences_resolved",
            "Silences that were ended because their alerts are gone",
            resolved,
        );
        let doubted = events.doubted.clone();
        registry.register(
            "web_ui_silences_doubtful",
            "Times that it was not known of a silence whether its alerts are gone, with which it ends",
            doubted,
        );
        let ignored = events.ignored_headers.clone();
        registry.register(
            "web_ui_proxy_headers_ignored",
            "Requests whose user header was ignored, since they did not come from the proxy",
            ignored,
        );
        let (exports, cut) = (events.exports.clone(), events.cut.clone());
        registry.register("web_ui_exports", "Lists that were asked for as a file", exports);
        registry.register("web_ui_export_rows_cut", "Rows that a file was too short for", cut);
        events
    }

    /// Somebody who is not the proxy said in its header who they are; told once.
    pub(crate) fn ignored_header(&self, peer: IpAddr) {
        if self.ignored_headers.inc() == 0 {
            warn!(%peer, "Ignoring the user header of requests from {peer}, which is not in access.proxy.from");
        }
    }

    /// A silence was ended because its alerts are gone.
    pub(crate) fn resolved(&self, cluster: &str) {
        self.resolved.get_or_create(&Of { cluster: cluster.to_owned() }).inc();
    }

    /// Of so many silences it was not known whether their alerts are gone.
    pub(crate) fn doubted(&self, cluster: &str, reason: &'static str, silences: usize) {
        self.doubted.get_or_create(&Doubted { cluster: cluster.to_owned(), reason }).inc_by(silences as u64);
    }

    /// Somebody changed something; `result` is `done` or `failed`.
    pub(crate) fn changed(&self, action: Action, result: &'static str) {
        self.changes.get_or_create(&Changed { action: action.word(), result }).inc();
    }

    /// A list was asked for as a file, which has `cut` rows less than there are.
    pub fn exported(&self, list: &'static str, format: &'static str, cut: usize) {
        let exported = Exported { list, format };
        self.exports.get_or_create(&exported).inc();
        self.cut.get_or_create(&exported).inc_by(cut as u64);
        if cut > 0 {
            tracing::warn!(list, cut, "A file of {list} has {cut} rows less than there are");
        }
    }

    /// The servers of a kind were asked, and one of them answered or none.
    pub fn asked(&self, cluster: &str, kind: &'static str, answered: bool) {
        let asked = Asked { cluster: cluster.to_owned(), kind };
        self.up.get_or_create(&asked).set(i64::from(answered));
        let failures = self.failures.get_or_create(&asked);
        if !answered {
            failures.inc();
        }
    }
}
