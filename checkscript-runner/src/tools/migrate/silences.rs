//! What was silenced, as a file for `amtool silence import`.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::account::{Fate, Judgement, Line, Subject, judged};
use super::installation::Silenced;

/// For how long what was silenced for ever is silenced: Alertmanager wants an end.
const FOR_EVER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What says to web-ui that a silence ends with its alerts.
const UNTIL_RESOLVED: &str = "[until resolved]";

/// A silence of Alertmanager's API.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Silence {
    matchers: Vec<Matcher>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: String,
    comment: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    name: &'static str,
    value: String,
    is_regex: bool,
    is_equal: bool,
}

/// The silences that can be had, and what becomes of each entry.
pub(super) fn silences(silenced: &[Silenced], now: Timestamp) -> (Vec<Silence>, Vec<Subject>) {
    let (mut silences, mut subjects) = (Vec::new(), Vec::new());
    for entry in silenced {
        let silence = silence(entry, now);
        let (fate, text) = judge(entry, silence.as_ref());
        silences.extend(silence);
        let line = Line { attribute: String::new(), fate, text };
        subjects.push(Subject { kind: "silenced", name: entry.id.clone(), place: String::new(), lines: vec![line] });
    }
    (silences, subjects)
}

/// `None` where alerts do not say whether they are meant: they do not carry the subscriptions of their nodes.
fn silence(entry: &Silenced, now: Timestamp) -> Option<Silence> {
    let named = |text: &Option<String>| text.clone().filter(|text| text != "*");
    let mut matchers = Vec::new();
    if let Some(subscription) = named(&entry.subscription) {
        matchers.push(Matcher::equal("instance", subscription.strip_prefix("client:")?.to_owned()));
    }
    matchers.extend(named(&entry.check).map(|check| Matcher::equal("check", check)));
    if matchers.is_empty() {
        return None;
    }
    let begin = entry.begin.and_then(|begin| Timestamp::from_second(begin).ok()).filter(|begin| *begin > now);
    let lasts = entry.expire.filter(|seconds| *seconds > 0).map_or(FOR_EVER, SignedDuration::from_secs);
    let starts_at = begin.unwrap_or(now);
    let reason = entry.reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or("silenced in Sensu");
    let mark = if entry.expire_on_resolve { format!(" {UNTIL_RESOLVED}") } else { String::new() };
    Some(Silence {
        matchers,
        starts_at,
        ends_at: starts_at.checked_add(lasts).ok()?,
        created_by: entry.creator.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "sensu".to_owned()),
        comment: format!("{reason}{mark}"),
    })
}

fn judge(entry: &Silenced, silence: Option<&Silence>) -> Judgement {
    let Some(silence) = silence else {
        return judged(
            Fate::ToDo,
            "alerts do not carry the subscriptions of their nodes: silence those nodes by name, or by a label that Prometheus gives its targets",
        );
    };
    if entry.expire.is_none_or(|seconds| seconds <= 0) {
        return judged(
            Fate::Changed,
            format!("a silence that ends on {}: Alertmanager wants an end", silence.ends_at.strftime("%Y-%m-%d")),
        );
    }
    judged(Fate::Carried, "a silence")
}

// === impl Matcher ===

impl Matcher {
    fn equal(name: &'static str, value: String) -> Self {
        Self { name, value, is_regex: false, is_equal: true }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(entry: serde_json::Value) -> Option<Silence> {
        silence(&serde_json::from_value(entry).unwrap(), "2026-11-18T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn entries_become_silences() {
        let got =
            read(json!({"id": "client:web-1:disk", "subscription": "client:web-1", "check": "disk", "expire": 3600,
            "expire_on_resolve": true, "creator": "ann", "reason": "new disk"}))
            .unwrap();
        let matchers: Vec<_> = got.matchers.iter().map(|matcher| (matcher.name, &*matcher.value)).collect();
        assert_eq!(matchers, [("instance", "web-1"), ("check", "disk")]);
        assert_eq!((&*got.created_by, &*got.comment), ("ann", "new disk [until resolved]"));
        assert_eq!(got.ends_at.to_string(), "2026-11-18T01:00:00Z");
    }

    #[test]
    fn what_is_for_ever_gets_an_end_and_what_begins_later_does() {
        let got =
            read(json!({"id": "*:disk", "subscription": null, "check": "disk", "expire": -1, "begin": 1_795_000_000}))
                .unwrap();
        assert_eq!((got.starts_at.as_second(), &*got.comment), (1_795_000_000, "silenced in Sensu"));
        assert_eq!(got.ends_at.duration_since(got.starts_at), FOR_EVER);
    }

    #[test]
    fn subscriptions_and_everything_are_not_guessed() {
        assert_eq!(read(json!({"id": "db:*", "subscription": "db", "expire": -1})), None);
        assert_eq!(read(json!({"id": "*:*", "expire": -1})), None);
    }
}
