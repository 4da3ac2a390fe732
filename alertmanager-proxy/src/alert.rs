//! One alert on its way through the proxy.
//!
//! The object stays as it was posted, unknown fields and their order included; what the proxy needs of it (labels, times,
//! fingerprint) is read once. Labels are never changed, and an annotation that the rule set is never overwritten.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

mod fingerprint;
mod time;
mod validate;

pub use fingerprint::Fingerprint;
pub use validate::{Names, Refusal, Unreadable, read_batch};

/// Names and texts that the proxy adds to an alert. Most names are the defaults, which take no memory.
pub type Annotations = IndexMap<Cow<'static, str>, String>;

/// How long Prometheus goes on sending a resolved alert, and so how long a resolved message is worth delivering
/// (`resolvedRetention` in Prometheus's `rules/alerting.go`).
pub const RESOLVED_RETENTION: SignedDuration = SignedDuration::from_mins(15);

/// When Alertmanager resolves an alert without `endsAt`: its default `resolve_timeout`.
const RESOLVE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);

/// An alert that Alertmanager would take.
#[derive(Clone, Debug)]
pub struct Alert {
    object: Map<String, Value>,
    labels: Arc<BTreeMap<String, String>>,
    fingerprint: Fingerprint,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    received: Timestamp,
}

/// An alert as it goes to every Alertmanager: serialised once, shared by all senders.
#[derive(Debug)]
pub struct Outgoing {
    /// Alertmanager's identity of the alert.
    pub fingerprint: Fingerprint,
    /// The JSON object.
    pub json: Bytes,
    /// The same as it was posted, where annotations were added to it.
    pub bare: Option<Bytes>,
    /// From when on delivering it would say something else than what was posted, or nothing any more.
    pub stale_at: Timestamp,
}

// === impl Alert ===

impl Alert {
    /// Alertmanager's identity of the alert.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The labels; one with an empty value is none, as in Alertmanager.
    pub fn labels(&self) -> &Arc<BTreeMap<String, String>> {
        &self.labels
    }

    /// Whether it was resolved already when it was posted.
    pub fn is_resolved(&self) -> bool {
        self.ends_at.is_some_and(|end| end <= self.received)
    }

    /// When the alert last changed: its end where it is resolved, its start otherwise.
    pub fn last_change(&self) -> Timestamp {
        let change = if self.is_resolved() { self.ends_at } else { self.starts_at };
        change.unwrap_or(self.received)
    }

    /// Adds `annotations`, but none that the rule has set, and serialises.
    pub fn into_outgoing(mut self, annotations: &Annotations) -> Outgoing {
        let bare = (!annotations.is_empty()).then(|| self.json());
        if !annotations.is_empty() {
            let present = self.object.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
            if present.is_null() {
                *present = Value::Object(Map::new());
            }
            if let Value::Object(present) = present {
                for (name, text) in annotations {
                    present.entry(&**name).or_insert_with(|| Value::String(text.clone()));
                }
            }
        }
        Outgoing { fingerprint: self.fingerprint, json: self.json(), bare, stale_at: self.stale_at() }
    }

    fn json(&self) -> Bytes {
        serde_json::to_vec(&self.object).expect("a JSON object always serialises").into()
    }

    /// A firing alert delivered after its end would be a resolved one, which nobody posted; a resolved one is worth
    /// nothing once Prometheus itself would have given up.
    fn stale_at(&self) -> Timestamp {
        let end = match self.ends_at {
            Some(end) if self.is_resolved() => end.checked_add(RESOLVED_RETENTION),
            Some(end) => Ok(end),
            None => self.received.checked_add(RESOLVE_TIMEOUT),
        };
        end.unwrap_or(Timestamp::MAX)
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// The alert without what was added to it; none where nothing was.
    pub fn bare(&self) -> Option<Self> {
        let json = self.bare.clone()?;
        Some(Self { fingerprint: self.fingerprint, json, bare: None, stale_at: self.stale_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn alert(json: &str, now: &str) -> Alert {
        let batch = read_batch(format!("[{json}]").as_bytes(), Names::Utf8, now.parse().unwrap()).unwrap();
        batch.0.into_iter().next().unwrap()
    }

    #[test]
    fn annotations_are_added_and_everything_else_stays_as_it_was() {
        let posted = r#"{"x":{"b":1.50,"a":[]},"labels":{"z":"","alertname":"T"},"annotations":{"output":"rule's"}}"#;
        let added = Annotations::from([("output".into(), "ours".to_owned()), ("client".into(), "web-1".to_owned())]);
        let out = alert(posted, "2026-01-01T00:00:00Z").into_outgoing(&added);
        assert_eq!(
            out.json,
            r#"{"x":{"b":1.50,"a":[]},"labels":{"z":"","alertname":"T"},"annotations":{"output":"rule's","client":"web-1"}}"#
        );
        assert_eq!(out.bare().unwrap().json, posted);
        assert!(out.bare().unwrap().bare().is_none());
        let bare = alert(r#"{"labels":{"a":"b"}}"#, "2026-01-01T00:00:00Z").into_outgoing(&Annotations::new());
        assert_eq!((bare.json, bare.bare), (r#"{"labels":{"a":"b"}}"#.into(), None));
        let null = alert(r#"{"labels":{"a":"b"},"annotations":null}"#, "2026-01-01T00:00:00Z");
        let added = Annotations::from([("client".into(), "web-1".to_owned())]);
        assert_eq!(null.into_outgoing(&added).json, r#"{"labels":{"a":"b"},"annotations":{"client":"web-1"}}"#);
    }

    #[test]
    fn an_alert_is_stale_when_it_would_say_something_else() {
        let now = "2026-01-01T12:00:00Z";
        for (times, resolved, stale_at) in [
            (r#""endsAt":"2026-01-01T12:04:00Z""#, false, "2026-01-01T12:04:00Z"),
            (r#""endsAt":"2026-01-01T11:59:00Z""#, true, "2026-01-01T12:14:00Z"),
            (r#""startsAt":"2026-01-01T11:00:00Z""#, false, "2026-01-01T12:05:00Z"),
            (r#""endsAt":"0001-01-01T00:00:00.000Z""#, false, "2026-01-01T12:05:00Z"),
        ] {
            let alert = alert(&format!(r#"{{"labels":{{"a":"b"}},{times}}}"#), now);
            assert_eq!(alert.is_resolved(), resolved, "{times}");
            assert_eq!(alert.into_outgoing(&Annotations::new()).stale_at.to_string(), stale_at, "{times}");
        }
    }
}
