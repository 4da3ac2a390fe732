//! What silences would mute now, cluster by cluster.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::Draft;
use crate::address::Address;
use crate::lists::alerts::Row;
use crate::matcher::{Labels, Matcher};
use crate::prometheus::Known;
use crate::texts::{Texts, fill};
use crate::view::View;

/// Alerts that are listed of each cluster.
const LISTED: usize = 20;

/// From so many alerts on, a silence is said to be broad.
const BROAD: usize = 100;

/// What silences would mute in a cluster now.
#[derive(Debug, Serialize)]
pub struct Preview<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// Alerts that they match.
    pub alerts: usize,
    /// Some of those.
    #[serde(serialize_with = "rows")]
    pub listed: Vec<Row<'a>>,
    /// How many of them are silenced already.
    pub covered: usize,
    /// How many nodes they are about.
    pub nodes: usize,
    /// How many checks they are about.
    pub checks: usize,
    /// Checks that are OK now and whose alerts would be muted as well; where silences name nothing but nodes or checks.
    pub passing: usize,
    /// Every alert of the cluster.
    pub of: usize,
    /// Whether this is what was known when its Alertmanagers answered last.
    pub is_old: bool,
}

fn rows<S: Serializer>(rows: &[Row<'_>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(rows)
}

// === impl Preview ===

impl<'a> Preview<'a> {
    /// What these silences would mute in a cluster; none if none of them is for it.
    pub fn new(cluster: &'a str, view: &'a View, drafts: &[Draft]) -> Option<Self> {
        let drafts: Vec<_> = drafts.iter().filter(|draft| draft.clusters.iter().any(|name| name == cluster)).collect();
        let is_muted = |labels: &Labels| drafts.iter().any(|draft| draft.matches(labels));
        let muted: Vec<_> = view.alerts.said.iter().filter(|fired| is_muted(&fired.alert.labels)).collect();
        let nodes: BTreeSet<Known> =
            muted.iter().map(|fired| fired.node()).filter(|node| !node.instance.is_empty()).collect();
        let with_check = muted.iter().filter(|fired| !fired.label("check").is_empty());
        let checks: BTreeSet<_> =
            with_check.map(|fired| (fired.node(), fired.label("check"), fired.label("source"))).collect();
        (!drafts.is_empty()).then(|| Self {
            cluster,
            alerts: muted.len(),
            listed: muted.iter().take(LISTED).map(|fired| Row::new(cluster, view, fired)).collect(),
            covered: muted.iter().filter(|fired| !fired.alert.status.silenced_by.is_empty()).count(),
            nodes: nodes.len(),
            checks: checks.len(),
            passing: passing(view, &drafts),
            of: view.alerts.said.len(),
            is_old: view.alerts.is_old || view.alerts.at.is_none(),
        })
    }

    /// How many alerts are not listed.
    pub fn more(&self) -> usize {
        self.alerts - self.listed.len()
    }

    /// Whether it mutes so much that it should be looked at twice: all that fires, or very many.
    pub fn is_broad(&self) -> bool {
        self.alerts >= BROAD || (self.alerts > 1 && self.alerts == self.of)
    }
}

/// In words.
impl Preview<'_> {
    /// How many alerts, nodes and checks it touches.
    pub fn counts_text(&self, t: &Texts) -> String {
        fill(t.mutes_now, &[&self.alerts, &self.nodes, &self.checks])
    }

    /// Checks that are OK.
    pub fn passing_text(&self, t: &Texts) -> String {
        fill(t.and_passing, &[&self.passing])
    }

    /// Alerts that are silenced already.
    pub fn covered_text(&self, t: &Texts) -> String {
        fill(t.covered_already, &[&self.covered])
    }

    /// That it is very much.
    pub fn broad_text(&self, t: &Texts) -> String {
        fill(t.broad, &[&self.alerts, &self.of])
    }

    /// The page of a silence.
    pub fn silence(&self, id: &str) -> Address {
        Address::of(["silences", self.cluster, id])
    }
}

