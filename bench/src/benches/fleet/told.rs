//! What Alertmanager told, and whether it was what had to be told: each alert once, with its check's output.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use crate::serve::serve;

/// A webhook that keeps what it is told, until somebody has judged it.
pub(super) struct Told {
    url: String,
    messages: Arc<Mutex<Vec<Message>>>,
}

/// One alert of one notification.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// In seconds since the epoch.
    pub(super) received: f64,
    /// Since when it fires, in seconds since the epoch.
    pub(super) began: f64,
    pub(super) is_resolved: bool,
    pub(super) name: String,
    pub(super) check: Failed,
    /// The check's output, or why there is none.
    pub(super) output: Option<String>,
    pub(super) detail_error: Option<String>,
}

/// A node's address and a check of it.
pub(super) type Failed = (String, String);

/// What came of checks that failed together, or recovered.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Of each check that was told of, seconds from its result to the first message.
    pub(super) after_result: Vec<f64>,
    /// The first part of that: to the beginning of the evaluation that finds it, which is when an alert says that it began.
    pub(super) to_evaluation: Vec<f64>,
    /// The second: from there to the message.
    pub(super) to_message: Vec<f64>,
    /// Checks of which nothing was told.
    pub(super) lost: usize,
    /// Messages beyond a check's first. With one Prometheus, one proxy and one Alertmanager: twins of a pair are not tried.
    pub(super) doubled: usize,
    /// Checks whose first message has not the output that it is about, but says why: by the reason.
    pub(super) reasons: BTreeMap<String, usize>,
    /// Those that have neither.
    pub(super) without_detail: usize,
    /// Alerts of something else, by name.
    pub(super) others: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Notification {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: jiff::Timestamp,
}

// === impl Told ===

