//! The lines of a summary or histogram, put together.

use super::Part;
use crate::pushed::{Bucket, Histogram, Quantile, Summary};

pub(super) fn add_to_summary(summary: &mut Summary, part: Part, bound: Option<f64>, value: f64) {
    match (part, bound) {
        (Part::Count, _) => summary.sample_count = Some(value as u64),
        (Part::Sum, _) => summary.sample_sum = Some(value),
        (Part::Plain, Some(bound)) if !bound.is_nan() => {
            summary.quantiles.push(Quantile { quantile: Some(bound), value: Some(value) });
        }
        (Part::Plain, _) => {}
    }
}

pub(super) fn add_to_histogram(histogram: &mut Histogram, part: Part, bound: Option<f64>, value: f64) {
    match (part, bound) {
        (Part::Count, _) => histogram.sample_count = Some(value as u64),
        (Part::Sum, _) => histogram.sample_sum = Some(value),
        (Part::Plain, Some(bound)) if !bound.is_nan() => {
            let (cumulative_count, upper_bound) = (Some(value as u64), Some(bound));
            histogram.buckets.push(Bucket { cumulative_count, upper_bound, ..Bucket::default() });
        }
        (Part::Plain, _) => {}
    }
}
