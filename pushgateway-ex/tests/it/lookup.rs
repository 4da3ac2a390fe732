//! A check is found without looking at all groups, and found it is.

use std::collections::{BTreeMap, BTreeSet};

use check_result::{CheckKey, CheckResult, HistoryLimits};
use jiff::Timestamp;
use proptest::prelude::*;
use pushgateway_ex::groups::{Groups, Limits, Results, Term};
use pushgateway_ex::labels::{Key, Labels};
use serde_json::json;

type Pairs = BTreeMap<String, String>;

#[derive(Clone, Debug)]
enum Step {
    Push { labels: Pairs, checks: BTreeSet<String>, replace: bool },
    Forget(Pairs, String),
    Delete(Pairs),
}

fn groups() -> Groups {
    Groups::new(BTreeMap::new(), Limits { groups: 100_000, series: 100_000 })
}

fn push(groups: &mut Groups, labels: &Pairs, checks: &BTreeSet<String>, replace: bool) -> bool {
    let result = |check: &String| {
        let check = json!({"name": check, "output": "", "status": 0});
        CheckResult::new("client", check.as_object().unwrap().clone()).unwrap()
    };
    let term = Term { at: Timestamp::UNIX_EPOCH, expires: None, own: true };
    let results = checks.iter().map(result).collect();
    let pushed = Results { labels: Labels::new(labels.clone()), results, replace, term };
    groups.results(pushed, &HistoryLimits::default()).is_ok()
}

fn pairs(text: &[(&str, &str)]) -> Pairs {
    text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn found(groups: &Groups, labels: &Pairs) -> Vec<Key> {
    let asked = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    groups.with_checks(asked).into_iter().map(|group| group.key.clone()).collect()
}

#[test]
fn only_the_groups_of_the_rarest_label_are_looked_at() {
    let (mut groups, disk) = (groups(), BTreeSet::from(["disk".to_owned()]));
    for number in 0..1000 {
        let labels = pairs(&[("job", "push"), ("instance", &format!("web-{number}"))]);
        assert!(push(&mut groups, &labels, &disk, true));
    }
    let many: BTreeSet<_> = (0..1000).map(|number| format!("check-{number}")).collect();
    assert!(push(&mut groups, &pairs(&[("job", "central")]), &many, true));
    for (asked, candidates) in [
        (&[("check", "disk"), ("instance", "web-7"), ("job", "push")][..], 1),
        (&[("check", "check-7"), ("job", "")], 1),
        (&[("check", "disk"), ("instance", "none")], 0),
        (&[("check", "disk"), ("source", "")], 1000),
        (&[("source", "router")], 1001),
    ] {
        assert_eq!(found(&groups, &pairs(asked)).len(), candidates, "{asked:?}");
    }
    let central = groups.get(&Key::checks(Labels::new(pairs(&[("job", "central")])))).unwrap();
    assert_eq!((central.checks_named(Some("check-7")).count(), central.checks_named(None).count()), (1, 1000));
}

fn labels() -> impl Strategy<Value = Pairs> {
    prop::collection::btree_map("(a|b|check)", "[xy]", 0..3).prop_map(|mut labels| {
        labels.insert("job".to_owned(), "j".to_owned());
        labels
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (labels(), prop::collection::btree_set("[xyz]", 0..3), any::<bool>())
            .prop_map(|(labels, checks, replace)| Step::Push { labels, checks, replace }),
        1 => (labels(), "[xyz]").prop_map(|(labels, check)| Step::Forget(labels, check)),
        1 => labels().prop_map(Step::Delete),
    ]
}

proptest! {
    #[test]
    fn whatever_changes_every_check_is_found(
        steps in prop::collection::vec(step(), 1..20),
        asked in prop::collection::btree_map("(a|b|check)", "[xyz]?", 0..3),
    ) {
        let mut groups = groups();
        for step in steps {
            match step {
                Step::Push { labels, checks, replace } => drop(push(&mut groups, &labels, &checks, replace)),
                Step::Forget(labels, check) => {
                    drop(groups.forget(Labels::new(labels), &CheckKey { check, source: None }));
                }
                Step::Delete(labels) => drop(groups.delete(&Key::checks(Labels::new(labels)))),
            }
        }
        let holds = |key: &Key, check: &str| asked.iter().all(|(name, value)| {
            let own = if name == "check" { key.labels.get(name).or(Some(check)) } else { key.labels.get(name) };
            own.unwrap_or_default() == value
        });
        let wanted = groups.iter().filter(|group| group.checks.keys().any(|own| holds(&group.key, &own.check)));
        let wanted: BTreeSet<_> = wanted.map(|group| group.key.clone()).collect();
        let found = found(&groups, &asked);
        prop_assert!(found.is_sorted());
        prop_assert!(wanted.is_subset(&found.into_iter().collect()));
    }
}
