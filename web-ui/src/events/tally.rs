//! What is counted of one cluster. Its series go with it: one that a reload has removed would be down for ever.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tracing::warn;

use super::Events;
use crate::load::{Load, Loads, Purpose};

/// Metrics of all clusters.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    /// How many tallies there are by the cluster's name: while the configuration is read again, there are two of some.
    living: Mutex<HashMap<String, usize>>,
    up: ByCluster<OfKind, Gauge>,
    failures: ByCluster<OfKind, Counter>,
    loads: Loads,
    resolved: ByCluster<Of, Counter>,
    doubted: ByCluster<Doubted, Counter>,
    unread: ByCluster<Of, Gauge>,
    panics: ByCluster<OfTask, Counter>,
}

/// Counts what happens with one cluster, for as long as anybody has to do with it.
#[derive(Debug)]
pub struct Tally {
    cluster: String,
    events: Arc<Events>,
}

/// A metric of clusters.
#[derive(Debug)]
pub(crate) struct ByCluster<L, M> {
    family: Family<L, M>,
    /// The labels that each cluster has.
    known: Mutex<HashMap<String, HashSet<L>>>,
}

/// A kind of answer that a cluster's servers give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What a Prometheus says of nodes and what fails.
    Prometheus,
    /// The sums that it makes.
    Sums,
    /// Alerts and silences.
    Alertmanager,
}

/// What is done for a cluster all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Asks for nodes and what fails.
    Nodes,
    /// Asks for sums.
    Sums,
    /// Asks for alerts and silences.
    Alerts,
    /// Ends silences with their alerts.
    Silences,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    cluster: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    cluster: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTask {
    cluster: String,
    task: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Doubted {
    cluster: String,
    reason: &'static str,
}

// === impl Tallies ===

impl Tallies {
    /// Those that are shown in `registry`.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let new = Self { loads: Loads::new(registry), ..Self::default() };
        let help = "Whether any server of this kind answered when the cluster was last asked";
        new.up.register(registry, "web_ui_cluster_up", help);
        new.failures.register(registry, "web_ui_cluster_failures", "Times that no server of this kind answered");
        let help = "Silences that were ended because their alerts are gone";
        new.resolved.register(registry, "web_ui_silences_resolved", help);
        let help = "Times that it was not known of a silence whether its alerts are gone, with which it ends";
        new.doubted.register(registry, "web_ui_silences_doubtful", help);
        let help = "Silences in force or to come with a regular expression that only Alertmanager understands";
        new.unread.register(registry, "web_ui_silences_unread", help);
        let help = "Times that what is done for a cluster all the time ended in a panic and was begun again";
        new.panics.register(registry, "web_ui_panics", help);
        new
    }

    fn forget(&self, cluster: &str) {
        self.up.forget(cluster);
        self.failures.forget(cluster);
        self.loads.forget(cluster);
        self.resolved.forget(cluster);
        self.doubted.forget(cluster);
        self.unread.forget(cluster);
        self.panics.forget(cluster);
    }
}

// === impl Tally ===

impl Tally {
    /// What is counted of `cluster` from now on.
    pub fn new(cluster: &str, events: Arc<Events>) -> Self {
        let mut living = events.tallies.living.lock().unwrap_or_else(PoisonError::into_inner);
        *living.entry(cluster.to_owned()).or_default() += 1;
        drop(living);
        Self { cluster: cluster.to_owned(), events }
    }

    /// What is counted of all clusters together.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The servers were asked, and one of them answered or none.
    pub fn asked(&self, kind: Kind, answered: bool) {
        let labels = || OfKind { cluster: self.cluster.clone(), kind: kind.word() };
        self.tallies().up.get(&self.cluster, labels()).set(i64::from(answered));
        let failures = self.tallies().failures.get(&self.cluster, labels());
        if !answered {
            failures.inc();
        }
    }

    /// Counts what is asked of its Prometheus servers for this purpose.
    pub fn load(&self, purpose: Purpose) -> Load {
        self.tallies().loads.of(&self.cluster, purpose)
    }

    /// A silence was ended because its alerts are gone.
    pub fn resolved(&self) {
        self.tallies().resolved.get(&self.cluster, Of { cluster: self.cluster.clone() }).inc();
    }

