//! Alerts of all clusters, narrowed, sorted, grouped, counted.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::{BadAddress, Choice, Narrowed, Page, Snapshot, Sort, chosen};
use crate::address::Address;
use crate::matcher::Labels;
use crate::prometheus::Known;
use crate::view::{Fired, Silenced, Told, View};

/// Columns that alerts can be sorted by.
pub const COLUMNS: [&str; 6] = ["severity", "since", "cluster", "node", "check", "alert"];

/// How many labels are offered to group by; the address takes any.
const OFFERED: usize = 100;

/// The alerts that an address asks for.
#[derive(Debug, Serialize)]
pub struct Alerts<'a> {
    /// The alerts; where the address asks for groups, how many there are and none of them.
    #[serde(flatten)]
    pub page: Page<Row<'a>>,
    /// The same by the value of a label, the largest group first; none if the address asks for no groups.
    pub groups: Option<Page<Choice>>,
    /// How many there are of each severity.
    pub severities: Vec<Choice>,
    /// How many there are in each cluster.
    pub clusters: Vec<Choice>,
    /// How many are told, and how many are not.
    pub told: Vec<Choice>,
    /// The labels that they have, to group them by: the first by name.
    #[serde(skip)]
    pub labels: Vec<&'a str>,
    /// The order.
    #[serde(skip)]
    pub sort: Sort,
}

/// An alert.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its cluster.
    pub cluster: &'a str,
    /// What is known of it.
    pub fired: &'a Fired,
    view: &'a View,
}

/// The JSON of an alert.
#[derive(Serialize)]
struct Body<'a> {
    cluster: &'a str,
    fingerprint: &'a str,
    labels: &'a Labels,
    annotations: &'a Labels,
    since: jiff::Timestamp,
    told: &'static str,
    silenced_by: &'a [String],
    inhibited_by: &'a [String],
    receivers: Vec<&'a str>,
    output: Cow<'a, str>,
    /// The page of its node, its check opened; none where no node is known.
    page: Option<String>,
    generator_url: &'a str,
}

/// Lists alerts.
///
/// # Errors
/// When the address cannot be understood.
pub fn list<'a>(snapshot: &'a Snapshot, address: &Address) -> Result<Alerts<'a>, BadAddress> {
    let narrowed = Narrowed::read(address)?;
    let sort = Sort::read(address, &COLUMNS)?;
    let (severity, told) = (address.list("severity"), address.list("told"));
    let (mut rows, mut counts) = (Vec::new(), [(); 3].map(|()| BTreeMap::<String, usize>::new()));
    for row in all(snapshot) {
        let fits = [
            chosen(&severity, row.fired.severity()),
            narrowed.cluster(row.cluster),
            chosen(&told, row.fired.told.word()),
        ];
        // Each choice counts what there would be if it alone were made anew.
        let misses = fits.iter().filter(|fits| !**fits).count();
        if misses > 1 || !narrowed.matches(&row.fired.alert.labels, || row.texts()) {
            continue;
        }
        let values = [row.fired.severity(), row.cluster, row.fired.told.word()];
        for (index, value) in values.into_iter().enumerate() {
            if misses == 0 || !fits[index] {
                *counts[index].entry(value.to_owned()).or_default() += 1;
            }
        }
        if misses == 0 {
            rows.push(row);
        }
    }
    let labels = labels(&rows);
    let page = match address.get("group") {
        "" => {
            sort.apply(&mut rows, |a, b| a.compare(b, sort.column));
            (Page::cut(rows, address)?, None)
        }
        label => {
            let groups = Page::cut(groups(&rows, label), address)?;
            (Page { total: rows.len(), page: groups.page, pages: groups.pages, rows: Vec::new() }, Some(groups))
        }
    };
    let [severities, clusters, tolds] = counts;
    Ok(Alerts {
        page: page.0,
        groups: page.1,
        severities: choices(["critical", "unknown", "warning"].into_iter(), severities, &severity),
        clusters: choices(
            snapshot.0.iter().map(|(cluster, _)| cluster.name.as_str()),
            clusters,
            &address.list("cluster"),
        ),
        told: choices(Told::ALL.iter().map(|told| told.word()), tolds, &told),
        labels,
        sort,
    })
}

/// Every alert.
pub fn all(snapshot: &Snapshot) -> impl Iterator<Item = Row<'_>> {
    snapshot
        .0
        .iter()
        .flat_map(|(cluster, view)| view.alerts.said.iter().map(|fired| Row::new(&cluster.name, view, fired)))
}

// === impl Row ===

impl<'a> Row<'a> {
    /// An alert of a cluster.
    pub fn new(cluster: &'a str, view: &'a View, fired: &'a Fired) -> Self {
        Self { cluster, fired, view }
    }

