//! One alert on its way through the proxy.
//!
//! The object stays as it was posted, unknown fields and their order included (but see `alert/posted.rs`); what the proxy needs of it (labels, times,
//! fingerprint) is read once. Labels are never changed, and an annotation that the rule set is never overwritten.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

mod fingerprint;
mod object;
mod posted;
mod surrogates;
mod texts;
mod time;
mod validate;

pub use fingerprint::Fingerprint;
use object::Object;
pub use texts::Texts;
pub use validate::{Names, Refusal, Unreadable, read_batch};

/// How long Prometheus goes on sending a resolved alert, and so how long a resolved message is worth delivering
/// (`resolvedRetention` in Prometheus's `rules/alerting.go`).
pub const RESOLVED_RETENTION: SignedDuration = SignedDuration::from_mins(15);

/// When Alertmanager resolves an alert without `endsAt`: its default `resolve_timeout`.
const RESOLVE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);

/// How far the clock of who posts may be ahead. The end that Prometheus gives a firing alert is at least four seconds
/// away (`resendDelay` and the interval, whichever is longer, four times), by default four minutes.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// An alert that Alertmanager would take.
#[derive(Clone, Debug)]
pub struct Alert {
    object: Object,
    labels: Arc<Texts>,
    fingerprint: Fingerprint,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    received: Timestamp,
    has_plain_names: bool,
}

/// Which alert it is and how it stands, without what was posted.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Alertmanager's identity of the alert.
    pub fingerprint: Fingerprint,
    /// See [`Alert::labels`].
    pub labels: Arc<Texts>,
    /// See [`Alert::is_resolved`].
    pub resolved: bool,
    /// See [`Alert::last_change`].
    pub changed: Timestamp,
}

