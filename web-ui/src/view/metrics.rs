//! Nodes and checks, as Prometheus knows them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use check_result::Status;
use serde::Deserialize;

use crate::matcher::Labels;
use crate::prometheus::{Known, Sample};

/// Nodes and checks of a cluster.
#[derive(Debug, Default)]
pub struct Metrics {
    /// The nodes, by instance and job.
    pub nodes: Vec<Node>,
    /// The checks, by name.
    pub checks: BTreeMap<Arc<str>, Checks>,
}

/// A node: a target of a node job, or what pushes check results.
#[derive(Clone, Debug)]
pub struct Node {
    /// By what it is known.
    pub id: Known,
    /// Its target's labels, `job` and `instance` among them.
    pub labels: Labels,
    /// Whether it can be scraped; none where nobody scrapes it, because it pushes.
    pub up: Option<bool>,
    /// When it was last scraped, or since when it cannot be, in epoch seconds.
    pub seen: Option<i64>,
    /// How many checks it has.
    pub checks: u32,
    /// Those that are not OK, the worst first.
    pub failing: Vec<Failing>,
}

/// A check that is not OK.
#[derive(Clone, Debug)]
pub struct Failing {
    /// Its name.
    pub check: Arc<str>,
    /// Whose it is, where that is not the node.
    pub source: Option<Arc<str>>,
    /// How it is.
    pub status: Status,
}

/// All checks of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// How many there are.
    pub total: u32,
    /// WARNING
    pub warning: u32,
    /// CRITICAL
    pub critical: u32,
    /// UNKNOWN
    pub unknown: u32,
    /// Those without a result for longer than their `ttl`, or three of their intervals; whatever their status.
    pub stale: u32,
}

/// How a node is: the worst of what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// All its checks are OK.
    Ok,
    /// Its worst check.
    Warning,
    /// Its worst check.
    Unknown,
    /// Its worst check.
    Critical,
    /// It cannot be scraped.
    Down,
}

/// What Prometheus answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// Whether each target is up.
    pub up: Vec<Sample<Labels>>,
    /// When it was last scraped.
    pub scraped: Vec<Sample<Known>>,
    /// Since when targets are down.
    pub down: Vec<Sample<Known>>,
    /// The checks that are not OK.
    pub failing: Vec<Sample<Check>>,
}

/// Sums over all checks. They change seldom, and it takes a Prometheus long to make them.
#[derive(Debug, Default)]
pub struct Sums {
    /// How many checks each node has.
    pub nodes: Vec<Sample<Known>>,
    /// How many checks of each name there are.
    pub names: Vec<Sample<Named>>,
    /// How many of each name are stale.
    pub stale: Vec<Sample<Named>>,
}

/// The labels of a sum by name.
#[derive(Debug, Deserialize)]
pub struct Named {
    #[serde(default)]
    check: String,
}

/// The labels of one check.
#[derive(Debug, Deserialize)]
pub struct Check {
    /// The series' name: a recorded one, or the check's own.
    #[serde(rename = "__name__", default)]
    pub series: String,
    #[serde(default)]
    job: String,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    check: String,
    source: Option<String>,
}

// === impl Sums ===

impl Sums {
    /// Whether a check is called so.
    pub fn has_check(&self, name: &str) -> bool {
        self.names.iter().any(|sample| sample.labels.check == name)
    }
}

// === impl Metrics ===

impl Metrics {
    /// What the answers say, with the sums that were made last.
    pub fn new(answers: Answers, sums: &Sums) -> Self {
        let mut nodes = Nodes::default();
        for Sample { mut labels, value } in answers.up {
            labels.remove("__name__");
            let id = Known {
                job: labels.get("job").cloned().unwrap_or_default(),
                instance: labels.get("instance").cloned().unwrap_or_default(),
            };
            let node = nodes.get(&id);
            (node.up, node.labels) = (Some(value > 0.0), labels);
        }
        for Sample { labels, value } in &sums.nodes {
            nodes.get(labels).checks = value.max(0.0) as u32;
        }
        for Sample { labels, value } in answers.scraped.iter().chain(&answers.down) {
            nodes.get(labels).seen = Some(*value as i64);
        }
        let mut checks: BTreeMap<Arc<str>, Checks> = BTreeMap::new();
        for Sample { labels, value } in &sums.names {
            checks.entry(labels.check.as_str().into()).or_default().total = value.max(0.0) as u32;
        }
        for Sample { labels, value } in &sums.stale {
            checks.entry(labels.check.as_str().into()).or_default().stale = value.max(0.0) as u32;
        }
        for Sample { labels, value } in answers.failing {
            let status = status(value);
            let name = match checks.get_key_value(labels.check.as_str()) {
                Some((name, _)) => Arc::clone(name),
                None => labels.check.as_str().into(),
            };
            checks.entry(Arc::clone(&name)).or_default().count(status);
            let source = labels.source.filter(|source| !source.is_empty()).map(Into::into);
            let node = Known { job: labels.job, instance: labels.instance };
            nodes.get(&node).failing.push(Failing { check: name, source, status });
        }
        Self { nodes: nodes.sorted(), checks }
    }

    /// The node that is known so.
    pub fn node(&self, id: &Known) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|node| node.key().cmp(&(&id.instance, &id.job)));
        at.ok().map(|index| &self.nodes[index])
    }
}

// === impl Node ===

