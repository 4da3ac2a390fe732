//! What the program tells of itself: metrics.

use std::net::IpAddr;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use tracing::warn;

use crate::access::Action;

mod tally;

pub(crate) use tally::ByCluster;
use tally::Tallies;
pub use tally::{Kind, Tally, Task};

/// Metrics of web-ui.
#[derive(Debug, Default)]
pub struct Events {
    tallies: Tallies,
    changes: Family<Changed, Counter>,
    ignored_headers: Counter,
    exports: Family<Exported, Counter>,
    cut: Family<Exported, Counter>,
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
        let events = Self { tallies: Tallies::new(registry), ..Self::default() };
        let changes = events.changes.clone();
        registry.register("web_ui_changes", "Changes of silences that were asked for, done or failed", changes);
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
}
