//! One check on all nodes of all clusters, narrowed, sorted, counted.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use futures_util::future::join_all;
use serde::{Serialize, Serializer};

use super::by_state::{ByState, Counting};
use super::{BadAddress, Narrowed, Snapshot, Sort};
use crate::address::Address;
use crate::cluster::Cluster;
use crate::matcher::Labels;
use crate::one_check::{Of, OneCheck};
use crate::view::{Fired, Part, Silenced, State, View};

/// Columns that rows can be sorted by.
pub const COLUMNS: [&str; 5] = ["state", "node", "cluster", "since", "last"];

/// The word for those that have not run for too long, whatever their state.
const STALE: &str = "stale";

/// What is known of a check in one cluster.
#[derive(Debug)]
pub struct Source<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// What is known of the cluster.
    pub view: &'a View,
    /// The check.
    pub part: Part<OneCheck>,
}

/// The check on a node.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its cluster.
    pub cluster: &'a str,
    /// How it is.
    pub of: &'a Of,
    check: &'a str,
    fired: Option<&'a Fired>,
    labels: Option<&'a Labels>,
    view: &'a View,
}

#[derive(Serialize)]
struct Body<'a> {
    cluster: &'a str,
    job: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    state: &'static str,
    stale: bool,
    /// Whether it is silenced on this node.
    silenced: bool,
    /// Epoch seconds.
    since: Option<i64>,
    /// Epoch seconds.
    last: Option<i64>,
    /// The first line of the output, where an alert has it.
    output: Cow<'a, str>,
}

/// Lists the nodes of the check that is called so.
///
/// # Errors
/// When the address cannot be understood.
pub fn list<'a>(check: &'a str, sources: &'a [Source<'_>], address: &Address) -> Result<ByState<Row<'a>>, BadAddress> {
    let narrowed = Narrowed::read(address)?;
    let sort = Sort::read(address, &COLUMNS)?;
    let words = [State::Critical, State::Unknown, State::Warning, State::Ok].map(State::word);
    let mut nodes = Counting::new(address, words.into_iter().chain([STALE]));
    for source in sources {
        let rows = source.rows(check).filter(|row| row.matches(&narrowed));
        nodes.add(source.cluster, rows, |row| [Some(row.state().word()), row.of.is_stale.then_some(STALE)]);
    }
    nodes.sorted(sort, |a, b| a.compare(b, sort.column))
}

// === impl Source ===

impl<'v> Source<'v> {
    /// Asks all clusters for the check that is called so; none where no cluster can have it, so that nobody loads Prometheus with
    /// invented names.
    pub async fn ask_all(snapshot: &'v Snapshot, check: &str) -> Option<Vec<Self>> {
        if !snapshot.0.iter().any(|(_, view)| view.may_have_check(check)) {
            return None;
        }
        let ask = async |(cluster, view): &'v (Arc<Cluster>, Arc<View>)| Self {
            cluster: &cluster.name,
            view,
            part: cluster.check(check).await,
        };
        Some(join_all(snapshot.0.iter().map(ask)).await)
    }

    fn rows<'a>(&'a self, check: &'a str) -> impl Iterator<Item = Row<'a>> {
        self.part.said.0.iter().map(move |of| {
            let node = self.view.metrics.said.node(&of.node);
            let mut alerts = self.view.alerts_of(&of.node);
            let fired = alerts.find(|fired| fired.label("check") == check && fired.label("source") == &*of.source);
            Row { cluster: self.cluster, of, check, fired, labels: node.map(|node| &node.labels), view: self.view }
        })
    }
}

// === impl Row ===

impl<'a> Row<'a> {
    /// How it is.
    pub fn state(&self) -> State {
        State::of(self.of.status)
    }

    /// How a form names its node: `CLUSTER/JOB/INSTANCE`.
    pub fn key(&self) -> String {
        Address::key([self.cluster, &self.of.node.job, &self.of.node.instance])
    }

    /// What a person calls it.
    pub fn name(&self) -> String {
        format!("{}, {}", self.cluster, self.of.node.instance)
    }

    /// The form that silences its node, but this check alone.
    pub fn silence(&self, node: Address) -> Address {
        node.with("check", self.check)
    }

    /// The page of its node, the check opened.
    pub fn address(&self) -> Address {
        let node = Address::of(["nodes", self.cluster, &self.of.node.job, &self.of.node.instance]);
        node.with("check", self.check).with("source", &self.of.source)
    }

    /// The first line of the output, where an alert has it.
    pub fn line(&self) -> Cow<'a, str> {
        self.fired.map(Fired::line).unwrap_or_default()
    }

    /// The silences in force that mute it.
    pub fn silences(&self) -> Vec<&'a Silenced> {
        self.view.silences_of_check(&self.of.node, self.check, &self.of.source)
    }

    fn matches(&self, narrowed: &Narrowed<'_>) -> bool {
        let labels = || {
            let mut labels = self.labels.cloned().unwrap_or_default();
            let own = [("job", &*self.of.node.job), ("instance", &self.of.node.instance), ("check", self.check)];
            labels.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
            if !self.of.source.is_empty() {
                labels.insert("source".to_owned(), self.of.source.to_string());
            }
            Cow::Owned(labels)
        };
        let line = self.line();
        let texts = || {
            let labels = self.labels.into_iter().flat_map(Labels::values).map(String::as_str);
            labels.chain([&*self.of.node.instance, &self.of.source, &*line]).collect()
        };
        narrowed.matches_made(labels) && narrowed.finds(texts)
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let (a, b) = (self.of, other.of);
        let first = match column {
            "node" => Ordering::Equal,
            "cluster" => self.cluster.cmp(other.cluster),
            // The newest first.
            "since" => b.since.cmp(&a.since),
            // Those that have not run for longest first.
            "last" => a.last.cmp(&b.last),
            _ => other.state().cmp(&self.state()).then(b.is_stale.cmp(&a.is_stale)),
        };
        let name = || (&a.node.instance, &a.source).cmp(&(&b.node.instance, &b.source));
        first.then_with(name).then_with(|| self.cluster.cmp(other.cluster))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let body = Body {
            cluster: self.cluster,
            job: &self.of.node.job,
            instance: &self.of.node.instance,
            source: &self.of.source,
            state: self.state().word(),
            stale: self.of.is_stale,
            silenced: !self.silences().is_empty(),
            since: self.of.since,
            last: self.of.last,
            output: self.line(),
        };
        body.serialize(to)
    }
}
