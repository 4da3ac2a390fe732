//! Everything that happens to an alert: the log line and the metric of one event stand together.
//!
//! What may happen to thousands of alerts at once is counted each time and logged at most once a minute, each kind for
//! itself.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing::{debug, error, info, warn};
use url::Url;

use crate::group_wait::ShortWait;

mod kinds;
mod said;

pub use kinds::{Enrichment, Loss};

use said::Said;

/// Seconds; the hold is three by default.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    alertmanager: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Dropped {
    reason: &'static str,
    alertmanager: String,
}

/// The program's metrics and its log.
#[derive(Debug)]
pub struct Events {
    received: Counter,
    refused: Family<Reason, Counter>,
    cross_site: Counter,
    forwarded: Family<Peer, Counter>,
    stripped: Family<Peer, Counter>,
    dropped: Family<Dropped, Counter>,
    enrichments: Family<Outcome, Counter>,
    template_failures: Counter,
    fetches: Family<Outcome, Counter>,
    fetch_duration: Histogram,
    refreshes_skipped: Counter,
    circuits_opened: Counter,
    circuits_untracked: Counter,
    hold_duration: Histogram,
    up: Family<Peer, Gauge>,
    retries: Family<Peer, Counter>,
    lookup_failures: Family<Name, Counter>,
    short_waits: Family<Peer, Gauge>,
    said: Said,
}

// === impl Events ===

impl Events {
    /// Registers every metric.
    pub fn new(registry: &mut Registry) -> Self {
        let buckets = || Histogram::new(BUCKETS);
        let events = Self {
            received: Counter::default(),
            refused: Family::default(),
            cross_site: Counter::default(),
            forwarded: Family::default(),
            stripped: Family::default(),
            dropped: Family::default(),
            enrichments: Family::default(),
            template_failures: Counter::default(),
            fetches: Family::default(),
            fetch_duration: buckets(),
            refreshes_skipped: Counter::default(),
            circuits_opened: Counter::default(),
            circuits_untracked: Counter::default(),
            hold_duration: buckets(),
            up: Family::default(),
            retries: Family::default(),
            lookup_failures: Family::default(),
            short_waits: Family::default(),
            said: Said::default(),
        };
        events.register(registry.sub_registry_with_prefix("alertmanager_proxy"));
        // A counter that starts at its first event hides that event from `increase`.
        for with in Enrichment::ALL {
            drop(events.enrichments.get_or_create(&Outcome { outcome: with.word() }));
        }
        events
    }

    fn register(&self, to: &mut Registry) {
        to.register("alerts_received", "Valid alerts that were posted", self.received.clone());
        to.register("alerts_refused", "Posted alerts that were not taken, by reason", self.refused.clone());
        to.register(
            "cross_site_requests_refused",
            "Requests that were refused since another site had made a browser send them",
            self.cross_site.clone(),
        );
        to.register("alerts_forwarded", "Alerts that an Alertmanager took", self.forwarded.clone());
        to.register("alerts_stripped", "Alerts that an Alertmanager refused with their detail", self.stripped.clone());
        to.register("alerts_dropped", "Alerts that did not reach an Alertmanager, by reason", self.dropped.clone());
        to.register("enrichments", "Alerts that went on, by what they were given", self.enrichments.clone());
        to.register(
            "annotation_template_failures",
            "Details that a template of the configuration failed on",
            self.template_failures.clone(),
        );
        to.register("detail_fetches", "Requests for a detail, by outcome", self.fetches.clone());
        to.register(
            "detail_fetch_duration_seconds",
            "How long requests for a detail took",
            self.fetch_duration.clone(),
        );
        to.register(
            "detail_refreshes_skipped",
            "Details that were not asked for anew, because too many others wait for that",
            self.refreshes_skipped.clone(),
        );
        to.register(
            "circuits_opened",
            "Nodes that were left alone because they did not answer",
            self.circuits_opened.clone(),
        );
        to.register(
            "circuits_untracked",
            "Failures of nodes that were not counted against them, because too many nodes failed of late",
            self.circuits_untracked.clone(),
        );
        to.register("hold_duration_seconds", "How long alerts waited for their detail", self.hold_duration.clone());
        to.register("alertmanager_up", "Whether the last delivery reached the Alertmanager", self.up.clone());
        to.register(
            "dns_lookup_failures",
            "Times that Alertmanagers were looked for in DNS in vain",
            self.lookup_failures.clone(),
        );
        to.register("forward_retries", "Deliveries that failed and are tried again", self.retries.clone());
        to.register(
            "short_group_wait_routes",
            "Routes of the Alertmanager whose group_wait is not longer than the hold",
            self.short_waits.clone(),
        );
    }

