//! Writing the classic text format, one part of a family at a time.

use std::fmt::Write as _;

use super::number::write_go_float;
use super::{Histogram, Metric, MetricType, Value, go_float};
use crate::text::escape;

/// Appends the lines that announce a family.
pub fn write_header(name: &str, help: Option<&str>, kind: MetricType, out: &mut String) {
    if let Some(help) = help {
        let _ = write!(out, "# HELP {name} ");
        escape(help, false, out);
        out.push('\n');
    }
    let _ = writeln!(out, "# TYPE {name} {}", kind.word());
}

/// Appends the sample lines of `metrics`; those without a value are left out.
pub fn write_metrics(name: &str, metrics: &[Metric], out: &mut String) {
    for metric in metrics {
        Line { name, labels: &metric.labels }.write_value(metric.value.as_ref(), "", go_float, out);
    }
}

/// Appends the sample lines of one metric, given its labels and value.
pub fn write_metric(name: &str, labels: &[(&str, &str)], value: &Value, out: &mut String) {
    Line { name, labels }.write_value(Some(value), "", go_float, out);
}

/// What the lines of one metric share.
pub(super) struct Line<'a, S> {
    pub(super) name: &'a str,
    pub(super) labels: &'a [(S, S)],
}

impl<S: AsRef<str>> Line<'_, S> {
    /// The lines of a value: a number under the name with `suffix`, quantiles and buckets with their `bound` as label.
    pub(super) fn write_value(&self, value: Option<&Value>, suffix: &str, bound: fn(f64) -> String, out: &mut String) {
        match value {
            Some(Value::Number(value)) => {
                self.write_series(suffix, None, out);
                write_go_float(*value, out);
                out.push('\n');
            }
            Some(Value::Summary(summary)) => {
                for quantile in &summary.quantiles {
                    let label = bound(quantile.quantile.unwrap_or_default());
                    let value = go_float(quantile.value.unwrap_or_default());
                    self.write("", Some(("quantile", &label)), &value, out);
                }
                self.write_sum_and_count(summary.sample_sum, summary.sample_count, out);
            }
            Some(Value::Histogram(histogram)) => {
                self.write_buckets(histogram, bound, out);
                self.write_sum_and_count(histogram.sample_sum, histogram.sample_count, out);
            }
            None => {}
        }
    }

    /// The last bucket is the infinite one, also where the histogram did not name it.
    fn write_buckets(&self, histogram: &Histogram, bound: fn(f64) -> String, out: &mut String) {
        let ends = histogram.buckets.last().is_some_and(|last| last.upper_bound == Some(f64::INFINITY));
        let named = histogram.buckets.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative_count));
        let last = (!ends).then_some((Some(f64::INFINITY), histogram.sample_count));
        for (upper, count) in named.chain(last) {
            let label = bound(upper.unwrap_or_default());
            self.write("_bucket", Some(("le", &label)), &count.unwrap_or_default().to_string(), out);
        }
    }

    fn write(&self, suffix: &str, more: Option<(&str, &str)>, value: &str, out: &mut String) {
        self.write_series(suffix, more, out);
        out.push_str(value);
        out.push('\n');
    }

    /// A line up to its value.
    fn write_series(&self, suffix: &str, more: Option<(&str, &str)>, out: &mut String) {
        out.push_str(self.name);
        out.push_str(suffix);
        let labels = self.labels.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).chain(more);
        let mut before = '{';
        for (name, value) in labels {
            out.push(before);
            before = ',';
            out.push_str(name);
            out.push_str("=\"");
            escape(value, true, out);
            out.push('"');
        }
        if before == ',' {
            out.push('}');
        }
        out.push(' ');
    }

    fn write_sum_and_count(&self, sum: Option<f64>, count: Option<u64>, out: &mut String) {
        self.write("_sum", None, &go_float(sum.unwrap_or_default()), out);
        self.write("_count", None, &count.unwrap_or_default().to_string(), out);
    }
}
