//! What somebody chose to silence: alerts, nodes, checks.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::address::{Address, decoded};
use crate::matcher::Labels;
use crate::view::View;

/// The most that can be chosen one by one.
pub const MOST: usize = 500;

/// Something that is to be silenced.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its cluster; empty for one that is meant wherever it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Its labels: of an alert all of them, of anything else those that name it.
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

fn alert<'a>(cluster: &str, fingerprint: &str, mut views: impl Iterator<Item = (&'a str, &'a View)>) -> Option<Target> {
    let (name, view) = views.find(|(name, _)| plain(cluster) == *name)?;
    let fired = view.alerts.said.iter().find(|fired| fired.alert.fingerprint == fingerprint)?;
    Some(Target { cluster: name.to_owned(), labels: fired.alert.labels.clone(), all: false })
}

/// `CLUSTER/JOB/INSTANCE`, each part encoded as in a path.
fn node(text: &str) -> Option<Target> {
    let mut parts = text.splitn(3, '/');
    let (cluster, job, instance) = (parts.next()?, parts.next()?, parts.next()?);
    let labels = [("job", plain(job)), ("instance", plain(instance))];
    let labels = labels.map(|(name, value)| (name.to_owned(), value)).into();
    Some(Target { cluster: plain(cluster), labels, all: true })
}

/// A part of a parameter.
fn plain(part: &str) -> String {
    decoded(&percent_decode_str(part).decode_utf8_lossy()).to_owned()
}

/// The parameter that names a node.
pub fn node_parameter(cluster: &str, job: &str, instance: &str) -> String {
    Address::of([cluster, job, instance]).to_string().split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
