//! Nodes of all clusters, narrowed, sorted, counted.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};

use super::by_state::{ByState, Counting};
use super::{BadAddress, Narrowed, Snapshot, Sort};
use crate::address::Address;
use crate::alertmanager::SilenceState;
use crate::matcher::Labels;
use crate::prometheus::Known;
use crate::view::{Failing, Node, Silenced, State, View, word};

/// Columns that nodes can be sorted by.
pub const COLUMNS: [&str; 5] = ["state", "node", "cluster", "failing", "seen"];

/// A node.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its cluster.
    pub cluster: &'a str,
    /// What is known of it.
    pub node: &'a Node,
    view: &'a View,
}

#[derive(Serialize)]
struct Body<'a> {
    cluster: &'a str,
    labels: &'a Labels,
    state: &'static str,
    up: Option<bool>,
    /// Epoch seconds.
    seen: Option<i64>,
    checks: u32,
    failing: Vec<FailingBody<'a>>,
    alerts: usize,
    silenced: bool,
}

#[derive(Serialize)]
struct FailingBody<'a> {
    check: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    status: String,
}

/// Lists nodes.
///
/// # Errors
/// When the address cannot be understood.
pub fn list<'a>(snapshot: &'a Snapshot, address: &Address) -> Result<ByState<Row<'a>>, BadAddress> {
    let narrowed = Narrowed::read(address)?;
    let sort = Sort::read(address, &COLUMNS)?;
    let mut nodes = Counting::new(address, State::ALL.map(State::word));
    for (cluster, view) in &snapshot.0 {
        let matches =
            |node: &&Node| narrowed.matches(&node.labels, || node.labels.values().map(String::as_str).collect());
        let found = view.metrics.said.nodes.iter().filter(matches);
        let rows = found.map(|node| Row { cluster: &cluster.name, node, view });
        nodes.add(&cluster.name, rows, |row| [Some(row.node.state().word())]);
    }
    nodes.sorted(sort, |a, b| a.compare(b, sort.column))
}

// === impl Row ===

impl<'a> Row<'a> {
    /// The node of a cluster that is known so.
    pub fn find(cluster: &'a str, view: &'a View, id: &Known) -> Option<Self> {
        view.metrics.said.node(id).map(|node| Self { cluster, node, view })
    }

    /// How a form names it: `CLUSTER/JOB/INSTANCE`.
    pub fn key(&self) -> String {
        Address::key([self.cluster, &self.node.id.job, &self.node.id.instance])
    }

    /// What a person calls it.
    pub fn name(&self) -> String {
        format!("{}, {}", self.cluster, self.node.id.instance)
    }

    /// Its page.
    pub fn address(&self) -> Address {
        Address::of(["nodes", self.cluster, &self.node.id.job, &self.node.id.instance])
    }

    /// Its page, a check opened.
    pub fn address_of(&self, failing: &Failing) -> Address {
        let address = self.address().with("check", &failing.check);
        address.with("source", failing.source.as_deref().unwrap_or_default())
    }

    /// How many alerts it has.
    pub fn alerts(&self) -> usize {
        self.view.alerts_of(&self.node.id).count()
    }

    /// Whether a silence in force covers the whole node.
    pub fn silenced(&self) -> bool {
        self.silences().next().is_some()
    }

    /// The silences that do.
    pub fn silences(&self) -> impl Iterator<Item = &'a Silenced> + use<'a> {
        self.view.silences_of(self.node, SilenceState::Active)
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let worse = || other.node.state().cmp(&self.node.state());
        let more = || other.node.failing.len().cmp(&self.node.failing.len());
        let name = || self.node.id.instance.cmp(&other.node.id.instance);
        let first = match column {
            "node" => Ordering::Equal,
            "cluster" => self.cluster.cmp(other.cluster),
            "failing" => more(),
            "seen" => self.node.seen.cmp(&other.node.seen),
            _ => worse().then_with(more),
        };
        first.then_with(name).then_with(|| self.cluster.cmp(other.cluster))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let failing = self.node.failing.iter().map(|failing| FailingBody {
            check: &failing.check,
            source: failing.source.as_deref(),
            status: word(failing.status),
        });
        let body = Body {
            cluster: self.cluster,
            labels: &self.node.labels,
            state: self.node.state().word(),
            up: self.node.up,
            seen: self.node.seen,
            checks: self.node.checks,
            failing: failing.collect(),
            alerts: self.alerts(),
            silenced: self.silenced(),
        };
        body.serialize(to)
    }
}
