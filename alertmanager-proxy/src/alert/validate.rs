//! What Alertmanager takes and what it refuses.
//!
//! Alertmanager judges a batch in two steps, and so does this module. A batch that is not an array of alerts by its schema
//! is refused as a whole ([`Unreadable`]). After that each alert is judged alone: a bad one ([`Refusal`]) makes the answer a
//! 400, but the good ones of the batch are kept (`api/v2/api.go`, `postAlertsHandler`).

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::value::RawValue;

use super::posted::Posted;
use super::{Alert, Fingerprint, Texts, surrogates};

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
/// Invalid UTF-8, escaped or not, becomes U+FFFD and text behind the array is ignored, as Go's JSON decoder does both.
pub fn read_batch(body: &[u8], names: Names, now: Timestamp) -> Result<(Vec<Alert>, Vec<Refusal>), Unreadable> {
    let text = surrogates::whole(String::from_utf8_lossy(body));
    if text.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    let parsed = Option::<Vec<&RawValue>>::deserialize(&mut serde_json::Deserializer::from_str(&text));
    let objects = parsed.map_err(malformed)?.unwrap_or_default();
    let (mut alerts, mut refused) = (Vec::with_capacity(objects.len()), Vec::new());
    for (index, json) in objects.into_iter().map(RawValue::get).enumerate() {
        match read(index, json, names, now)? {
            Ok(alert) => alerts.push(alert),
            Err(refusal) => refused.push(refusal),
        }
    }
    Ok((alerts, refused))
}

/// The alert at `index`, or why that one is refused.
fn read(index: usize, json: &str, names: Names, now: Timestamp) -> Result<Result<Alert, Refusal>, Unreadable> {
    if json == "null" {
        return Ok(Err(Refusal::Null));
    }
    let posted = Posted::read(json).map_err(|error| malformed(format!("alert {index}: {error}")))?;
    let labels = posted.labels.as_ref().ok_or(Unreadable::NoLabels(index))?;
    let labels: Texts = labels.iter().filter(|(_, value)| !value.is_empty()).collect();
    if let Some(refusal) = refusal(&posted, &labels, names) {
        return Ok(Err(refusal));
    }
    let (fingerprint, object) = (Fingerprint::of(&labels), posted.object(json));
    let has_plain_names = refused_name(&posted, &labels, Names::Legacy).is_none();
    let (labels, starts_at, ends_at) = (Arc::new(labels), posted.starts_at, posted.ends_at);
    Ok(Ok(Alert { object, labels, fingerprint, starts_at, ends_at, received: now, has_plain_names }))
}

/// What Alertmanager finds wrong with one alert, in the order of its checks.
fn refusal(posted: &Posted<'_>, labels: &Texts, names: Names) -> Option<Refusal> {
    if posted.starts_at.zip(posted.ends_at).is_some_and(|(start, end)| end < start) {
        return Some(Refusal::EndsBeforeStart);
    }
    let unlabelled = labels.is_empty().then_some(Refusal::NoLabels);
    unlabelled.or_else(|| refused_name(posted, labels, names))
}

fn refused_name(posted: &Posted<'_>, labels: &Texts, names: Names) -> Option<Refusal> {
    let label = labels.iter().map(|(name, _)| name).find(|name| !names.allow(name));
    let annotation = || posted.annotations.iter().flatten().map(|(name, _)| name).find(|name| !names.allow(name));
    let label = label.map(|name| Refusal::LabelName(name.to_owned()));
    label.or_else(|| annotation().cloned().map(Refusal::AnnotationName))
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
        assert_eq!(batch(r#"[{"labels":{"a":"b"},"labels":null}]"#).unwrap_err(), Unreadable::NoLabels(0));
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
            r#"[{"labels":{"a":"b"},"GeneratorURL":1}]"#,
            r#"[{"labels":{"a":1},"labels":{"a":"b"}}]"#,
            r#"[{"labels":{"a":"b"},"startsAt":"bad","startsAt":"2026-01-01T00:00:00Z"}]"#,
            r#"[["a"]]"#,
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
    fn odd_alerts_are_read_as_alertmanager_reads_them() {
        let texts =
            |texts: &Texts| texts.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(",");
        for (alert, labels, written) in [
            (
                r#"{"labels":{"a":"x\ud800y"}}"#,
                "a=x\u{fffd}y",
                r#"{"labels":{"a":"x\ufffdy"},"annotations":{"new":"1"}}"#,
            ),
            (
                r#"{"labels":{"a":"1","b":"1"},"x":1e999,"labels":{"b":"2"},"x":2}"#,
                "a=1,b=2",
                r#"{"x":1e999,"x":2,"labels":{"a":"1","b":"2"},"annotations":{"new":"1"}}"#,
            ),
            (
                "{\"Labels\":{\"a\":\"1\"},\"ANNOTATION\u{17f}\":{\"b\":\"2\"},\"STARTSAT\":\"2026-01-01\u{20}00:00:00\"}",
                "a=1",
                r#"{"labels":{"a":"1"},"startsAt":"2026-01-01T00:00:00Z","annotations":{"b":"2","new":"1"}}"#,
            ),
            (
                r#"{"labels":{"a":"1"},"annotations":{"b":"1"},"annotations":{"new":"own"},"generatorurl":"http://x"}"#,
                "a=1",
                r#"{"labels":{"a":"1"},"generatorURL":"http://x","annotations":{"b":"1","new":"own"}}"#,
            ),
            (
                r#"{"labels":{"a":"1"},"annotations":{"b":"1"},"annotations":null,"endsAt":"","endsAt":null}"#,
                "a=1",
                r#"{"labels":{"a":"1"},"annotations":{"new":"1"}}"#,
            ),
            (
                r#"{"labels":{"a":"1","b":null},"annotations":{"c":null}}"#,
                "a=1",
                r#"{"labels":{"a":"1","b":null},"annotations":{"c":null,"new":"1"}}"#,
            ),
        ] {
            let (mut alerts, _) = batch(&format!("[{alert}]")).unwrap();
            let alert = alerts.remove(0);
            assert_eq!(texts(alert.labels()), labels);
            let out = alert.into_outgoing(Arc::new([("new", "1")].into_iter().collect()));
            assert_eq!(crate::alert::tests::json(&out), written);
        }
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