    /// Of so many silences it was not known whether their alerts are gone.
    pub fn doubted(&self, reason: &'static str, silences: usize) {
        let labels = Doubted { cluster: self.cluster.clone(), reason };
        self.tallies().doubted.get(&self.cluster, labels).inc_by(silences as u64);
    }

    /// So many silences have a regular expression that only Alertmanager understands.
    pub fn unread(&self, silences: usize) {
        let (cluster, labels) = (&self.cluster, Of { cluster: self.cluster.clone() });
        let before = self.tallies().unread.get(cluster, labels).set(i64::try_from(silences).unwrap_or(i64::MAX));
        if before == 0 && silences > 0 {
            let what = "which nodes they cover is not shown";
            warn!(cluster, silences, "{silences} silences of {cluster} are understood by Alertmanager alone: {what}");
        }
    }

    /// Counts the panics of a task, of which there have been none where nobody asked yet.
    pub fn panics(&self, task: Task) -> Counter {
        self.tallies().panics.get(&self.cluster, OfTask { cluster: self.cluster.clone(), task: task.word() })
    }

    fn tallies(&self) -> &Tallies {
        &self.events.tallies
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let mut living = self.events.tallies.living.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = living.get_mut(&self.cluster) {
            *count -= 1;
            if *count == 0 {
                living.remove(&self.cluster);
                // The lock is held: nobody begins to count for a cluster of that name meanwhile.
                self.events.tallies.forget(&self.cluster);
            }
        }
    }
}

// === impl ByCluster ===

impl<L, M> ByCluster<L, M>
where
    L: Clone + Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static,
    M: Clone + Default + EncodeMetric + TypedMetric + std::fmt::Debug + Send + Sync + 'static,
{
    /// Shows it in `registry`.
    pub(crate) fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.family.clone());
    }

    /// That of a cluster with these labels, the cluster's among them.
    pub(crate) fn get(&self, cluster: &str, labels: L) -> M {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let metric = self.family.get_or_create_owned(&labels);
        known.entry(cluster.to_owned()).or_default().insert(labels);
        metric
    }

    /// Nothing is shown of the cluster any more.
    pub(crate) fn forget(&self, cluster: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for labels in known.remove(cluster).into_iter().flatten() {
            self.family.remove(&labels);
        }
    }
}

impl<L: Clone + Hash + Eq, M: Default> Default for ByCluster<L, M> {
    fn default() -> Self {
        Self { family: Family::default(), known: Mutex::default() }
    }
}

// === impl Kind ===

impl Kind {
    /// As a label's value.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Sums => "sums",
            Self::Alertmanager => "alertmanager",
        }
    }

    /// In a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "Prometheus",
            Self::Sums => "Prometheus for sums",
            Self::Alertmanager => "Alertmanager",
        }
    }
}

// === impl Task ===

impl Task {
    /// As a label's value.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Sums => "sums",
            Self::Alerts => "alerts",
            Self::Silences => "silences",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(registry: &Registry) -> Vec<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text.lines().filter(|line| line.contains("cluster=")).map(str::to_owned).collect()
    }

    #[test]
    fn what_is_counted_of_a_cluster_goes_with_the_last_who_counts() {
        let mut registry = Registry::default();
        let events = Arc::new(Events::new(&mut registry));
        let [tokyo, osaka, again] = ["tokyo", "osaka", "osaka"].map(|name| Tally::new(name, Arc::clone(&events)));
        for tally in [&tokyo, &osaka, &again] {
            tally.asked(Kind::Sums, false);
            tally.load(Purpose::Refresh).asked();
            tally.resolved();
            tally.doubted("stale", 2);
            tally.unread(1);
            tally.panics(Task::Nodes);
        }
        drop(osaka);
        let before = shown(&registry);
        assert!(
            before.contains(&r#"web_ui_cluster_failures_total{cluster="osaka",kind="sums"} 2"#.to_owned()),
            "{before:?}"
        );
        assert_eq!(before.iter().filter(|line| line.contains("osaka")).count(), 8, "{before:?}");
        drop(again);
        let after = shown(&registry);
        assert_eq!(after, before.into_iter().filter(|line| line.contains("tokyo")).collect::<Vec<_>>());
        assert_eq!(after.len(), 8);
    }
}