/// The silences for a cluster that match nothing that fires there, in Alertmanager's words.
pub fn idle(cluster: &str, view: &View, drafts: &[Draft]) -> Vec<String> {
    let is_here = |draft: &&Draft| draft.clusters.iter().any(|name| name == cluster);
    let is_idle = |draft: &&Draft| !view.alerts.said.iter().any(|fired| draft.matches(&fired.alert.labels));
    let said = |draft: &Draft| {
        let matchers: Vec<_> = draft.matchers.iter().map(Matcher::to_string).collect();
        format!("{cluster}: {}", matchers.join(","))
    };
    drafts.iter().filter(is_here).filter(is_idle).map(said).collect()
}

/// Checks that are OK. Known are sums by node, and sums by name.
fn passing(view: &View, drafts: &[&Draft]) -> usize {
    let metrics = &view.metrics.said;
    let names_only = |draft: &&&Draft, allowed: &dyn Fn(&Matcher) -> bool| draft.matchers.iter().all(allowed);
    let by_check = |matcher: &Matcher| matcher.name == "check";
    let whole: Vec<_> = drafts.iter().filter(|draft| names_only(draft, &by_check)).collect();
    let of_names = metrics.checks.iter().filter(|(name, _)| {
        let labels = Labels::from([("check".to_owned(), name.to_string())]);
        whole.iter().any(|draft| draft.matches(&labels))
    });
    let of_names: usize = of_names.map(|(_, checks)| checks.ok() as usize).sum();
    let of_nodes = metrics.nodes.iter().filter(|node| {
        let known = |matcher: &Matcher| node.labels.contains_key(&matcher.name);
        drafts.iter().any(|draft| names_only(&draft, &known) && draft.matches(&node.labels))
    });
    let of_nodes: usize = of_nodes.map(|node| (node.checks as usize).saturating_sub(node.failing.len())).sum();
    // Both at once would count some twice; only what is certain is said.
    of_names.max(of_nodes)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::view::{Fired, Part};

    /// A view in which these fire: instance, check, and whether it is silenced.
    pub(crate) fn view(alerts: &[(&str, &str, bool)]) -> View {
        let fired = |(instance, check, silenced): &(&str, &str, bool)| {
            let by: &[&str] = if *silenced { &["s1"] } else { &[] };
            let alert = json!({
                "fingerprint": format!("{instance}-{check}"), "annotations": {},
                "labels": {"alertname": "Check", "job": "j", "instance": instance, "check": check},
                "startsAt": "2026-11-21T01:00:00Z", "updatedAt": "2026-11-21T01:00:00Z", "status": {"silencedBy": by, "inhibitedBy": []},
            });
            Fired::from(serde_json::from_value::<crate::alertmanager::Alert>(alert).unwrap())
        };
        let fired: Vec<_> = alerts.iter().map(fired).collect();
        View::new(
            Part::default(),
            Part::default(),
            Part { said: Arc::new(fired), at: Some(jiff::Timestamp::UNIX_EPOCH), ..Part::default() },
            Part::default(),
        )
    }

    fn draft(text: &str) -> Draft {
        Draft { matchers: Matcher::parse_all(text).unwrap(), clusters: vec!["tokyo".into()] }
    }

    #[test]
    fn what_is_muted_is_counted_once() {
        let view = view(&[("a", "x", false), ("a", "y", true), ("b", "x", false)]);
        let preview = Preview::new("tokyo", &view, &[draft("instance=a"), draft("check=x,instance=a")]).unwrap();
        assert_eq!((preview.alerts, preview.covered, preview.nodes, preview.checks), (2, 1, 1, 2));
        assert!(!preview.is_broad() && preview.more() == 0);
        assert!(Preview::new("osaka", &view, &[draft("instance=a")]).is_none());
        let nothing = Preview::new("tokyo", &view, &[draft("instance=c")]).unwrap();
        assert_eq!((nothing.alerts, nothing.is_broad()), (0, false));
        assert!(Preview::new("tokyo", &view, &[draft("job=j")]).unwrap().is_broad(), "it is everything");
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<_> = (0..120).map(|index| format!("n{index}")).collect();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), "x", false)).chain([("z", "y", false)]).collect();
        let view = view(&all);
        let preview = Preview::new("tokyo", &view, &[draft("check=x")]).unwrap();
        assert_eq!((preview.listed.len(), preview.more(), preview.is_broad()), (20, 100, true));
    }
}
