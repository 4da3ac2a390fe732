//! What Alertmanager takes and what it refuses.
//!
//! Alertmanager judges a batch in two steps, and so does this module. A batch that is not an array of alerts by its schema
//! is refused as a whole ([`Unreadable`]). After that each alert is judged alone: a bad one ([`Refusal`]) makes the answer a
//! 400, but the good ones of the batch are kept (`api/v2/api.go`, `postAlertsHandler`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::object::Object;
use super::{Alert, Fingerprint, Texts, time};

/// Which label and annotation names are valid; Prometheus's words for its `metric_name_validation_scheme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// `[a-zA-Z_][a-zA-Z0-9_]*`: Alertmanager before 0.27 and in its classic mode.
    Legacy,
    /// Any that are not empty: Alertmanager since 0.27.
    Utf8,
}

/// Why a batch as a whole is no array of alerts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is no body.
    #[error("alerts in body is required")]
    Empty,
    /// An alert has no `labels`.
    #[error("{0}.labels in body is required")]
    NoLabels(usize),
    /// Not JSON, not an array, or a field of a wrong type.
    #[error("parsing alerts body from \"\" failed, because {0}")]
    Malformed(String),
}

/// Why one alert of a batch is refused, in Alertmanager's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `null` in place of an alert, on which Alertmanager 0.25 closes the connection.
    #[error("an alert is null")]
    Null,
    /// Its end is before its start.
    #[error("start time must be before end time")]
    EndsBeforeStart,
    /// A label's name is not valid.
    #[error("invalid label set: invalid name {0:?}")]
    LabelName(String),
    /// It has no label with a value.
    #[error("at least one label pair required")]
    NoLabels,
    /// An annotation's name is not valid.
    #[error("invalid annotations: invalid name {0:?}")]
    AnnotationName(String),
}

/// The good alerts of a batch, and why the others are refused.
///
/// Invalid UTF-8 becomes U+FFFD and text behind the array is ignored, as Go's JSON decoder does both.
pub fn read_batch(body: &[u8], names: Names, now: Timestamp) -> Result<(Vec<Alert>, Vec<Refusal>), Unreadable> {
    let text = String::from_utf8_lossy(body);
    if text.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    let parsed = Option::<Vec<&RawValue>>::deserialize(&mut serde_json::Deserializer::from_str(&text));
    let objects = parsed.map_err(malformed)?.unwrap_or_default();
    let (mut alerts, mut refused) = (Vec::with_capacity(objects.len()), Vec::new());
    for (index, json) in objects.into_iter().map(RawValue::get).enumerate() {
        let read =
            if json == "null" { Err(Refusal::Null) } else { Posted::read(index, json)?.alert(json, names, now)? };
        match read {
            Ok(alert) => alerts.push(alert),
            Err(refusal) => refused.push(refusal),
        }
    }
    Ok((alerts, refused))
}

/// What is read of an alert; that it has no other types is Alertmanager's schema.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: Option<BTreeMap<String, String>>,
    #[serde(borrow, default, deserialize_with = "also_null")]
    annotations: Option<&'a RawValue>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    _generator_url: Option<String>,
}

fn also_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

impl<'a> Posted<'a> {
    /// Reads the alert at `index`.
    fn read(index: usize, json: &'a str) -> Result<Self, Unreadable> {
        // A struct may be written as an array, but not an alert.
        if !json.starts_with('{') {
            return Err(malformed(format!("alert {index} is not an object")));
        }
        let posted: Self = serde_json::from_str(json).map_err(|error| malformed(format!("alert {index}: {error}")))?;
        if posted.labels.is_none() { Err(Unreadable::NoLabels(index)) } else { Ok(posted) }
    }

