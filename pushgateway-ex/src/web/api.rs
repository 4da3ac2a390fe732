//! The query API.
//!
//! ```text
//! GET      /api/v1/status     what this is, its flags, when it was started
//! GET      /api/v1/metrics    all groups with their metrics
//! OPTIONS  /api/v1/…          200: any page of a browser may ask
//! ```
//!
//! Numbers are strings, as Go prints them. What has an end of its time says so: `push_expires` of the metrics, `push_checks` of
//! the checks.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use check_result::CheckKey;
use exposition::pushed::{Metric, Value as Measured, go_float};
use futures_util::stream;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use service::BuildInfo;

use super::{Gateway, reply};
use crate::groups::{Block, Check, Group, Groups};

/// Groups that are written at a time.
const CHUNK: usize = 32;

/// What `/api/v1/status` says.
pub(super) struct Status {
    info: BuildInfo,
    flags: Vec<(&'static str, String)>,
    started: Timestamp,
}

impl Status {
    pub(super) fn new(info: BuildInfo, flags: Vec<(&'static str, String)>) -> Self {
        Self { info, flags, started: Timestamp::now() }
    }

    pub(super) fn version(&self) -> &'static str {
        self.info.version
    }

    pub(super) fn answer(&self) -> Response {
        let flags: Map<_, _> =
            self.flags.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
        let build = json!({"branch": "", "buildDate": "", "buildUser": "", "goVersion": "",
            "revision": self.info.revision, "version": self.info.version});
        let data = json!({"build_information": build, "flags": flags, "start_time": self.started.to_string()});
        json_body(Body::from(json!({"status": "success", "data": data}).to_string()))
    }
}

impl Gateway {
    pub(super) async fn metrics(&self) -> Response {
        match self.keeper.current().await {
            Ok(groups) => metrics(&groups),
            Err(error) => reply::unavailable(error),
        }
    }
}

/// All groups, written as they are read.
fn metrics(groups: &Groups) -> Response {
    // What a grouping key holds stands side by side.
    let groups: Vec<_> = groups.iter().map(Arc::clone).collect();
    let groups: Vec<_> = groups.chunk_by(|one, other| one.key.labels == other.key.labels).map(<[_]>::to_vec).collect();
    let chunks = groups.len().div_ceil(CHUNK);
    let middle = (0..chunks).map(move |chunk| {
        let from = chunk * CHUNK;
        let written = groups[from..].iter().take(CHUNK).map(|parts| shown(parts).to_string()).collect::<Vec<_>>();
        let comma = if chunk == 0 { "" } else { "," };
        format!("{comma}{}", written.join(","))
    });
    let start = std::iter::once(r#"{"status":"success","data":["#.to_owned());
    let all = start.chain(middle).chain(std::iter::once("]}".to_owned()));
    json_body(Body::from_stream(stream::iter(all.map(|text| Ok::<_, Infallible>(Bytes::from(text))))))
}

pub(super) fn preflight() -> Response {
    let mut response = reply::empty(StatusCode::OK);
    add_cors(response.headers_mut());
    response
}

fn json_body(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    add_cors(response.headers_mut());
    response
}

fn add_cors(headers: &mut HeaderMap) {
    for (name, value) in [
        ("access-control-allow-headers", "Accept, Authorization, Content-Type, Origin"),
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "Date"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
}

/// The metrics and the check results of one grouping key.
fn shown(parts: &[Arc<Group>]) -> Value {
    let mut shown = Map::new();
    shown.insert("labels".to_owned(), labels(parts[0].key.labels.iter()));
    let successful = parts.iter().all(|part| part.pushed.is_some() && part.pushed > part.failed);
    shown.insert("last_push_successful".to_owned(), successful.into());
    for part in parts {
        if let Some(at) = part.expires {
            shown.insert("push_expires".to_owned(), at.to_string().into());
        }
        let checks: Vec<_> = part.checks.iter().filter_map(|(key, check)| end(key, check)).collect();
        if !checks.is_empty() {
            shown.insert("push_checks".to_owned(), checks.into());
        }
    }
    for block in parts.iter().flat_map(|part| part.families.iter()) {
        shown.insert(block.name().to_owned(), family(block));
    }
    Value::Object(shown)
}

/// When the time of a check is over, where it has an end.
fn end(key: &CheckKey, check: &Check) -> Option<Value> {
    let end = check.end?;
    let mut shown = json!({"check": key.check, "expires": end.at.to_string(), "expired": end.over});
    if let Some(source) = &key.source {
        shown["source"] = source.as_str().into();
    }
    Some(shown)
}

fn family(block: Block<'_>) -> Value {
    let mut family = Map::new();
    family.insert("time_stamp".to_owned(), block.pushed().to_string().into());
    family.insert("type".to_owned(), block.kind().word().to_uppercase().into());
    if let Some(help) = block.help().filter(|help| !help.is_empty()) {
        family.insert("help".to_owned(), help.into());
    }
    let metrics: Vec<_> = block.metrics().iter().map(metric).collect();
    family.insert("metrics".to_owned(), metrics.into());
    Value::Object(family)
}

fn metric(metric: &Metric) -> Value {
    let labels = labels(metric.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let number = |value: Option<f64>| go_float(value.unwrap_or_default());
    let count = |value: Option<u64>| value.unwrap_or_default().to_string();
    match &metric.value {
        Some(Measured::Number(value)) => json!({"labels": labels, "value": go_float(*value)}),
        Some(Measured::Summary(summary)) => {
            let quantiles =
                summary.quantiles.iter().map(|quantile| (number(quantile.quantile), number(quantile.value)));
            let quantiles: BTreeMap<_, _> = quantiles.collect();
            let (sum, count) = (number(summary.sample_sum), count(summary.sample_count));
            json!({"labels": labels, "quantiles": quantiles, "sum": sum, "count": count})
        }
        Some(Measured::Histogram(histogram)) => {
            let buckets = histogram.buckets.iter();
            let buckets = buckets.map(|bucket| (number(bucket.upper_bound), count(bucket.cumulative_count)));
            let buckets: BTreeMap<_, _> = buckets.collect();
            let (sum, count) = (number(histogram.sample_sum), count(histogram.sample_count));
            json!({"labels": labels, "buckets": buckets, "sum": sum, "count": count})
        }
        None => json!({"labels": labels}),
    }
}

fn labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Object(labels.map(|(name, value)| (name.to_owned(), value.into())).collect())
}
