//! Which silences mute which nodes, as a whole or some of their checks.
//!
//! A list says so of every node, and a cluster may have a thousand silences, each with a regular expression. So it is found out
//! once of each silence and node, where it keeps no request waiting, and again only where one of the two has changed. Most
//! silences name their nodes, one or several: those are not even tried with others.

use std::collections::HashMap;

use regex_syntax::hir::literal::Extractor;

use super::metrics::{Metrics, Node};
use super::{Known, Silenced};
use crate::alertmanager::SilenceState;
use crate::matcher::{Labels, Matcher, Op};

/// The most values for which a regular expression is looked up by each instead of being tried.
const VALUES: usize = 2_000;

/// Nodes that silences are about.
#[derive(Debug, Default)]
pub(super) struct Covers {
    /// Which silences name a node, in their order, or some of its checks; nodes that none names are not there.
    by_node: HashMap<Known, Vec<usize>>,
    /// Silences that matter and name no nodes: they may mute checks of all.
    anywhere: Vec<usize>,
}

/// What covers are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) silences: &'a [Silenced],
}

/// Silences by the nodes that they may cover.
struct Index<'a> {
    silences: &'a [Silenced],
    /// Those that can match these values of `instance` alone.
    by_instance: HashMap<String, Vec<usize>>,
    /// All others.
    others: Vec<usize>,
}

// === impl Covers ===

impl Covers {
    /// The silences that name a node, and whose other matchers nothing that is known of it speaks against.
    pub(super) fn of(&self, node: &Known) -> &[usize] {
        self.by_node.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    /// The silences that name no nodes.
    pub(super) fn anywhere(&self) -> &[usize] {
        &self.anywhere
    }

    /// Those of `now`, where these are those of `before`.
    pub(super) fn next(&self, before: Basis<'_>, now: Basis<'_>) -> Self {
        let known: HashMap<_, _> =
            before.silences.iter().zip(0..).map(|(was, at)| (&*was.silence.id, (was, at))).collect();
        let (mut kept, mut others) = (HashMap::<usize, usize>::new(), Vec::new());
        for (at, is) in now.silences.iter().enumerate() {
            match known.get(&*is.silence.id) {
                Some((was, before)) if is.covers_as(was) => {
                    kept.insert(*before, at);
                }
                _ => others.push(at),
            }
        }
        let (all, others) = (Index::new(now.silences, 0..now.silences.len()), Index::new(now.silences, others));
        let of = |node: &Node| match before.metrics.node(&node.id) {
            Some(was) if was.labels == node.labels => {
                let mut covering = others.covering(&node.labels);
                covering.extend(self.of(&node.id).iter().filter_map(|before| kept.get(before)));
                covering.sort_unstable();
                covering
            }
            _ => all.covering(&node.labels),
        };
        let covered = now.metrics.nodes.iter().map(|node| (node.id.clone(), of(node)));
        let silences = now.silences.iter().enumerate();
        let anywhere = silences.filter(|(_, is)| is.matters() && is.is_understood() && !is.names_nodes());
        Self {
            by_node: covered.filter(|(_, covering)| !covering.is_empty()).collect(),
            anywhere: anywhere.map(|(at, _)| at).collect(),
        }
    }
}

// === impl Index ===

impl<'a> Index<'a> {
    /// Of those at these places.
    fn new(silences: &'a [Silenced], places: impl IntoIterator<Item = usize>) -> Self {
        let mut index = Self { silences, by_instance: HashMap::new(), others: Vec::new() };
        for at in places.into_iter().filter(|at| silences[*at].may_cover_nodes()) {
            match silences[at].matchers.iter().filter(|matcher| matcher.name == "instance").find_map(values) {
                Some(values) => {
                    for value in values {
                        index.by_instance.entry(value).or_default().push(at);
                    }
                }
                None => index.others.push(at),
            }
        }
        index
    }

