//! The incremental check answers as one does that looks at everything.

use std::collections::{BTreeMap, BTreeSet};

use exposition::pushed::{Metric, MetricFamily, MetricType, Value};
use jiff::Timestamp;
use proptest::prelude::*;
use pushgateway_ex::groups::{Group, Groups, Limits, Push, is_stamp, prepare};
use pushgateway_ex::labels::{Key, Labels};

#[derive(Clone, Debug)]
enum Step {
    Push { labels: Labels, families: Vec<MetricFamily>, replace: bool },
    Delete(Labels),
}

type Content = BTreeMap<Labels, BTreeMap<String, MetricFamily>>;

/// What the groups would hold, if everything together makes a valid exposition.
fn taken(content: &Content, labels: &Labels, families: &[MetricFamily], replace: bool) -> Option<Content> {
    let mut after = content.clone();
    // Both would have the same `push_time_seconds`.
    if !content.contains_key(labels) && labels.twin().is_some_and(|twin| content.contains_key(&twin)) {
        return None;
    }
    let group = after.entry(labels.clone()).or_default();
    if replace {
        group.clear();
    }
    for mut family in families.iter().cloned() {
        for metric in &mut family.metrics {
            let own = std::mem::take(&mut metric.labels);
            metric.labels = labels.on(&own).into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        }
        group.insert(family.name.clone(), family);
    }
    let (mut types, mut series) = (BTreeMap::new(), BTreeSet::new());
    for family in after.values().flat_map(BTreeMap::values) {
        if *types.entry(family.name.clone()).or_insert(family.kind) != family.kind {
            return None;
        }
        if !family.metrics.iter().all(|metric| series.insert((family.name.clone(), metric.labels.clone()))) {
            return None;
        }
    }
    let clashes = types.iter().any(|(name, kind)| {
        let taken = |suffix: &str| types.contains_key(&format!("{name}{suffix}"));
        match kind {
            MetricType::Summary => taken("_sum") || taken("_count"),
            MetricType::Histogram => taken("_sum") || taken("_count") || taken("_bucket"),
            _ => false,
        }
    });
    (!clashes).then_some(after)
}

fn key() -> impl Strategy<Value = Labels> {
    let instance = prop::option::of("[1]?").prop_map(|value| value.map(|value| ("instance".to_owned(), value)));
    (prop::collection::btree_map("[xy]", "[12]", 0..3), instance).prop_map(|(labels, instance)| {
        Labels::new(labels.into_iter().chain(instance).chain([("job".to_owned(), "a".to_owned())]))
    })
}

fn family() -> impl Strategy<Value = MetricFamily> {
    let metric = prop::collection::btree_map("[xy]", "[12]", 0..3);
    let kind =
        prop::sample::select(vec![MetricType::Gauge, MetricType::Gauge, MetricType::Summary, MetricType::Histogram]);
    let name = prop::sample::select(vec!["m", "n", "m_sum", "m_bucket"]);
    (name, kind, prop::collection::vec(metric, 1..3)).prop_map(|(name, kind, metrics)| {
        let value = match kind {
            MetricType::Summary => Value::Summary(Default::default()),
            MetricType::Histogram => Value::Histogram(Box::default()),
            _ => Value::Number(1.0),
        };
        let metric = |labels: BTreeMap<String, String>| Metric {
            labels: labels.into_iter().collect(),
            value: Some(value.clone()),
            timestamp_ms: None,
        };
        let metrics = metrics.into_iter().map(metric).collect();
        MetricFamily { name: name.to_owned(), help: None, kind, metrics }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let families = prop::collection::vec(family(), 0..3).prop_map(|mut families| {
        let mut seen = BTreeSet::new();
        families.retain(|family| seen.insert(family.name.clone()));
        families
    });
    prop_oneof![
        6 => (key(), families, any::<bool>()).prop_map(|(labels, families, replace)| Step::Push { labels, families, replace }),
        1 => key().prop_map(Step::Delete),
    ]
}

proptest! {
    #[test]
    fn what_is_taken_is_what_fits_everything_else(steps in prop::collection::vec(step(), 1..25)) {
        let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 100, series: 100 });
        let mut content = Content::new();
        for step in steps {
            match step {
                Step::Push { labels, families, replace } => {
                    let fits = taken(&content, &labels, &families, replace);
                    let before = groups.clone();
                    let push = |families| Push { key: Key::metrics(labels.clone()), families, replace, at: Timestamp::UNIX_EPOCH, expires: None };
                    let outcome = match prepare(&labels, families.clone(), Timestamp::UNIX_EPOCH) {
                        Ok(families) => groups.push(push(families)).map_err(|error| error.to_string()),
                        Err(error) => Err(error.to_string()),
                    };
                    prop_assert_eq!(outcome.is_ok(), fits.is_some(), "{:?}: {:?}", families, outcome);
                    if outcome.is_err() {
                        prop_assert_eq!(shown(&groups), shown(&before));
                    }
                    content = fits.unwrap_or(content);
                }
                Step::Delete(labels) => prop_assert_eq!(groups.delete(&Key::metrics(labels.clone())), content.remove(&labels).is_some()),
            }
            let wanted: BTreeSet<_> = content.iter().flat_map(|(labels, families)| {
                families.values().map(|family| (family.name.clone(), labels.clone(), family.metrics.len()))
            }).collect();
            prop_assert_eq!(shown(&groups), wanted);
            let series: usize = content.values().flat_map(BTreeMap::values).map(|family| family.metrics.len()).sum();
            prop_assert_eq!(groups.series(), series + 2 * groups.len());
        }
        let mut restored = Groups::new(BTreeMap::new(), Limits { groups: 100, series: 100 });
        restored.restore(groups.iter().rev().map(|group| Group::clone(group)).collect());
        prop_assert_eq!(shown(&restored), shown(&groups));
        for key in groups.iter().map(|group| group.key.clone()).collect::<Vec<_>>() {
            prop_assert_eq!(restored.series(), groups.series());
            prop_assert!(restored.delete(&key) && groups.delete(&key));
        }
        prop_assert_eq!((restored.series(), groups.series()), (0, 0));
    }
}

/// Name, group and number of series of every block; the index of families must say what the groups say.
fn shown(groups: &Groups) -> BTreeSet<(String, Labels, usize)> {
    let (mut shown, mut indexed) = (BTreeSet::new(), BTreeMap::new());
    for group in groups.iter() {
        for block in group.families.iter() {
            let (kind, groups) = indexed.entry(block.name().to_owned()).or_insert((block.kind(), 0));
            assert_eq!(block.kind(), *kind);
            *groups += 1;
            if !is_stamp(block.name()) {
                shown.insert((block.name().to_owned(), group.key.labels.clone(), block.series().len()));
            }
        }
    }
    let families = groups.families().map(|(name, family)| (name.to_string(), (family.head.kind, family.groups)));
    assert_eq!(families.collect::<BTreeMap<_, _>>(), indexed);
    shown
}
