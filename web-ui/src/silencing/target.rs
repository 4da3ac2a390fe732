//! What somebody chose to silence: alerts, nodes, checks.

use std::collections::HashSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::address::{Address, plain};
use crate::matcher::Labels;
use crate::view::View;

/// The most that can be chosen one by one.
pub const MOST: usize = 500;

/// The label of the proxy client that a check's result is about, where that is not the node itself.
const SOURCE: &str = "source";

/// Something that is to be silenced.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its cluster; empty for one that is meant wherever it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Its labels: of an alert all of them, of anything else those that name it.
    #[serde(deserialize_with = "named")]
    pub labels: Labels,
    /// Whether it is a node or a check, with all its alerts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// What an address chose, and how much of it is not there any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// What is there.
    pub targets: Vec<Target>,
    /// How many alerts fire no more.
    pub gone: usize,
}

// === impl Chosen ===

impl Chosen {
    /// What the parameters `alert`, `node` and `check` of an address name. Nodes and checks together mean these checks on these
    /// nodes.
    pub fn read<'a>(address: &Address, views: impl Iterator<Item = (&'a str, &'a View)> + Clone) -> Self {
        let mut chosen = Self::default();
        for (cluster, fingerprint) in address.all("alert").filter_map(|text| text.split_once('/')) {
            match alert(cluster, fingerprint, views.clone()) {
                Some(target) => chosen.targets.push(target),
                None => chosen.gone += 1,
            }
        }
        if chosen.targets.iter().any(|target| !target.labels.contains_key(SOURCE)) {
            tell_sources(&mut chosen.targets, views);
        }
        let nodes: Vec<_> = address.all("node").filter_map(node).collect();
        let checks: Vec<_> = address.all("check").map(|name| ("check".to_owned(), name.to_owned())).collect();
        let of = |(name, value): &(String, String)| Labels::from([(name.clone(), value.clone())]);
        match (&*nodes, &*checks) {
            (nodes, []) => chosen.targets.extend(nodes.iter().cloned()),
            ([], checks) => chosen.targets.extend(checks.iter().map(|check| Target {
                cluster: String::new(),
                labels: of(check),
                all: true,
            })),
            (nodes, checks) => {
                let product = nodes.iter().flat_map(|node| checks.iter().map(move |check| (node, check)));
                chosen.targets.extend(product.take(MOST + 1).map(|(node, check)| {
                    let mut target = node.clone();
                    target.labels.extend(of(check));
                    target
                }));
            }
        }
        chosen
    }
}

/// Labels each of which has a name, without which there is no matcher of it.
fn named<'de, D: Deserializer<'de>>(from: D) -> Result<Labels, D::Error> {
    let labels = Labels::deserialize(from)?;
    match labels.contains_key("") {
        true => Err(D::Error::custom("a label has no name")),
        false => Ok(labels),
    }
}

fn alert<'a>(cluster: &str, fingerprint: &str, mut views: impl Iterator<Item = (&'a str, &'a View)>) -> Option<Target> {
    let (name, view) = views.find(|(name, _)| plain(cluster) == *name)?;
    let fired = view.alerts.said.iter().find(|fired| fired.alert.fingerprint == fingerprint)?;
    Some(Target { cluster: name.to_owned(), labels: fired.alert.labels.clone(), all: false })
}

/// What tells an alert from those of the same check that have a source: its cluster, and the values of its naming labels.
fn sourceless<'a>(cluster: &'a str, labels: &'a Labels) -> (&'a str, [&'a str; 4]) {
    // Where there is no check, the name is what names it.
    let third = if labels.contains_key("check") { "check" } else { "alertname" };
    let value = |name: &str| labels.get(name).map_or("", String::as_str);
    (cluster, [value("job"), value("instance"), third, value(third)])
}

/// Says of alerts without a source that they have none where others of the same check on the same node have one, and would be
/// muted with them.
fn tell_sources<'a>(targets: &mut [Target], views: impl Iterator<Item = (&'a str, &'a View)>) {
    let fired =
        views.flat_map(|(cluster, view)| view.alerts.said.iter().map(move |fired| (cluster, &fired.alert.labels)));
    let with_source = fired.filter(|(_, labels)| labels.contains_key(SOURCE));
    let told: HashSet<_> = with_source.map(|(cluster, labels)| sourceless(cluster, labels)).collect();
    for target in targets.iter_mut().filter(|target| !target.labels.contains_key(SOURCE)) {
        if told.contains(&sourceless(&target.cluster, &target.labels)) {
            target.labels.insert(SOURCE.to_owned(), String::new());
        }
    }
}