    /// How a form names it: `CLUSTER/FINGERPRINT`.
    pub fn key(&self) -> String {
        Address::key([self.cluster, &self.fired.alert.fingerprint])
    }

    /// What a person calls it: its cluster, node and check.
    pub fn name(&self) -> String {
        let labels = ["instance", "source", "check"].map(|name| self.fired.label(name));
        let named = labels.into_iter().filter(|label| !label.is_empty());
        let alert = Some(self.fired.label("alertname")).filter(|_| self.fired.label("check").is_empty());
        [self.cluster].into_iter().chain(named).chain(alert).collect::<Vec<_>>().join(", ")
    }

    /// The silences that keep it from being told: their identifiers, and what is known of them.
    pub fn silences(&self) -> impl Iterator<Item = (&'a str, Option<&'a Silenced>)> + use<'a> {
        let known = &self.view.silences.said;
        let find = move |id: &'a String| (&**id, known.iter().find(|known| known.silence.id == *id));
        self.fired.alert.status.silenced_by.iter().map(find)
    }

    /// The alerts that keep it from being told, those that still fire.
    pub fn inhibitors(&self) -> impl Iterator<Item = Self> {
        let by = &self.fired.alert.status.inhibited_by;
        let is_one = move |fired: &&Fired| by.contains(&fired.alert.fingerprint);
        let known = if by.is_empty() { &[][..] } else { &self.view.alerts.said[..] };
        known.iter().filter(is_one).map(|fired| Self { fired, ..*self })
    }

    /// Its own page.
    pub fn page(&self) -> Address {
        Address::of(["alerts", self.cluster, &self.fired.alert.fingerprint])
    }

    /// The page of its node, its check opened.
    pub fn address(&self) -> Option<Address> {
        let Known { job, instance } = &self.view.metrics.said.node(&self.fired.node())?.id;
        let query = ["check", "source"].map(|name| (name.to_owned(), self.fired.label(name).to_owned()));
        Some(Address::of(["nodes", self.cluster, job, instance]).asking(query.into()))
    }

    fn texts(&self) -> Vec<&'a str> {
        let Fired { alert, .. } = self.fired;
        alert.labels.values().chain(alert.annotations.values()).map(String::as_str).collect()
    }

    /// What stands in a column comes first; then the worst, then the newest.
    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let label = |name| self.fired.label(name).cmp(other.fired.label(name));
        let worse = other.fired.rank().cmp(&self.fired.rank());
        let newer = other.fired.alert.starts_at.cmp(&self.fired.alert.starts_at);
        let first = match column {
            "since" => newer,
            "cluster" => self.cluster.cmp(other.cluster),
            "node" => label("instance"),
            "check" => label("check"),
            "alert" => label("alertname"),
            _ => worse,
        };
        first.then(worse).then(newer).then_with(|| self.fired.alert.fingerprint.cmp(&other.fired.alert.fingerprint))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let alert = &self.fired.alert;
        let body = Body {
            cluster: self.cluster,
            fingerprint: &alert.fingerprint,
            labels: &alert.labels,
            annotations: &alert.annotations,
            since: alert.starts_at,
            told: self.fired.told.word(),
            silenced_by: &alert.status.silenced_by,
            inhibited_by: &alert.status.inhibited_by,
            receivers: alert.receivers.iter().map(|receiver| receiver.name.as_str()).collect(),
            output: self.fired.line(),
            page: self.address().map(|address| address.to_string()),
            generator_url: &alert.generator_url,
        };
        body.serialize(to)
    }
}

fn groups(rows: &[Row<'_>], label: &str) -> Vec<Choice> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(if label == "cluster" { row.cluster } else { row.fired.label(label) }).or_default() += 1;
    }
    let choice = |(value, count): (&str, usize)| Choice { value: value.to_owned(), count, chosen: false };
    let mut groups: Vec<_> = counts.into_iter().map(choice).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// The names of the alerts' labels.
fn labels<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    let names: BTreeSet<&str> = rows.iter().flat_map(|row| row.fired.alert.labels.keys()).map(String::as_str).collect();
    names.into_iter().take(OFFERED).collect()
}

/// Those that are always offered, in their order, and what else there is.
fn choices<'a>(
    always: impl Iterator<Item = &'a str>,
    mut counts: BTreeMap<String, usize>,
    wanted: &[&str],
) -> Vec<Choice> {
    let choice = |value: String, count| Choice { chosen: wanted.contains(&value.as_str()), value, count };
    let mut all: Vec<_> =
        always.map(|value| choice(value.to_owned(), counts.remove(value).unwrap_or_default())).collect();
    all.extend(counts.into_iter().map(|(value, count)| choice(value, count)));
    all
}