    /// Valid alerts were posted.
    pub fn received(&self, count: usize) {
        self.received.inc_by(count as u64);
    }

    /// Alerts, or a whole body, were posted that cannot be taken.
    pub fn refused(&self, reason: &'static str, count: usize, error: &dyn std::fmt::Display) {
        self.refused.get_or_create(&Reason { reason }).inc_by(count as u64);
        if self.said.due("refused", reason) {
            warn!(reason, count, "Refused posted alerts: {error}");
        }
    }

    /// Another site had made a browser send this.
    pub fn refused_cross_site(&self, error: &str) {
        self.cross_site.inc();
        if self.said.due("cross_site", "") {
            warn!("Refused a request: {error}");
        }
    }

    /// An alert goes on with what it was given.
    pub fn enriched(&self, with: Enrichment) {
        self.enrichments.get_or_create(&Outcome { outcome: with.word() }).inc();
        if with == Enrichment::Crowded && self.said.due("enriched", with.word()) {
            warn!("Alerts go on without their detail: too many wait for theirs (limits.held_alerts)");
        }
    }

    /// A template of an annotation failed; the others were added.
    pub fn template_failed(&self, error: &str) {
        self.template_failures.inc();
        if self.said.due("template_failed", "") {
            warn!(error, "An annotation could not be made: {error}");
        }
    }

    /// A held alert goes on after `wait`.
    pub fn waited(&self, wait: Duration) {
        self.hold_duration.observe(wait.as_secs_f64());
    }

