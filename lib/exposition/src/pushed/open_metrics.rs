//! Writing OpenMetrics 1.0.

use std::fmt::Write as _;

use super::text::Line;
use super::{Metric, MetricType, go_float};
use crate::text::escape;

/// Appends a family, without the `# EOF` that ends a page. As Prometheus's Go library does it: a counter gets the `_total` that it
/// lacks, an untyped family is `unknown`, and the bounds of buckets and quantiles are written as floats.
pub fn write_open_metrics<'a>(
    name: &str,
    help: Option<&str>,
    kind: MetricType,
    metrics: impl Iterator<Item = &'a Metric>,
    out: &mut String,
) {
    let counter = kind == MetricType::Counter;
    let base = name.strip_suffix("_total").filter(|_| counter).unwrap_or(name);
    if let Some(help) = help {
        let _ = write!(out, "# HELP {base} ");
        escape(help, true, out);
        out.push('\n');
    }
    let word = if kind == MetricType::Untyped { "unknown" } else { kind.word() };
    let _ = writeln!(out, "# TYPE {base} {word}");
    let suffix = if counter { "_total" } else { "" };
    for metric in metrics {
        Line { name: base, labels: &metric.labels }.write_value(metric.value.as_ref(), suffix, with_point, out);
    }
}

/// A bound of a bucket: `1.0`, where the classic format says `1`.
fn with_point(bound: f64) -> String {
    let text = go_float(bound);
    if text.contains(['.', 'e', 'N', 'I']) { text } else { format!("{text}.0") }
}