/// `CLUSTER/JOB/INSTANCE`, each part encoded as in a path.
fn node(text: &str) -> Option<Target> {
    let mut parts = text.splitn(3, '/');
    let (cluster, job, instance) = (parts.next()?, parts.next()?, parts.next()?);
    let labels = [("job", plain(job)), ("instance", plain(instance))];
    let labels = labels.map(|(name, value)| (name.to_owned(), value)).into();
    Some(Target { cluster: plain(cluster), labels, all: true })
}

/// The parameter that names a node.
pub fn node_parameter(cluster: &str, job: &str, instance: &str) -> String {
    Address::of([cluster, job, instance]).to_string().split_off(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::preview::tests::view;
    use super::super::{Draft, proposal};
    use super::*;
    use crate::alertmanager::Alert;
    use crate::view::Fired;

    fn address(query: &[(&str, &str)]) -> Address {
        Address::default().asking(query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn read(query: &[(&str, &str)]) -> Vec<Labels> {
        let chosen = Chosen::read(&address(query), std::iter::empty());
        chosen.targets.into_iter().map(|target| target.labels).collect()
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn nodes_and_checks_are_read() {
        let node = node_parameter("to/kyo", "a b", "https://x:1/ü");
        let chosen = Chosen::read(&address(&[("node", &node)]), std::iter::empty());
        assert_eq!(chosen.targets[0].cluster, "to/kyo");
        assert_eq!(chosen.targets[0].labels, labels(&[("job", "a b"), ("instance", "https://x:1/ü")]));
        assert_eq!(read(&[("check", "disk"), ("check", "load")]).len(), 2);
        let both = read(&[("node", "t/j/web-1"), ("node", "t/j/web-2"), ("check", "disk")]);
        assert_eq!(both[1], labels(&[("job", "j"), ("instance", "web-2"), ("check", "disk")]));
        assert_eq!(read(&[("node", "no slash")]), []);
    }

    #[test]
    fn an_alert_that_fires_no_more_is_counted() {
        let chosen = Chosen::read(&address(&[("alert", "tokyo/abc")]), std::iter::empty());
        assert_eq!((chosen.targets.len(), chosen.gone), (0, 1));
    }

    #[test]
    fn an_alert_without_a_source_is_told_from_those_that_have_one() {
        let fired = |id: &str, instance: &str, source: Option<&str>| {
            let mut alert = json!({
                "fingerprint": id, "annotations": {},
                "labels": {"alertname": "Check", "job": "j", "instance": instance, "check": "x"},
                "startsAt": "2026-11-21T01:00:00Z", "updatedAt": "2026-11-21T01:00:00Z",
                "status": {"silencedBy": [], "inhibitedBy": []},
            });
            if let Some(source) = source {
                alert["labels"]["source"] = json!(source);
            }
            Fired::from(serde_json::from_value::<Alert>(alert).unwrap())
        };
        let said = vec![fired("1", "a", None), fired("2", "a", Some("db")), fired("3", "b", None)];
        let mut view = view(&[]);
        view.alerts.said = Arc::new(said);
        let proposed = |alerts: &[&str]| {
            let query: Vec<_> = alerts.iter().map(|&alert| ("alert", alert)).collect();
            let targets = Chosen::read(&address(&query), [("t", &view)].into_iter()).targets;
            let drafts = proposal::drafts(&targets, &proposal::naming(&targets), &["t".to_owned()]);
            let written = |draft: &Draft| draft.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            drafts.iter().map(written).collect::<Vec<_>>()
        };
        assert_eq!(proposed(&["t/1"]), [r#"job="j",instance="a",check="x",source="""#]);
        assert_eq!(proposed(&["t/2"]), [r#"job="j",instance="a",check="x",source="db""#]);
        assert_eq!(proposed(&["t/3"]), [r#"job="j",instance="b",check="x""#], "no other has one");
        assert_eq!(proposed(&["t/1", "t/2"]), [r#"job="j",instance="a",check="x",source=~"|db""#]);
    }
}
