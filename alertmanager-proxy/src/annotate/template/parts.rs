//! What templates are made of.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use check_result::api::Detail;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::Value;
use serde_json::Value as Json;
use url::Url;

use crate::alert::Texts;
use crate::annotate::{Annotations, Context, annotate, fit, text};

/// What there is besides the default annotations.
pub(super) const OBJECTS: [&str; 3] = ["labels", "check", "client_attributes"];

/// Bytes of any one value.
const PART: usize = 32 << 10;

/// The parts for one detail.
pub(super) fn parts(detail: &Detail, context: &Context<'_>, defaults: &Annotations) -> Value {
    let mut parts: BTreeMap<String, Value> =
        defaults.iter().map(|(name, text)| (name.to_string(), Value::from(text.as_str()))).collect();
    let labels: BTreeMap<_, _> = context.labels.iter().map(|(name, value)| (name.to_owned(), fit(value))).collect();
    parts.insert("labels".to_owned(), Value::from(labels));
    parts.insert("check".to_owned(), object(detail.result.check()));
    parts.insert("client_attributes".to_owned(), object(&detail.client_attributes));
    Value::from(parts)
}

fn object(fields: &check_result::Object) -> Value {
    Value::from(fields.iter().map(|(name, field)| (name.clone(), value(field))).collect::<BTreeMap<_, _>>())
}

/// Digits beyond those of a 64-bit number are for nobody to read.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(yes) => Value::from(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => number.as_f64().map(Value::from).unwrap_or_default(),
        },
        Json::String(raw) => Value::from(text::fit(raw, PART)),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(fields) => object(fields),
    }
}

/// Those of a detail that has everything, for trying a template out.
pub(super) static EVERYTHING: LazyLock<Value> = LazyLock::new(|| {
    let Sample { detail, url, labels } = Sample::new();
    let (now, zone) = (Timestamp::now(), TimeZone::UTC);
    let context = Context { url: &url, zone: &zone, labels: &labels, last_change: now, now };
    let defaults = annotate(&detail, &context);
    parts(&detail, &context, &defaults)
});

/// A detail that has everything, for trying a template out.
pub(super) struct Sample {
    pub(super) detail: Detail,
    pub(super) url: Url,
    pub(super) labels: Texts,
}

// === impl Sample ===

impl Sample {
    pub(super) fn new() -> Self {
        let check = serde_json::json!({
            "name": "disk", "command": "check-disk", "interval": 60, "handlers": ["mail"], "subscribers": ["base"],
            "notification": "Disk is full", "playbook": "https://wiki/disk", "occurrences": 1,
            "hooks": {"critical": {"command": "df", "output": "/ 93%\n", "status": 0}},
            "issued": 1_787_000_645, "executed": 1_787_000_645, "duration": 0.012, "status": 2,
            "output": "CRITICAL: / 93%\nmore\n"
        });
        let body = serde_json::json!({
            "labels": {"check": "disk"}, "client": "web-1", "check": check, "occurrences": 4,
            "status_changed": 1_787_000_000,
            "client_attributes": {"name": "web-1", "address": "10.0.0.1", "subscriptions": ["base", "web"]}
        });
        let labels =
            [("alertname", "CheckCritical"), ("severity", "critical"), ("check", "disk"), ("instance", "web-1:9780")];
        Self {
            detail: serde_json::from_value(body).expect("the sample is a detail"),
            url: Url::parse("http://web-1:9780/api/v1/checks/disk").expect("the sample's URL is one"),
            labels: labels.into_iter().collect(),
        }
    }
}