/// An alert as it goes to every Alertmanager: what was posted and what is added to it, each shared with whoever else has
/// it, and put together only to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Alertmanager's identity of the alert.
    pub fingerprint: Fingerprint,
    object: Object,
    added: Arc<Texts>,
    /// Whether what was added was taken away again, and only the reason for that added.
    is_reduced: bool,
    /// Whether all names in it are such as every Alertmanager takes.
    pub has_plain_names: bool,
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
    pub fn labels(&self) -> &Arc<Texts> {
        &self.labels
    }

    /// Whether it was resolved already when it was posted, by a clock that may be a little ahead.
    pub fn is_resolved(&self) -> bool {
        self.ends_at.is_some_and(|end| end.duration_since(self.received) <= SKEW)
    }

    /// When the alert last changed: its end where it is resolved, its start otherwise; not after it was posted.
    pub fn last_change(&self) -> Timestamp {
        let change = if self.is_resolved() { self.ends_at } else { self.starts_at };
        change.map_or(self.received, |change| change.min(self.received))
    }

    /// Which alert it is and how it stands.
    pub fn incident(&self) -> Incident {
        Incident {
            fingerprint: self.fingerprint,
            labels: Arc::clone(&self.labels),
            resolved: self.is_resolved(),
            changed: self.last_change(),
        }
    }

    /// With `annotations`, but none that the rule has set.
    pub fn into_outgoing(self, annotations: Arc<Texts>) -> Outgoing {
        let (stale_at, Self { fingerprint, object, has_plain_names, .. }) = (self.stale_at(), self);
        Outgoing { fingerprint, object, added: annotations, is_reduced: false, has_plain_names, stale_at }
    }

    /// From when on delivering it is no use.
    ///
    /// A firing alert delivered after its end would be a resolved one, which nobody posted; a resolved one is worth
    /// nothing once Prometheus itself would have given up. One that is older when it is posted was not made so by waiting
    /// here, and is for Alertmanager to judge, for as long as an alert without an end.
    pub fn stale_at(&self) -> Timestamp {
        let end = |of: Timestamp, after| of.checked_add(after).unwrap_or(Timestamp::MAX);
        let shortest = end(self.received, RESOLVE_TIMEOUT);
        match self.ends_at {
            Some(ended) if self.is_resolved() => end(ended, RESOLVED_RETENTION).max(shortest),
            Some(ends) => ends,
            None => shortest,
        }
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// The alert without what was added to it, but with `reason`, as an annotation, why that is so; one that has only such a reason, as it was
    /// posted; none where nothing was added.
    pub fn reduced(&self, (name, reason): (&str, &str)) -> Option<Self> {
        let reasons = if self.is_reduced { Texts::default() } else { [(name, reason)].into_iter().collect() };
        (!self.added.is_empty()).then(|| Self { added: Arc::new(reasons), is_reduced: true, ..self.clone() })
    }

    /// Bytes of its JSON, roughly.
    pub fn size(&self) -> usize {
        self.object.len() + self.added.size()
    }

    /// Writes its JSON object.
    pub fn write(&self, to: &mut Vec<u8>) {
        self.object.write(&self.added, to);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An alert that is `json`, with a fingerprint of its own for each `name`.
    pub(crate) fn outgoing(name: &str, json: &str, stale_at: Timestamp) -> Outgoing {
        let fingerprint = Fingerprint::of(&[("alertname", name)].into_iter().collect());
        let object = Object::new(json, None);
        Outgoing { fingerprint, object, added: Arc::default(), is_reduced: false, has_plain_names: true, stale_at }
    }

    pub(crate) fn json(alert: &Outgoing) -> String {
        let mut json = Vec::new();
        alert.write(&mut json);
        String::from_utf8(json).unwrap()
    }

    fn alert(json: &str, now: &str) -> Alert {
        let batch = read_batch(format!("[{json}]").as_bytes(), Names::Utf8, now.parse().unwrap()).unwrap();
        batch.0.into_iter().next().unwrap()
    }

    fn texts(texts: &[(&str, &str)]) -> Arc<Texts> {
        Arc::new(texts.iter().copied().collect())
    }

    #[test]
    fn annotations_are_added_and_everything_else_stays_as_it_was() {
        let posted = r#"{"x":{"b":1.50,"a":[]},"labels":{"z":"","alertname":"T"},"annotations":{"output":"rule's"}}"#;
        let added = texts(&[("output", "ours"), ("client", "web-1")]);
        let out = alert(posted, "2026-01-01T00:00:00Z").into_outgoing(added);
        assert_eq!(
            json(&out),
            r#"{"x":{"b":1.50,"a":[]},"labels":{"z":"","alertname":"T"},"annotations":{"output":"rule's","client":"web-1"}}"#
        );
        let reduced = out.reduced(("why", "too long")).unwrap();
        assert_eq!(json(&reduced), posted.replace("rule's\"", "rule's\",\"why\":\"too long\""));
        let bare = reduced.reduced(("why", "not even that")).unwrap();
        assert_eq!(json(&bare), posted);
        assert!(bare.reduced(("why", "not at all")).is_none());
    }

    #[test]
    fn annotations_find_their_place_wherever_it_is() {
        let more = texts(&[("a", "\"1\""), ("b", "2\n")]);
        for (posted, sent) in [
            (r#"{"labels":{"x":"y"}}"#, r#"{"labels":{"x":"y"},"annotations":{"a":"\"1\"","b":"2\n"}}"#),
            (
                r#"{"annotations":null,"labels":{"x":"y"}}"#,
                r#"{"annotations":{"a":"\"1\"","b":"2\n"},"labels":{"x":"y"}}"#,
            ),
            (
                r#"{"annotations": { } ,"labels":{"x":"}"}}"#,
                r#"{"annotations": { "a":"\"1\"","b":"2\n"} ,"labels":{"x":"}"}}"#,
            ),
            (
                r#"{"annotations":{"b":"}"} ,"labels":{"x":"y"}}"#,
                r#"{"annotations":{"b":"}","a":"\"1\""} ,"labels":{"x":"y"}}"#,
            ),
            (
                r#"{"annotations":{"\u0061":"","b":""},"labels":{"x":"y"}}"#,
                r#"{"annotations":{"\u0061":"","b":""},"labels":{"x":"y"}}"#,
            ),
        ] {
            let alert = alert(posted, "2026-01-01T00:00:00Z");
            assert_eq!(json(&alert.clone().into_outgoing(Arc::clone(&more))), sent);
            assert_eq!(json(&alert.into_outgoing(Arc::default())), posted);
        }
    }

    #[test]
    fn an_alert_has_not_changed_after_it_was_posted() {
        let now = "2026-01-01T12:00:00Z";
        for (times, changed) in [
            (r#""endsAt":"2026-01-01T12:00:01Z""#, now),
            (r#""endsAt":"2026-01-01T11:59:59Z""#, "2026-01-01T11:59:59Z"),
            (r#""startsAt":"2026-01-01T12:00:01Z""#, now),
            (r#""startsAt":"2026-01-01T11:00:00Z""#, "2026-01-01T11:00:00Z"),
        ] {
            let alert = alert(&format!(r#"{{"labels":{{"a":"b"}},{times}}}"#), now);
            assert_eq!(alert.last_change().to_string(), changed, "{times}");
        }
    }

    #[test]
    fn an_alert_is_stale_when_it_would_say_something_else() {
        let now = "2026-01-01T12:00:00Z";
        for (times, resolved, stale_at) in [
            (r#""endsAt":"2026-01-01T12:04:00Z""#, false, "2026-01-01T12:04:00Z"),
            (r#""endsAt":"2026-01-01T11:59:00Z""#, true, "2026-01-01T12:14:00Z"),
            (r#""endsAt":"2026-01-01T12:00:02Z""#, true, "2026-01-01T12:15:02Z"),
            (r#""endsAt":"2026-01-01T12:00:03Z""#, false, "2026-01-01T12:00:03Z"),
            (r#""endsAt":"2026-01-01T11:00:00Z""#, true, "2026-01-01T12:05:00Z"),
            (r#""startsAt":"2026-01-01T11:00:00Z""#, false, "2026-01-01T12:05:00Z"),
            (r#""endsAt":"0001-01-01T00:00:00.000Z""#, false, "2026-01-01T12:05:00Z"),
        ] {
            let alert = alert(&format!(r#"{{"labels":{{"a":"b"}},{times}}}"#), now);
            assert_eq!(alert.is_resolved(), resolved, "{times}");
            assert_eq!(alert.into_outgoing(Arc::default()).stale_at.to_string(), stale_at, "{times}");
        }
    }
}