impl Node {
    /// How it is.
    pub fn state(&self) -> State {
        match (self.up, self.failing.first()) {
            (Some(false), _) => State::Down,
            (_, None) => State::Ok,
            (_, Some(worst)) => State::of(worst.status),
        }
    }

    fn key(&self) -> (&String, &String) {
        (&self.id.instance, &self.id.job)
    }
}

// === impl State ===

impl State {
    /// All of them, the worst first.
    pub const ALL: [Self; 5] = [Self::Down, Self::Critical, Self::Unknown, Self::Warning, Self::Ok];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Critical => "critical",
            Self::Down => "down",
        }
    }

    /// How a node is whose worst check is so.
    pub fn of(status: Status) -> Self {
        match status {
            Status::Ok => Self::Ok,
            Status::Warning => Self::Warning,
            Status::Critical => Self::Critical,
            Status::Unknown => Self::Unknown,
        }
    }
}

// === impl Checks ===

impl Checks {
    /// How many are OK.
    pub fn ok(&self) -> u32 {
        self.total.saturating_sub(self.warning + self.critical + self.unknown)
    }

    /// Adds those of another cluster.
    pub fn add(&mut self, other: &Self) {
        let add = |own: &mut u32, more: u32| *own = own.saturating_add(more);
        add(&mut self.total, other.total);
        add(&mut self.warning, other.warning);
        add(&mut self.critical, other.critical);
        add(&mut self.unknown, other.unknown);
        add(&mut self.stale, other.stale);
    }

    fn count(&mut self, status: Status) {
        match status {
            Status::Ok => {}
            Status::Warning => self.warning += 1,
            Status::Critical => self.critical += 1,
            Status::Unknown => self.unknown += 1,
        }
    }
}

/// The status that a value of `checkscript_status` stands for. What is no whole number is no exit status.
pub fn status(value: f64) -> Status {
    match value {
        whole if whole.fract() == 0.0 => Status::from_exit_code(whole as i64),
        _ => Status::Unknown,
    }
}

/// Nodes that are being put together.
#[derive(Default)]
struct Nodes(HashMap<Known, Node>);

impl Nodes {
    fn get(&mut self, id: &Known) -> &mut Node {
        if !self.0.contains_key(id) {
            let labels = [("instance", &id.instance), ("job", &id.job)];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.clone())).into();
            let node = Node { id: id.clone(), labels, up: None, seen: None, checks: 0, failing: Vec::new() };
            self.0.insert(id.clone(), node);
        }
        self.0.get_mut(id).expect("it is there or has just been put there")
    }

    fn sorted(self) -> Vec<Node> {
        let mut nodes: Vec<_> = self.0.into_values().collect();
        nodes.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        for node in &mut nodes {
            node.failing
                .sort_by(|a, b| State::of(b.status).cmp(&State::of(a.status)).then_with(|| a.check.cmp(&b.check)));
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(instance: &str) -> Known {
        Known { job: "checkscript-agent".into(), instance: instance.into() }
    }

    fn up(instance: &str, value: f64) -> Sample<Labels> {
        let labels = [("job", "checkscript-agent"), ("instance", instance), ("__name__", "up"), ("env", "x")];
        Sample { labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), value }
    }

    fn failing(instance: &str, check: &str, value: f64) -> Sample<Check> {
        let Known { job, instance } = known(instance);
        Sample { labels: Check { series: String::new(), job, instance, check: check.into(), source: None }, value }
    }

    #[test]
    fn answers_become_nodes_and_checks() {
        let sum = |check: &str, value| Sample { labels: Named { check: check.into() }, value };
        let sums = Sums {
            nodes: vec![Sample { labels: known("b"), value: 2.0 }, Sample { labels: known("pushing"), value: 1.0 }],
            names: vec![sum("disk", 3.0), sum("load", 1.0)],
            stale: vec![sum("load", 1.0)],
        };
        let answers = Answers {
            up: vec![up("b", 1.0), up("a", 0.0), up("c", 1.0)],
            failing: vec![failing("b", "load", 1.0), failing("b", "disk", 2.0), failing("c", "disk", f64::NAN)],
            scraped: vec![Sample { labels: known("b"), value: 1_700_000_000.4 }],
            down: vec![Sample { labels: known("a"), value: 1_600_000_000.0 }],
        };
        let metrics = Metrics::new(answers, &sums);
        let shown = |node: &Node| (node.id.instance.clone(), node.state(), node.checks, node.seen, node.up);
        assert_eq!(
            metrics.nodes.iter().map(shown).collect::<Vec<_>>(),
            [
                ("a".into(), State::Down, 0, Some(1_600_000_000), Some(false)),
                ("b".into(), State::Critical, 2, Some(1_700_000_000), Some(true)),
                ("c".into(), State::Unknown, 0, None, Some(true)),
                ("pushing".into(), State::Ok, 1, None, None),
            ]
        );
        let disk = metrics.checks["disk"];
        assert_eq!((disk.ok(), disk.critical, disk.unknown, metrics.checks["load"].stale), (1, 1, 1, 1));
        let node = metrics.node(&known("b")).unwrap();
        assert_eq!(node.failing.iter().map(|one| &*one.check).collect::<Vec<_>>(), ["disk", "load"]);
        assert_eq!(node.labels.keys().collect::<Vec<_>>(), ["env", "instance", "job"]);
        assert!(metrics.node(&known("x")).is_none());
    }
}
