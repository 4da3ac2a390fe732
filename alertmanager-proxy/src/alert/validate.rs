//! What Alertmanager takes and what it refuses.
//!
//! Alertmanager judges a batch in two steps, and so does this module. A batch that is not an array of alerts by its schema
//! is refused as a whole ([`Unreadable`]). After that each alert is judged alone: a bad one ([`Refusal`]) makes the answer a
//! 400, but the good ones of the batch are kept (`api/v2/api.go`, `postAlertsHandler`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Alert, Fingerprint, time};

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
    let parsed = Option::<Vec<Value>>::deserialize(&mut serde_json::Deserializer::from_str(&text));
    let values = parsed.map_err(malformed)?.unwrap_or_default();
    let (mut alerts, mut refused) = (Vec::with_capacity(values.len()), Vec::new());
    for (index, value) in values.into_iter().enumerate() {
        match read(index, value, now)?.ok_or(Refusal::Null).and_then(|alert| alert.valid(names)) {
            Ok(alert) => alerts.push(alert),
            Err(refusal) => refused.push(refusal),
        }
    }
    Ok((alerts, refused))
}

/// The alert at `index`, none for a `null`; an error where it breaks the schema.
fn read(index: usize, value: Value, now: Timestamp) -> Result<Option<Alert>, Unreadable> {
    let object = match value {
        Value::Null => return Ok(None),
        Value::Object(object) => object,
        _ => return Err(malformed(format!("alert {index} is not an object"))),
    };
    let labels = texts(&object, "labels")?.ok_or(Unreadable::NoLabels(index))?;
    texts(&object, "annotations")?;
    let labels: BTreeMap<_, _> =
        labels.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.clone(), value.to_owned())).collect();
    let (starts_at, ends_at) = (instant(&object, "startsAt")?, instant(&object, "endsAt")?);
    if !matches!(object.get("generatorURL"), None | Some(Value::Null | Value::String(_))) {
        return Err(malformed("generatorURL is not a string"));
    }
    Ok(Some(Alert {
        fingerprint: Fingerprint::of(&labels),
        object,
        labels: Arc::new(labels),
        starts_at,
        ends_at,
        received: now,
    }))
}

/// A map of strings; none where the field is absent or null.
fn texts<'a>(
    object: &'a Map<String, Value>,
    field: &str,
) -> Result<Option<impl Iterator<Item = (&'a String, &'a str)>>, Unreadable> {
    let map = match object.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(malformed(format!("{field} is not an object"))),
    };
    if let Some((name, _)) = map.iter().find(|(_, value)| !value.is_string()) {
        return Err(malformed(format!("the value of {name:?} in {field} is not a string")));
    }
    Ok(Some(map.iter().filter_map(|(name, value)| Some((name, value.as_str()?)))))
}

fn instant(object: &Map<String, Value>, field: &str) -> Result<Option<Timestamp>, Unreadable> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => time::parse(text).map_err(|error| malformed(format!("{field}: {error}"))),
        Some(_) => Err(malformed(format!("{field} is not a string"))),
    }
}

fn malformed(reason: impl ToString) -> Unreadable {
    Unreadable::Malformed(reason.to_string())
}

impl Alert {
    /// Alertmanager's checks of one alert, in its order.
    fn valid(self, names: Names) -> Result<Self, Refusal> {
        if let (Some(start), Some(end)) = (self.starts_at, self.ends_at)
            && end < start
        {
            return Err(Refusal::EndsBeforeStart);
        }
        if let Some(name) = self.labels.keys().find(|name| !names.allow(name)) {
            return Err(Refusal::LabelName(name.clone()));
        }
        if self.labels.is_empty() {
            return Err(Refusal::NoLabels);
        }
        let annotations = self.object.get("annotations").and_then(Value::as_object);
        match annotations.and_then(|annotations| annotations.keys().find(|name| !names.allow(name))) {
            Some(name) => Err(Refusal::AnnotationName(name.clone())),
            None => Ok(self),
        }
    }
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
        assert_eq!(**alerts[0].labels(), BTreeMap::from([("a".to_owned(), "\u{fffd}".to_owned())]));
    }

    #[test]
    fn a_bad_alert_costs_no_good_one() {
        let (alerts, refused) = batch(
            r#"[null, {"labels":{"a":"1"}}, {"labels":{"9":"x"}}, {"labels":{"a":""}}, {"labels":{"a":"2"}},
                {"labels":{"a":"b"},"annotations":{"a-b":""}},
                {"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]"#,
        )
        .unwrap();
        assert_eq!(alerts.iter().map(|alert| alert.labels()["a"].as_str()).collect::<Vec<_>>(), ["1", "2"]);
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