impl Told {
    pub(super) fn start() -> anyhow::Result<Self> {
        let messages = Arc::<Mutex<Vec<Message>>>::default();
        let router = Router::new().route("/told", post(keep)).with_state(Arc::clone(&messages));
        Ok(Self { url: format!("http://{}/told", serve(router)?), messages })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// How many messages there are.
    pub(super) fn count(&self) -> usize {
        self.messages().len()
    }

    /// Which checks they are about.
    pub(super) fn checks(&self) -> BTreeSet<Failed> {
        self.messages().iter().map(|message| message.check.clone()).collect()
    }

    /// The messages, each once: whoever takes them has to judge them.
    pub(super) fn take(&self) -> Vec<Message> {
        mem::take(&mut self.messages())
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(State(messages): State<Arc<Mutex<Vec<Message>>>>, Json(told): Json<Notification>) {
    let received = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let new = told.alerts.into_iter().map(|alert| alert.into_message(received));
    messages.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
}

// === impl Alert ===

impl Alert {
    fn into_message(mut self, received: f64) -> Message {
        let mut label = |name: &str| self.labels.remove(name).unwrap_or_default();
        let instance = label("instance");
        let node = instance.rsplit_once(':').map_or(&*instance, |(address, _)| address).to_owned();
        Message {
            received,
            began: self.starts_at.as_microsecond() as f64 / 1e6,
            is_resolved: self.status == "resolved",
            name: label("alertname"),
            check: (node, label("check")),
            output: self.annotations.remove("output"),
            detail_error: self.annotations.remove("detail_error"),
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// Holds `messages` against the checks that failed at `at`, in that incident.
    pub(super) fn of_failures(failed: &BTreeSet<Failed>, messages: &[Message], (at, incident): (f64, u64)) -> Self {
        let head = format!("CRITICAL: incident {incident}, ");
        Self::of(failed, messages, at, |message| {
            let said = message.output.as_deref().is_some_and(|output| {
                output.starts_with(&head) && output.contains(&format!("{} on {},", message.check.1, message.check.0))
            });
            !message.is_resolved && said
        })
    }

    /// Holds `messages` against the checks that recovered at `at`: each has to say with which output it did.
    pub(super) fn of_recoveries(recovered: &BTreeSet<Failed>, messages: &[Message], at: f64) -> Self {
        Self::of(recovered, messages, at, |message| {
            let head = format!("OK: {} on {},", message.check.1, message.check.0);
            message.is_resolved && message.output.as_deref().is_some_and(|output| output.starts_with(&head))
        })
    }

    fn of(expected: &BTreeSet<Failed>, messages: &[Message], at: f64, is_whole: impl Fn(&Message) -> bool) -> Self {
        let (mut verdict, mut told) = (Self::default(), BTreeSet::new());
        for message in messages {
            if message.name != "CheckCritical" || !expected.contains(&message.check) {
                *verdict.others.entry(message.name.clone()).or_default() += 1;
            } else if told.insert(&message.check) {
                verdict.after_result.push(message.received - at);
                verdict.to_evaluation.push(message.began - at);
                verdict.to_message.push(message.received - message.began);
                match &message.detail_error {
                    _ if is_whole(message) => {}
                    Some(reason) => *verdict.reasons.entry(reason.replace(&message.check.0, "NODE")).or_default() += 1,
                    None => verdict.without_detail += 1,
                }
            } else {
                verdict.doubled += 1;
            }
        }
        verdict.lost = expected.len() - told.len();
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(check: &str, received: f64, output: Option<&str>) -> Message {
        Message {
            received,
            began: received - 1.0,
            is_resolved: false,
            name: "CheckCritical".to_owned(),
            check: ("127.1.0.1".to_owned(), check.to_owned()),
            output: output.map(str::to_owned),
            detail_error: None,
        }
    }

    fn failed(checks: &[&str]) -> BTreeSet<Failed> {
        checks.iter().map(|check| ("127.1.0.1".to_owned(), (*check).to_owned())).collect()
    }

    #[test]
    fn what_is_lost_doubled_or_without_its_output_is_found() {
        let output =
            |incident: u64, check: &str| format!("CRITICAL: incident {incident}, {check} on 127.1.0.1, 95% used");
        let whole = message("a", 12.0, Some(&output(2, "a")));
        let reason = Message { detail_error: Some("127.1.0.1 timed out".to_owned()), ..message("c", 13.0, None) };
        let messages = [
            whole.clone(),
            whole,
            message("b", 13.0, Some(&output(1, "b"))),
            reason,
            Message { name: "NodeDown".to_owned(), ..message("", 14.0, None) },
        ];
        let verdict = Verdict::of_failures(&failed(&["a", "b", "c", "d"]), &messages, (10.0, 2));
        let found = (verdict.lost, verdict.doubled, verdict.without_detail, verdict.reasons["NODE timed out"]);
        assert_eq!((found, verdict.others["NodeDown"]), ((1, 1, 1, 1), 1));
        assert_eq!(verdict.after_result, [2.0, 3.0, 3.0]);
        assert_eq!((verdict.to_evaluation[0], verdict.to_message[0]), (1.0, 1.0));
    }

    #[test]
    fn an_end_that_is_told_as_an_alert_is_none() {
        let well = |check: &str| format!("OK: {check} on 127.1.0.1, 17% used");
        let resolved = Message { is_resolved: true, ..message("a", 12.0, Some(&well("a"))) };
        let verdict = Verdict::of_recoveries(&failed(&["a", "b"]), &[resolved, message("b", 12.0, None)], 10.0);
        assert_eq!((verdict.lost, verdict.without_detail), (0, 1));
    }

    #[test]
    fn an_end_has_the_output_of_the_recovery_or_the_reason() {
        let resolved = |check: &str, output| Message { is_resolved: true, ..message(check, 12.0, output) };
        let messages = [
            resolved("a", Some("CRITICAL: incident 1, a on 127.1.0.1, 95% used")),
            resolved("b", Some("OK: a on 127.1.0.1, 17% used")),
            resolved("c", None),
            Message { detail_error: Some("127.1.0.1 timed out".to_owned()), ..resolved("d", None) },
        ];
        let verdict = Verdict::of_recoveries(&failed(&["a", "b", "c", "d"]), &messages, 10.0);
        assert_eq!((verdict.without_detail, verdict.reasons["NODE timed out"]), (3, 1));
    }
}
