//! Prometheus's protobuf messages (`io.prometheus.client` of client_model's `metrics.proto`), and the way between them and
//! the model. Fields have the numbers of the `.proto` file; what only newer Prometheus versions know (native histograms, exemplars,
//! created timestamps) is carried along.

mod extent;

use std::collections::HashMap;

use prost::Message;
use prost::encoding::{decode_varint, encode_varint};

use self::extent::extent;
use super::{Metric, MetricFamily, MetricType, Most, Value};

/// Bytes that are no messages, or messages that cannot be metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ends inside a message.
    #[error("unexpected EOF")]
    Truncated,
    /// Not protobuf, or not these messages.
    #[error("{0}")]
    Malformed(String),
    /// A type that the enum does not have.
    #[error("metric family \"{name}\" has the unknown type {number}")]
    UnknownType {
        /// The family.
        name: String,
        /// Its type's number.
        number: i32,
    },
    /// A label that is not text.
    #[error("collected metric \"{family}\" has a label named {label:?} whose value is not utf8")]
    NotUtf8 {
        /// The family.
        family: String,
        /// The label's name, as far as it is text.
        label: String,
    },
}

impl DecodeError {
    /// Whether the messages were read, and what they say cannot be metrics.
    pub fn is_about_content(&self) -> bool {
        matches!(self, Self::UnknownType { .. } | Self::NotUtf8 { .. })
    }
}

/// `io.prometheus.client.MetricFamily`.
#[derive(Clone, PartialEq, Message)]
struct WireFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<WireMetric>,
}

/// Only the metrics of a family, without what they share.
#[derive(Clone, PartialEq, Message)]
struct WireMetrics {
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<WireMetric>,
}

/// `io.prometheus.client.Metric`.
#[derive(Clone, PartialEq, Message)]
struct WireMetric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<WireLabel>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<WireNumber>,
    #[prost(message, optional, tag = "3")]
    counter: Option<WireNumber>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<WireNumber>,
    #[prost(int64, optional, tag = "6")]
    timestamp_ms: Option<i64>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

/// `LabelPair`. Go does not look whether these are UTF-8; the model does.
#[derive(Clone, PartialEq, Message)]
struct WireLabel {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `Gauge`, `Counter` and `Untyped`, as far as they are alike.
#[derive(Clone, Copy, PartialEq, Message)]
struct WireNumber {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

/// `Summary`.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// How many observations.
    #[prost(uint64, optional, tag = "1")]
    pub sample_count: Option<u64>,
    /// Their sum.
    #[prost(double, optional, tag = "2")]
    pub sample_sum: Option<f64>,
    /// The quantiles.
    #[prost(message, repeated, tag = "3")]
    pub quantiles: Vec<Quantile>,
}

/// One quantile of a summary.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Quantile {
    /// Which one, 0 to 1.
    #[prost(double, optional, tag = "1")]
    pub quantile: Option<f64>,
    /// Its value.
    #[prost(double, optional, tag = "2")]
    pub value: Option<f64>,
}

/// `Histogram`. The text formats show what is classic of it.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    /// How many observations.
    #[prost(uint64, optional, tag = "1")]
    pub sample_count: Option<u64>,
    /// Their sum.
    #[prost(double, optional, tag = "2")]
    pub sample_sum: Option<f64>,
    /// The classic buckets.
    #[prost(message, repeated, tag = "3")]
    pub buckets: Vec<Bucket>,
    #[prost(double, optional, tag = "4")]
    sample_count_float: Option<f64>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(double, optional, tag = "8")]
    zero_count_float: Option<f64>,
    #[prost(message, repeated, tag = "9")]
    negative_spans: Vec<Span>,
    #[prost(sint64, repeated, packed = "false", tag = "10")]
    negative_deltas: Vec<i64>,
    #[prost(double, repeated, packed = "false", tag = "11")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    positive_spans: Vec<Span>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_deltas: Vec<i64>,
    #[prost(double, repeated, packed = "false", tag = "14")]
    positive_counts: Vec<f64>,
    /// A `google.protobuf.Timestamp`, as it came.
    #[prost(bytes = "vec", optional, tag = "15")]
    created: Option<Vec<u8>>,
}

/// One bucket of a classic histogram.
#[derive(Clone, PartialEq, Message)]
pub struct Bucket {
    /// Observations up to the bound.
    #[prost(uint64, optional, tag = "1")]
    pub cumulative_count: Option<u64>,
    /// The bound.
    #[prost(double, optional, tag = "2")]
    pub upper_bound: Option<f64>,
    /// In place of the count, where observations have weights.
    #[prost(double, optional, tag = "4")]
    pub cumulative_count_float: Option<f64>,
}

/// A run of buckets of a native histogram.
#[derive(Clone, Copy, PartialEq, Message)]
struct Span {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

/// Reads families, each after its length. Of families of one name the last counts; those without metrics are left out.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_delimited(input: &[u8]) -> Result<Vec<MetricFamily>, DecodeError> {
    Ok(decode_delimited_up_to(input, Most::ANY)?.unwrap_or_default())
}

