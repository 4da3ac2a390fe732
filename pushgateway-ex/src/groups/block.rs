//! The samples of one family in one group, checked in themselves and rendered.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use exposition::is_label_name;
use exposition::pushed::{
    DecodeError, Metric, MetricFamily, MetricType, Value, decode_metrics, encode_metrics, write_metrics,
};
use jiff::Timestamp;

use super::{Group, PUSH_EXPIRED, PUSH_FAILURE_TIME, PUSH_TIME, is_stamp};
use crate::labels::Labels;

/// The samples of one family in one group. The text is what a scrape takes; the protobuf message is what everything else is made
/// from, the store's copy included.
#[derive(Debug)]
pub struct Block {
    kind: MetricType,
    help: Option<Arc<str>>,
    pushed: Timestamp,
    text: Box<str>,
    message: Box<[u8]>,
    series: Box<[u64]>,
}

/// A push that contradicts itself, or what others pushed. The texts are close to the reference's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// Prometheus would take it for a sample of that time at each scrape.
    #[error("pushed metrics must not have timestamps")]
    Timestamps,
    /// Only from protobuf.
    #[error("collected metric named {0:?} has an invalid name")]
    MetricName(String),
    /// Only from protobuf, or reserved (`__…`).
    #[error("collected metric {metric:?} has a label with an invalid name: {label}")]
    LabelName {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
    },
    /// A label twice.
    #[error("collected metric {metric:?} has two or more labels with the same name: {label}")]
    LabelTwice {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
    },
    /// A summary has that label for its quantiles.
    #[error("collected metric {0:?} must not have an explicit \"quantile\" label")]
    Quantile(String),
    /// A value of another type.
    #[error("collected metric {metric:?} is not a {kind}")]
    NotA {
        /// The metric.
        metric: String,
        /// The type that it should have, in capitals.
        kind: String,
    },
    /// The gateway has a metric of that name.
    #[error("gathered metric family {name} has type {kind} but should have {own}")]
    Reserved {
        /// The name.
        name: String,
        /// The pushed type, in capitals.
        kind: String,
        /// The own one.
        own: String,
    },
    /// A series twice, in one push or in two groups.
    #[error("collected metric {0} was collected before with the same name and label values")]
    Duplicate(String),
    /// A name that a histogram or summary needs for itself.
    #[error("collected metric named {name:?} collides with previously collected {kind} named {other:?}")]
    Suffix {
        /// The name with the suffix.
        name: String,
        /// The type of the other.
        kind: &'static str,
        /// The other.
        other: String,
    },
    /// Text that is none, or a type that there is not.
    #[error(transparent)]
    Message(#[from] DecodeError),
}

/// Families that are checked in themselves.
#[derive(Clone, Debug, Default)]
pub struct Prepared(Vec<(Arc<str>, Arc<Block>)>);

/// The key of the hashes: another one each time the program runs, so that nobody can choose series that collide.
pub(super) static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Puts the group's labels on all metrics, checks them and renders them. Families of the names that the gateway fills itself are left
/// out, as in the reference.
///
/// # Errors
/// See [`Inconsistent`].
pub fn prepare(labels: &Labels, families: Vec<MetricFamily>, at: Timestamp) -> Result<Prepared, Inconsistent> {
    let mut metrics = families.iter().flat_map(|family| &family.metrics);
    if metrics.any(|metric| metric.timestamp_ms.is_some()) {
        return Err(Inconsistent::Timestamps);
    }
    let pushed = families.into_iter().filter(|family| !is_stamp(&family.name));
    pushed
        .map(|family| {
            let name = Arc::from(&*family.name);
            Block::new(labels, family, at).map(|block| (name, Arc::new(block)))
        })
        .collect::<Result<_, _>>()
        .map(Prepared)
}

/// The families that the gateway adds to a group.
pub fn stamps(group: &Group) -> Vec<(Arc<str>, Arc<Block>)> {
    static TEXTS: LazyLock<[(Arc<str>, Arc<str>); 3]> = LazyLock::new(|| {
        let text = |name: &str, help: &str| (Arc::from(name), Arc::from(help));
        [
            text(PUSH_TIME, "Last Unix time when changing this group in the Pushgateway succeeded."),
            text(PUSH_FAILURE_TIME, "Last Unix time when changing this group in the Pushgateway failed."),
            text(PUSH_EXPIRED, "1 for a group that was not pushed again within its time to live."),
        ]
    });
    let seconds = |at: Option<Timestamp>| at.map_or(0.0, |at| at.as_nanosecond() as f64 / 1e9);
    let values = [Some(seconds(group.pushed)), Some(seconds(group.failed)), group.expired.then_some(1.0)];
    let pushed = group.pushed.max(group.failed).unwrap_or(Timestamp::UNIX_EPOCH);
    let stamp = |((name, help), value): (&(Arc<str>, Arc<str>), Option<f64>)| {
        let labels = group.key.labels.on(Vec::new());
        let metrics = [Metric { labels, value: Some(Value::Number(value?)), timestamp_ms: None }];
        let block = Block::render(name, MetricType::Gauge, &metrics, (Some(Arc::clone(help)), pushed));
        Some((Arc::clone(name), Arc::new(block)))
    };
    TEXTS.iter().zip(values).filter_map(stamp).collect()
}