    fn covering(&self, node: &Labels) -> Vec<usize> {
        let instance = node.get("instance").map(String::as_str).unwrap_or_default();
        let named = self.by_instance.get(instance).into_iter().flatten();
        let mut covering: Vec<_> =
            named.chain(&self.others).copied().filter(|at| self.silences[*at].concerns(node)).collect();
        covering.sort_unstable();
        covering.dedup();
        covering
    }
}

// === impl Silenced ===

impl Silenced {
    /// Whether it mutes whatever happens to a node with these labels. Of a label that the node lacks, `check` and `severity` above
    /// all, its alerts may have any value: a matcher of it has to take each.
    pub fn covers(&self, node: &Labels) -> bool {
        let takes = |matcher: &Matcher| match node.contains_key(&matcher.name) {
            true => matcher.matches(node),
            false => takes_any(matcher),
        };
        self.is_understood() && self.matchers.iter().all(takes)
    }

    /// Whether it is in force, or will be.
    fn matters(&self) -> bool {
        self.silence.status.state != SilenceState::Expired
    }

    /// Whether it names nodes.
    fn names_nodes(&self) -> bool {
        let nothing = Labels::new();
        self.matchers.iter().any(|matcher| matcher.name == "instance" && !matcher.matches(&nothing))
    }

    /// Whether it matters and names nodes.
    fn may_cover_nodes(&self) -> bool {
        self.matters() && self.names_nodes()
    }

    /// Whether nothing that is known of a node speaks against it: one that names nodes may mute something of this one.
    fn concerns(&self, node: &Labels) -> bool {
        let mut known = self.matchers.iter().filter(|matcher| node.contains_key(&matcher.name));
        known.all(|matcher| matcher.matches(node))
    }

