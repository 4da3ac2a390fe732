//! What was pushed, checked in itself.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use exposition::is_label_name;
use exposition::pushed::{DecodeError, Metric, MetricFamily, MetricType, Value};
use jiff::Timestamp;

use super::families::Renderer;
use super::{Families, Group, Head, PUSH_CHECK_EXPIRED, PUSH_EXPIRED, PUSH_FAILURE_TIME, PUSH_TIME, is_stamp};
use crate::labels::Labels;

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

/// Puts the group's labels on all metrics, checks them and renders them. Families of the names that the gateway fills itself are left
/// out, as in the reference.
///
/// # Errors
/// See [`Inconsistent`].
pub fn prepare(labels: &Labels, families: Vec<MetricFamily>, at: Timestamp) -> Result<Families, Inconsistent> {
    let mut metrics = families.iter().flat_map(|family| &family.metrics);
    if metrics.any(|metric| metric.timestamp_ms.is_some()) {
        return Err(Inconsistent::Timestamps);
    }
    let mut rendered = Renderer::with_capacity(families.len());
    for family in families.into_iter().filter(|family| !is_stamp(&family.name)) {
        if !is_metric_name(&family.name) {
            return Err(Inconsistent::MetricName(family.name));
        }
        for metric in &family.metrics {
            add(&mut rendered, labels, (&family.name, family.kind), metric)?;
        }
        check_twice(&rendered, labels, &family)?;
        let MetricFamily { name, help, kind, .. } = family;
        rendered.end(Arc::new(Head { name: name.into(), kind, help: help.map(Into::into) }), at);
    }
    Ok(rendered.finish())
}

fn add(
    rendered: &mut Renderer,
    group: &Labels,
    (name, kind): (&str, MetricType),
    metric: &Metric,
) -> Result<(), Inconsistent> {
    let Some(value) = &metric.value else {
        return Err(Inconsistent::NotA { metric: name.to_owned(), kind: kind.word().to_uppercase() });
    };
    let labels = group.on(&metric.labels);
    check_labels(name, kind, &labels)?;
    rendered.metric(name, kind, &labels, value);
    Ok(())
}

/// Whether a series comes twice in one family.
fn check_twice(rendered: &Renderer, group: &Labels, family: &MetricFamily) -> Result<(), Inconsistent> {
    if family.metrics.len() < 2 {
        return Ok(());
    }
    let mut seen = HashSet::with_capacity(family.metrics.len());
    match rendered.series().iter().zip(&family.metrics).find(|(series, _)| !seen.insert(**series)) {
        Some((_, twice)) => Err(Inconsistent::Duplicate(shown(&family.name, &group.on(&twice.labels)))),
        None => Ok(()),
    }
}

/// The families that the gateway adds to a group.
pub fn stamps(group: &Group) -> Families {
    if group.key.checks {
        return marks(group);
    }
    static HEADS: LazyLock<[Arc<Head>; 3]> = LazyLock::new(|| {
        [
            head(PUSH_TIME, "Last Unix time when changing this group in the Pushgateway succeeded."),
            head(PUSH_FAILURE_TIME, "Last Unix time when changing this group in the Pushgateway failed."),
            head(PUSH_EXPIRED, "1 for a group that was not pushed again within its time to live."),
        ]
    });
    let seconds = |at: Option<Timestamp>| at.map_or(0.0, |at| at.as_nanosecond() as f64 / 1e9);
    let values = [Some(seconds(group.pushed)), Some(seconds(group.failed)), group.expired.then_some(1.0)];
    let pushed = group.pushed.max(group.failed).unwrap_or(Timestamp::UNIX_EPOCH);
    let labels = group.key.labels.on(&[]);
    let mut rendered = Renderer::with_capacity(HEADS.len());
    for (head, value) in HEADS.iter().zip(values) {
        let Some(value) = value else { continue };
        rendered.metric(&head.name, head.kind, &labels, &Value::Number(value));
        rendered.end(Arc::clone(head), pushed);
    }
    rendered.finish()
}

/// The marks of the checks whose time is over. They have the labels of the checks' other series: as these are in no other
/// group, they are in none either.
fn marks(group: &Group) -> Families {
    static HEAD: LazyLock<Arc<Head>> = LazyLock::new(|| {
        head(PUSH_CHECK_EXPIRED, "1 for a check whose result was not pushed again within its time to live.")
    });
    let mut rendered = Renderer::with_capacity(1);
    for (key, _) in group.checks.iter().filter(|(_, check)| check.is_over()) {
        let source = key.source.as_ref().map(|source| ("source".to_owned(), source.clone()));
        let own: Vec<_> = [("check".to_owned(), key.check.clone())].into_iter().chain(source).collect();
        rendered.metric(&HEAD.name, HEAD.kind, &group.key.labels.on(&own), &Value::Number(1.0));
    }
    if !rendered.series().is_empty() {
        rendered.end(Arc::clone(&HEAD), group.pushed.unwrap_or(Timestamp::UNIX_EPOCH));
    }
    rendered.finish()
}

fn head(name: &str, help: &str) -> Arc<Head> {
    Arc::new(Head { name: name.into(), kind: MetricType::Gauge, help: Some(help.into()) })
}

/// Whether the names of a metric and of its labels, which are in order, can be shown.
pub(crate) fn check_names(name: &str, kind: MetricType, labels: &[(&str, &str)]) -> Result<(), Inconsistent> {
    if is_metric_name(name) { check_labels(name, kind, labels) } else { Err(Inconsistent::MetricName(name.to_owned())) }
}

fn check_labels(name: &str, kind: MetricType, labels: &[(&str, &str)]) -> Result<(), Inconsistent> {
    let mut before = None;
    for &(label, _) in labels {
        let wrong = || (name.to_owned(), label.to_owned());
        if before == Some(label) {
            let (metric, label) = wrong();
            return Err(Inconsistent::LabelTwice { metric, label });
        }
        if !is_label_name(label) || label.starts_with("__") {
            let (metric, label) = wrong();
            return Err(Inconsistent::LabelName { metric, label });
        }
        if kind == MetricType::Summary && label == "quantile" {
            return Err(Inconsistent::Quantile(name.to_owned()));
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
pub(super) fn shown<S: AsRef<str>>(name: &str, labels: &[(S, S)]) -> String {
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{}={:?}", name.as_ref(), value.as_ref())).collect();
    format!("{name}{{{}}}", labels.join(","))
}