    /// The alert that is `json`, after Alertmanager's checks of one alert, in its order.
    fn alert(self, json: &str, names: Names, now: Timestamp) -> Result<Result<Alert, Refusal>, Unreadable> {
        let annotations = self.annotations.map(RawValue::get);
        let annotated: Option<BTreeMap<String, String>> = serde_json::from_str(annotations.unwrap_or("null"))
            .map_err(|error| malformed(format!("annotations: {error}")))?;
        let labels: Texts = self.labels.into_iter().flatten().filter(|(_, value)| !value.is_empty()).collect();
        let (starts_at, ends_at) = (instant("startsAt", self.starts_at)?, instant("endsAt", self.ends_at)?);
        let mut label_names = labels.iter().map(|(name, _)| name);
        let refusal = if starts_at.zip(ends_at).is_some_and(|(start, end)| end < start) {
            Some(Refusal::EndsBeforeStart)
        } else if let Some(name) = label_names.find(|name| !names.allow(name)) {
            Some(Refusal::LabelName(name.to_owned()))
        } else if labels.is_empty() {
            Some(Refusal::NoLabels)
        } else {
            let name = annotated.into_iter().flatten().map(|(name, _)| name).find(|name| !names.allow(name));
            name.map(Refusal::AnnotationName)
        };
        drop(label_names);
        Ok(refusal.map_or_else(
            || {
                let (fingerprint, object) = (Fingerprint::of(&labels), Object::new(json, annotations));
                Ok(Alert { object, labels: Arc::new(labels), fingerprint, starts_at, ends_at, received: now })
            },
            Err,
        ))
    }
}

fn instant(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Unreadable> {
    text.map_or(Ok(None), |text| time::parse(&text).map_err(|error| malformed(format!("{field}: {error}"))))
}

fn malformed(reason: impl ToString) -> Unreadable {
    Unreadable::Malformed(reason.to_string())
}

impl Names {
    /// Whether `name` is valid.
    pub fn allow(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => {
                !name.starts_with(|c: char| c.is_ascii_digit())
                    && !name.is_empty()
                    && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Batch = Result<(Vec<Alert>, Vec<Refusal>), Unreadable>;

    fn batch(body: &str) -> Batch {
        read_batch(body.as_bytes(), Names::Legacy, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_batch_that_breaks_the_schema_is_refused_as_a_whole() {
        assert_eq!(batch(" \n").unwrap_err(), Unreadable::Empty);
        assert_eq!(batch(r#"[{"labels":{"a":"b"}},{}]"#).unwrap_err(), Unreadable::NoLabels(1));
        assert_eq!(batch(r#"[{"labels":null}]"#).unwrap_err(), Unreadable::NoLabels(0));
        for body in [
            "{}",
            "[1]",
            "[{bad",
            "\u{feff}[]",
            r#"[{"labels":{"a":1}}]"#,
            r#"[{"labels":[]}]"#,
            r#"[{"labels":{"a":"b"},"annotations":{"a":1}}]"#,
            r#"[{"labels":{"a":"b"},"startsAt":"bad"}]"#,
            r#"[{"labels":{"a":"b"},"endsAt":12}]"#,
            r#"[{"labels":{"a":"b"},"generatorURL":1}]"#,
        ] {
            assert!(matches!(batch(body), Err(Unreadable::Malformed(_))), "{body}");
        }
    }

    #[test]
    fn what_alertmanager_takes_is_taken() {
        for (body, count) in [("[]", 0), ("null", 0), (r#"[{"labels":{"a":"b"}}] trailing"#, 1)] {
            let (alerts, refused) = batch(body).unwrap();
            assert_eq!((alerts.len(), refused.len()), (count, 0), "{body}");
        }
        let (alerts, _) =
            read_batch(b"[{\"labels\":{\"a\":\"\xff\",\"e\":\"\"}}]", Names::Legacy, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(alerts[0].labels().iter().collect::<Vec<_>>(), [("a", "\u{fffd}")]);
    }

    #[test]
    fn a_bad_alert_costs_no_good_one() {
        let (alerts, refused) = batch(
            r#"[null, {"labels":{"a":"1"}}, {"labels":{"9":"x"}}, {"labels":{"a":""}}, {"labels":{"a":"2"}},
                {"labels":{"a":"b"},"annotations":{"a-b":""}},
                {"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]"#,
        )
        .unwrap();
        assert_eq!(alerts.iter().filter_map(|alert| alert.labels().get("a")).collect::<Vec<_>>(), ["1", "2"]);
        let words: Vec<_> = refused.iter().map(Refusal::to_string).collect();
        assert_eq!(
            words,
            [
                "an alert is null",
                "invalid label set: invalid name \"9\"",
                "at least one label pair required",
                "invalid annotations: invalid name \"a-b\"",
                "start time must be before end time"
            ]
        );
    }

    #[test]
    fn names_by_scheme() {
        for (name, legacy, utf8) in
            [("a_9", true, true), ("_", true, true), ("9a", false, true), ("été", false, true), ("", false, false)]
        {
            assert_eq!((Names::Legacy.allow(name), Names::Utf8.allow(name)), (legacy, utf8), "{name}");
        }
    }
}