    fn covers_as(&self, other: &Self) -> bool {
        self.matchers == other.matchers && self.may_cover_nodes() == other.may_cover_nodes()
    }
}

/// Whether a matcher takes every value, none at all too, as `.*` does.
fn takes_any(matcher: &Matcher) -> bool {
    // No pattern names a character of private use by chance.
    let takes = |value: &str| matcher.matches(&Labels::from([(matcher.name.clone(), value.to_owned())]));
    // Every alert has a name.
    let takes_none = matcher.name == "alertname" || takes("");
    matcher.op == Op::Match && takes_none && takes("\u{f8ff}\u{e000}")
}

/// The only values that a matcher can match, or more; none where they are too many to list.
fn values(matcher: &Matcher) -> Option<Vec<String>> {
    match matcher.op {
        Op::Equal => Some(vec![matcher.value.clone()]),
        Op::Match => {
            let parsed = regex_syntax::parse(&matcher.value).ok()?;
            let found = Extractor::new().limit_total(VALUES).limit_literal_len(usize::MAX).extract(&parsed);
            let found = found.literals()?.iter().map(|value| match value.is_exact() {
                true => String::from_utf8(value.as_bytes().to_vec()).ok(),
                false => None,
            });
            found.collect()
        }
        Op::NotEqual | Op::NoMatch => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::prometheus::Sample;
    use crate::view::{Answers, Sums};

    fn silenced(filter: &str, state: &str) -> Silenced {
        let silence = json!({
            "id": filter, "status": {"state": state}, "matchers": [], "createdBy": "ann", "comment": "c",
            "startsAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-22T00:00:00Z", "updatedAt": "2026-11-21T00:00:00Z",
        });
        Silenced { matchers: Matcher::parse_all(filter).unwrap(), silence: serde_json::from_value(silence).unwrap() }
    }

    fn metrics(nodes: &[(&str, &str)]) -> Metrics {
        let up = nodes.iter().map(|&(instance, env)| {
            let labels = [("instance", instance), ("job", "j"), ("env", env)];
            Sample { labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), value: 1.0 }
        });
        Metrics::new(Answers { up: up.collect(), ..Answers::default() }, &Sums::default())
    }

    fn known(instance: &str) -> Known {
        Known { job: "j".into(), instance: instance.into() }
    }

    const NODES: [(&str, &str); 5] = [("a", "x"), ("b", "x"), ("ab", "y"), ("web.1", "y"), ("web-1", "y")];

    fn next(covers: &Covers, before: (&Metrics, &[Silenced]), now: (&Metrics, &[Silenced])) -> Covers {
        let basis = |(metrics, silences)| Basis { metrics, silences };
        covers.next(basis(before), basis(now))
    }

    #[test]
    fn a_node_is_concerned_by_what_names_it_and_matches_all_that_is_known_of_it() {
        for (filter, covered) in [
            ("instance=a", vec!["a"]),
            ("instance=a,check=disk", vec!["a"]),
            ("instance=a,env=y", vec![]),
            ("check=disk", vec![]),
            ("env=x", vec![]),
            ("instance=~\"a|b\"", vec!["a", "b"]),
            ("instance=~\"a|b\",instance!=b", vec!["a"]),
            ("instance=~\"web\\\\.1\"", vec!["web.1"]),
            ("instance=~\"web.1\"", vec!["web.1", "web-1"]),
            ("instance=~\"(?i)AB?\"", vec!["a", "ab"]),
            ("instance=~\"^a$|.*b\"", vec!["a", "b", "ab"]),
            ("instance!=\"\",instance!~\"web.*\"", vec!["a", "b", "ab"]),
            ("instance=~\".*\"", vec![]),
        ] {
            let (nodes, silences) = (metrics(&NODES), [silenced(filter, "active")]);
            let covers = next(&Covers::default(), (&Metrics::default(), &[]), (&nodes, &silences));
            let names = NODES.into_iter().map(|(name, _)| name);
            let found: Vec<_> = names.filter(|name| !covers.of(&known(name)).is_empty()).collect();
            assert_eq!(found, covered, "{filter}");
        }
    }

    #[test]
    fn a_silence_of_some_checks_is_not_one_of_the_node() {
        let node = [("instance", "a"), ("job", "j")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (filter, covers) in [
            ("instance=a", true),
            ("instance=a,job=j", true),
            ("instance=a,job=k", false),
            ("instance=a,check=disk", false),
            ("instance=a,check!=disk", false),
            ("instance=a,check!~\"disk.*\"", false),
            ("instance=a,severity=~\"warning|\"", false),
            ("instance=a,source=\"\"", false),
            ("instance=a,check=~\".*\"", true),
            ("instance=a,check=~\".+\"", false),
            ("instance=a,alertname=~\".+\"", true),
            ("instance=a,alertname=NodeDown", false),
        ] {
            assert_eq!(silenced(filter, "active").covers(&node), covers, "{filter}");
        }
    }

    #[test]
    fn what_has_changed_is_found_out_again() {
        let (nodes, silences) =
            (metrics(&NODES), [silenced("instance=a,env=x", "active"), silenced("instance=~a+", "active")]);
        let first = next(&Covers::default(), (&Metrics::default(), &[]), (&nodes, &silences));
        assert_eq!((first.of(&known("a")), first.of(&known("b"))), (&[0, 1][..], &[][..]));
        let trusted = next(&Covers::default(), (&nodes, &silences), (&nodes, &silences));
        assert_eq!(trusted.of(&known("a")), [0; 0], "what has not changed is not matched again");
        let moved = metrics(&[("a", "z"), ("aa", "x")]);
        let second = next(&first, (&nodes, &silences), (&moved, &silences));
        assert_eq!((second.of(&known("a")), second.of(&known("aa"))), (&[1][..], &[1][..]));
        let [one, another] = silences.clone();
        let ended = [silenced("instance=~a+", "expired"), silenced("instance=b", "active"), one];
        let third = next(&second, (&moved, &silences), (&nodes, &ended));
        assert_eq!(
            (third.of(&known("a")), third.of(&known("b")), third.of(&known("aa"))),
            (&[2][..], &[1][..], &[][..])
        );
        let fourth = next(&first, (&nodes, &silences), (&nodes, &[another]));
        assert_eq!(fourth.of(&known("a")), [0], "what is kept has another place");
    }

    proptest! {
        #[test]
        fn the_index_leaves_nothing_out(
            patterns in prop::collection::vec("(instance|env)(=|!=|=~|!~)\"[a-c]{0,2}[|.?*]?[a-c]{0,2}\"", 1..6),
            instance in "[a-c]{0,3}",
        ) {
            let parsed = |filter: &String| Matcher::parse_all(filter).is_ok();
            let silences: Vec<_> = patterns.iter().filter(|one| parsed(one)).map(|one| silenced(one, "active")).collect();
            let node = Labels::from([("instance".to_owned(), instance), ("env".to_owned(), "ab".to_owned())]);
            let all = (0..silences.len()).filter(|at| silences[*at].may_cover_nodes() && silences[*at].concerns(&node));
            prop_assert_eq!(Index::new(&silences, 0..silences.len()).covering(&node), all.collect::<Vec<_>>());
        }
    }
}