// === impl Block ===

impl Block {
    fn new(labels: &Labels, family: MetricFamily, at: Timestamp) -> Result<Self, Inconsistent> {
        let MetricFamily { name, help, kind, mut metrics } = family;
        if !is_metric_name(&name) {
            return Err(Inconsistent::MetricName(name));
        }
        for metric in &mut metrics {
            metric.labels = labels.on(std::mem::take(&mut metric.labels));
            check(&name, kind, metric)?;
        }
        let block = Self::render(&name, kind, &metrics, (help.map(Arc::from), at));
        let mut seen = HashSet::with_capacity(metrics.len());
        match block.series.iter().zip(&metrics).find(|(series, _)| !seen.insert(**series)) {
            Some((_, twice)) => Err(Inconsistent::Duplicate(shown(&name, &twice.labels))),
            None => Ok(block),
        }
    }

    fn render(name: &str, kind: MetricType, metrics: &[Metric], about: (Option<Arc<str>>, Timestamp)) -> Self {
        let (help, pushed) = about;
        let mut text = String::new();
        write_metrics(name, metrics, &mut text);
        let message = encode_metrics(kind, metrics).into();
        let series = metrics.iter().map(|metric| KEY.hash_one((name, &metric.labels))).collect();
        Self { kind, help, pushed, text: text.into(), message, series }
    }

    /// The block that was stored as this message.
    ///
    /// # Errors
    /// When it is no such message.
    pub fn restore(
        name: &str,
        kind: MetricType,
        message: &[u8],
        about: (Option<Arc<str>>, Timestamp),
    ) -> Result<Self, DecodeError> {
        Ok(Self::render(name, kind, &decode_metrics(name, kind, message)?, about))
    }

    /// The type.
    pub fn kind(&self) -> MetricType {
        self.kind
    }

    /// The help text, if it came with one.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// When it was pushed.
    pub fn pushed(&self) -> Timestamp {
        self.pushed
    }

    /// The sample lines of the classic text format.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The metrics as a part of the family's protobuf message.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// A hash of each series.
    pub fn series(&self) -> &[u64] {
        &self.series
    }

    /// The metrics, read from the message.
    pub fn metrics(&self, name: &str) -> Vec<Metric> {
        decode_metrics(name, self.kind, &self.message).expect("the message was encoded here")
    }
}

// === impl Prepared ===

impl Prepared {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Block>)> {
        self.0.iter().map(|(name, block)| (name, block))
    }

    pub(super) fn from_blocks(blocks: &BTreeMap<Arc<str>, Arc<Block>>) -> Self {
        Self(blocks.iter().map(|(name, block)| (Arc::clone(name), Arc::clone(block))).collect())
    }

    pub(super) fn into_inner(self) -> BTreeMap<Arc<str>, Arc<Block>> {
        self.0.into_iter().collect()
    }
}

fn check(name: &str, kind: MetricType, metric: &Metric) -> Result<(), Inconsistent> {
    if metric.value.is_none() {
        return Err(Inconsistent::NotA { metric: name.to_owned(), kind: kind.word().to_uppercase() });
    }
    let mut before = None;
    for (label, _) in &metric.labels {
        let (metric, label) = (name.to_owned(), label.as_str());
        if before == Some(label) {
            return Err(Inconsistent::LabelTwice { metric, label: label.to_owned() });
        }
        if !is_label_name(label) || label.starts_with("__") {
            return Err(Inconsistent::LabelName { metric, label: label.to_owned() });
        }
        if kind == MetricType::Summary && label == "quantile" {
            return Err(Inconsistent::Quantile(metric));
        }
        before = Some(label);
    }
    Ok(())
}

fn is_metric_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// A series as people write it.
pub(super) fn shown(name: &str, labels: &[(String, String)]) -> String {
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}