    /// A node was asked for a detail.
    pub fn fetched(&self, url: &Url, outcome: Result<(), (&'static str, &str)>, took: Duration) {
        let kind = outcome.map_or_else(|(kind, _)| kind, |()| "ok");
        self.fetches.get_or_create(&Outcome { outcome: kind }).inc();
        self.fetch_duration.observe(took.as_secs_f64());
        match outcome {
            Ok(()) => debug!(%url, ?took, "Fetched a detail from {url}"),
            Err((_, error)) if self.said.due("fetched", kind) => {
                warn!(%url, error, "A detail could not be fetched: {error}")
            }
            Err((_, error)) => debug!(%url, error, "A detail could not be fetched: {error}"),
        }
    }

    /// A detail was not asked for: its source does not allow it, or its node is left alone.
    pub fn not_asked(&self, url: &Url, kind: &'static str, error: &str) {
        self.fetches.get_or_create(&Outcome { outcome: kind }).inc();
        if self.said.due("fetched", kind) {
            warn!(%url, error, "A detail was not asked for: {error}");
        }
    }

    /// A detail stays as old as it is: too many others wait to be refreshed.
    pub fn refresh_skipped(&self) {
        self.refreshes_skipped.inc();
        if self.said.due("refresh", "skipped") {
            warn!("Details stay as old as they are: too many others wait to be refreshed (limits.held_alerts)");
        }
    }

    /// A node failed so often in a row that it is left alone for a while.
    pub fn circuit_opened(&self, node: &str, error: &str) {
        self.circuits_opened.inc();
        if self.said.due("circuit", "opened") {
            warn!(node, error, "{node} is left alone for a while: {error}");
        }
    }

    /// A node failed, and there is no room to remember it.
    pub fn circuit_untracked(&self, node: &str) {
        self.circuits_untracked.inc();
        if self.said.due("circuit", "untracked") {
            warn!(node, "So many nodes fail that no more are remembered: {node} is asked for each of its alerts");
        }
    }

    /// Alerts are lost to an Alertmanager.
    pub fn dropped(&self, why: Loss, alertmanager: &str, count: usize, detail: &str) {
        self.dropped.get_or_create(&Dropped::new(why, alertmanager)).inc_by(count as u64);
        if self.said.due("dropped", why.word()) {
            error!(reason = why.word(), alertmanager, count, "Dropped alerts: {detail}");
        }
    }

    /// An Alertmanager refused an alert with what was added to it, which is posted again without.
    pub fn stripped(&self, alertmanager: &str, error: &str) {
        self.stripped.get_or_create(&Peer { alertmanager: alertmanager.to_owned() }).inc();
        if self.said.due("stripped", "") {
            warn!(alertmanager, error, "{alertmanager} refused an alert, posting it without its detail: {error}");
        }
    }

    /// An Alertmanager took alerts.
    pub fn forwarded(&self, alertmanager: &str, count: usize) {
        let peer = Peer { alertmanager: alertmanager.to_owned() };
        self.forwarded.get_or_create(&peer).inc_by(count as u64);
        if self.up.get_or_create(&peer).set(1) == 0 {
            info!(alertmanager, "Reached {alertmanager}");
        }
    }

    /// A delivery failed and will be tried again.
    pub fn retried(&self, alertmanager: &str, error: &str) {
        let peer = Peer { alertmanager: alertmanager.to_owned() };
        self.retries.get_or_create(&peer).inc();
        if self.up.get_or_create(&peer).set(0) == 1 || self.said.due("retried", "") {
            warn!(alertmanager, error, "Cannot deliver to {alertmanager}, trying again: {error}");
        }
    }

    /// An Alertmanager takes alerts, but not these, which will be tried again.
    pub fn suspected(&self, alertmanager: &str, count: usize) {
        self.retries.get_or_create(&Peer { alertmanager: alertmanager.to_owned() }).inc();
        if self.said.due("suspected", "") {
            warn!(alertmanager, count, "{alertmanager} takes other alerts, but not {count}; trying again");
        }
    }

    /// Alertmanagers were looked for in DNS in vain.
    pub fn lookup_failed(&self, name: &str, error: &dyn std::fmt::Display) {
        self.lookup_failures.get_or_create(&Name { name: name.to_owned() }).inc();
        if self.said.due("lookup", "") {
            warn!(name, "Alertmanagers stay what they were: {error}");
        }
    }

    /// An Alertmanager was asked for its routes that do not wait longer than alerts may be held.
    pub fn group_waits(&self, alertmanager: &str, hold: Duration, routes: Result<&[ShortWait], &str>) {
        let routes = match routes {
            Ok(routes) => routes,
            Err(error) => return debug!(alertmanager, error, "Cannot tell {alertmanager}'s group_wait: {error}"),
        };
        let count = i64::try_from(routes.len()).unwrap_or(i64::MAX);
        let before = self.short_waits.get_or_create(&Peer { alertmanager: alertmanager.to_owned() }).set(count);
        if let Some(first) = routes.first().filter(|_| before != count) {
            warn!(alertmanager, routes = count, "{alertmanager}: {}", first.told(hold));
        }
    }

    /// An Alertmanager is in the configuration, or was found.
    pub fn known(&self, alertmanager: &str) {
        let peer = Peer { alertmanager: alertmanager.to_owned() };
        drop(self.forwarded.get_or_create(&peer));
        drop(self.retries.get_or_create(&peer));
        drop(self.stripped.get_or_create(&peer));
        for why in Loss::ALL {
            drop(self.dropped.get_or_create(&Dropped::new(why, alertmanager)));
        }
        info!(alertmanager, "Alerts go to {alertmanager}");
    }

    /// An Alertmanager left the configuration.
    pub fn forgotten(&self, alertmanager: &str) {
        let peer = Peer { alertmanager: alertmanager.to_owned() };
        info!(alertmanager, "Alerts no longer go to {alertmanager}");
        self.up.remove(&peer);
        self.short_waits.remove(&peer);
    }
}

// === impl Dropped ===

impl Dropped {
    fn new(why: Loss, alertmanager: &str) -> Self {
        Self { reason: why.word(), alertmanager: alertmanager.to_owned() }
    }
}