/// Reads families, as long as there is no more in them than `most`; none where there is, of which nothing more is read or held.
///
/// # Errors
/// As [`decode_delimited`].
pub fn decode_delimited_up_to(mut input: &[u8], most: Most) -> Result<Option<Vec<MetricFamily>>, DecodeError> {
    let (mut families, mut by_name) = (Vec::new(), HashMap::new());
    let mut read = Most::NONE;
    while !input.is_empty() {
        let length = decode_varint(&mut input).map_err(|_| DecodeError::Truncated)?;
        let length = usize::try_from(length).ok().filter(|&length| length <= input.len());
        let (message, rest) = input.split_at(length.ok_or(DecodeError::Truncated)?);
        input = rest;
        read = extent(message, read);
        if read.is_over(&most) {
            return Ok(None);
        }
        let family = family(message)?;
        if let Some(before) = by_name.insert(family.name.clone(), families.len()) {
            families[before] = None;
        }
        families.push(Some(family));
    }
    Ok(Some(families.into_iter().flatten().filter(|family| !family.metrics.is_empty()).collect()))
}

/// Reads what [`encode_metrics`] wrote for a family of this name and type.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_metrics(name: &str, kind: MetricType, input: &[u8]) -> Result<Vec<Metric>, DecodeError> {
    let wire = WireMetrics::decode(input).map_err(|error| DecodeError::Malformed(error.to_string()))?;
    wire.metrics.into_iter().map(|metric| into_metric(metric, name, kind)).collect()
}

/// The metrics of a family as a part of its message: such parts of several groups, one behind the other after
/// [`encode_family_head`], are the message of all of them.
pub fn encode_metrics(kind: MetricType, metrics: &[Metric]) -> Vec<u8> {
    WireMetrics { metrics: metrics.iter().map(|metric| from_metric(metric, kind)).collect() }.encode_to_vec()
}

/// Appends the head of a delimited family: its length, given how long its metrics are together, its name, help and type.
pub fn encode_family_head(name: &str, help: Option<&str>, kind: MetricType, metrics: usize, out: &mut Vec<u8>) {
    let kind = Some(number(kind));
    let head = WireFamily { name: Some(name.to_owned()), help: help.map(str::to_owned), kind, metrics: Vec::new() };
    encode_varint((head.encoded_len() + metrics) as u64, out);
    out.extend(head.encode_to_vec());
}

fn family(message: &[u8]) -> Result<MetricFamily, DecodeError> {
    let wire = WireFamily::decode(message).map_err(|error| DecodeError::Malformed(error.to_string()))?;
    let name = wire.name.unwrap_or_default();
    let code = wire.kind.unwrap_or_default();
    let Some(kind) = MetricType::ALL.into_iter().find(|&kind| number(kind) == code) else {
        return Err(DecodeError::UnknownType { name, number: code });
    };
    let metrics = wire.metrics.into_iter().map(|metric| into_metric(metric, &name, kind)).collect::<Result<_, _>>()?;
    Ok(MetricFamily { metrics, name, help: wire.help, kind })
}

fn number(kind: MetricType) -> i32 {
    match kind {
        MetricType::Counter => 0,
        MetricType::Gauge => 1,
        MetricType::Summary => 2,
        MetricType::Untyped => 3,
        MetricType::Histogram => 4,
    }
}

fn into_metric(wire: WireMetric, family: &str, kind: MetricType) -> Result<Metric, DecodeError> {
    let number = |number: Option<WireNumber>| number.map(|number| Value::Number(number.value.unwrap_or_default()));
    let value = match kind {
        MetricType::Counter => number(wire.counter),
        MetricType::Gauge => number(wire.gauge),
        MetricType::Untyped => number(wire.untyped),
        MetricType::Summary => wire.summary.map(Value::Summary),
        MetricType::Histogram => wire.histogram.map(|histogram| Value::Histogram(Box::new(histogram))),
    };
    let labels = wire.labels.into_iter().map(|label| {
        let not_utf8 = |name: &[u8]| {
            let label = String::from_utf8_lossy(name).into_owned();
            DecodeError::NotUtf8 { family: family.to_owned(), label }
        };
        let value = String::from_utf8(label.value).map_err(|_| not_utf8(&label.name))?;
        let name = String::from_utf8(label.name).map_err(|error| not_utf8(error.as_bytes()))?;
        Ok((name, value))
    });
    Ok(Metric { labels: labels.collect::<Result<_, _>>()?, value, timestamp_ms: wire.timestamp_ms })
}

fn from_metric(metric: &Metric, kind: MetricType) -> WireMetric {
    let label = |(name, value): &(String, String)| WireLabel { name: name.clone().into(), value: value.clone().into() };
    let labels = metric.labels.iter().map(label).collect();
    let mut wire = WireMetric { labels, timestamp_ms: metric.timestamp_ms, ..WireMetric::default() };
    match metric.value.clone() {
        Some(Value::Number(value)) => {
            let value = Some(WireNumber { value: Some(value) });
            match kind {
                MetricType::Counter => wire.counter = value,
                MetricType::Gauge => wire.gauge = value,
                _ => wire.untyped = value,
            }
        }
        Some(Value::Summary(summary)) => wire.summary = Some(summary),
        Some(Value::Histogram(histogram)) => wire.histogram = Some(*histogram),
        None => {}
    }
    wire
}
