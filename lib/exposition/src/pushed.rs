//! Families that came from elsewhere and go on as they came: what a push gateway takes and gives.
//!
//! Where [`Family`](crate::Family) is made at a scrape from what a program knows, a [`MetricFamily`] is read, in the classic text
//! format ([`parse_text`]) or as Prometheus's protobuf messages ([`decode_delimited`]), and written in any format. It has all
//! types of the Prometheus data model. The readers are as strict as the ones of Prometheus's Go libraries, and say the same words
//! of what they refuse, since clients were written against those.

mod number;
mod open_metrics;
mod parse;
mod text;
mod wire;

pub use number::go_float;
pub use open_metrics::write_open_metrics;
pub use parse::{ParseError, parse_text, parse_text_up_to};
pub use text::{write_header, write_metric, write_metrics};
pub use wire::{
    Bucket, DecodeError, Histogram, Quantile, Summary, decode_delimited, decode_delimited_up_to, decode_metrics,
    encode_family_head, encode_metrics,
};

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles, sum and count.
    Summary,
    /// Not said.
    Untyped,
    /// Buckets, sum and count.
    Histogram,
}

/// All metrics of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricFamily {
    /// The name. From text it is a valid one; from protobuf it may be anything.
    pub name: String,
    /// The help text, where there was one.
    pub help: Option<String>,
    /// The type.
    pub kind: MetricType,
    /// The metrics, in the order they came.
    pub metrics: Vec<Metric>,
}

/// One metric: the labels and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Names and values, in the order they came.
    pub labels: Vec<(String, String)>,
    /// The value, in the form that the family's type asks for; none where a protobuf message had another one or none.
    pub value: Option<Value>,
    /// When it was measured, in milliseconds, where that was said.
    pub timestamp_ms: Option<i64>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter, a gauge or an untyped metric.
    Number(f64),
    /// Of a summary.
    Summary(Summary),
    /// Of a histogram.
    Histogram(Box<Histogram>),
}

/// How much may be read: a metric without a label has some bytes in a text and two in a message, and takes hundreds in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Metrics.
    pub metrics: usize,
    /// Families, labels, quantiles, buckets and what else has a place of its own in memory.
    pub parts: usize,
}

// === impl Most ===

impl Most {
    /// As much as there is.
    pub const ANY: Self = Self { metrics: usize::MAX, parts: usize::MAX };
    const NONE: Self = Self { metrics: 0, parts: 0 };
    /// Parts of a metric, on an average of many.
    const PARTS: usize = 16;
    /// Parts that few metrics may have.
    const PARTS_OF_FEW: usize = 10_000;

    /// So many metrics, with as many labels and buckets as these have.
    #[must_use]
    pub fn metrics(metrics: usize) -> Self {
        Self { metrics, parts: metrics.saturating_mul(Self::PARTS).max(Self::PARTS_OF_FEW) }
    }

    fn is_over(&self, most: &Self) -> bool {
        self.metrics > most.metrics || self.parts > most.parts
    }
}

// === impl MetricType ===

impl MetricType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Counter, Self::Gauge, Self::Summary, Self::Untyped, Self::Histogram];

    /// The word of the classic text format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
            Self::Histogram => "histogram",
        }
    }
}
