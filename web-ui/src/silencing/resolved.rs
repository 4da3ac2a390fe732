//! When a silence that is marked so has nothing to mute any more: its alerts are gone, and have been for two evaluations.
//!
//! An alert that is not there says little: it may be gone because nobody looks any more. So an evaluation in which
//! anything is doubtful counts as one in which the alert fires, and the silence stays until its hard end:
//!
//! - an Alertmanager of the cluster does not answer, or Prometheus does not, or is not fresh;
//! - Prometheus has the alert, firing or waiting to;
//! - the node that the silence names is down, or no target any more;
//! - the check that it names has no series any more: nobody runs it, which is not the same as that it is well.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{mark, proposal};
use crate::alertmanager::{Silence, SilenceState};
use crate::matcher::{Labels, Matcher};
use crate::prometheus::quoted;
use crate::view::{Silenced, View};

/// Evaluations that have to follow the first one without an alert.
pub const EVALUATIONS: u32 = 2;

/// Labels by which Prometheus knows a check and its node.
const KNOWN: [&str; 4] = ["job", "instance", "check", "source"];

/// What an evaluation finds of a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing fires that it matches.
    Quiet,
    /// Something does, or it is not known that nothing does.
    Busy,
}

/// For how many evaluations in a row silences have been quiet.
#[derive(Debug, Default)]
pub struct Quiet(HashMap<String, (Timestamp, u32)>);

/// What Prometheus is asked, and what its answer has to be like for the alert to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The expression.
    pub expression: String,
    /// What has to be in the answer: for each label these values, or at least anything; nothing must be if it is none.
    pub wanted: Option<Vec<(String, Vec<String>)>>,
}

// === impl Quiet ===

impl Quiet {
    /// Notes what an evaluation found of these silences and forgets all others; those that are to end now.
    pub fn evaluated(&mut self, found: Vec<(Silence, Finding)>) -> Vec<Silence> {
        let ids: HashSet<_> = found.iter().map(|(silence, _)| silence.id.clone()).collect();
        self.0.retain(|id, _| ids.contains(id));
        found
            .into_iter()
            .filter(|(silence, finding)| self.noted(silence, finding))
            .map(|(silence, _)| silence)
            .collect()
    }

    fn noted(&mut self, silence: &Silence, finding: &Finding) -> bool {
        if *finding == Finding::Busy {
            self.0.remove(&silence.id);
            return false;
        }
        let (updated, count) = self.0.entry(silence.id.clone()).or_insert((silence.updated_at, 0));
        // One that has been changed says anew from when on it waits.
        if *updated != silence.updated_at {
            (*updated, *count) = (silence.updated_at, 0);
        }
        *count += 1;
        *count > EVALUATIONS
    }
}

/// The silences of a view that end with their alerts, if they have begun.
pub fn marked(view: &View) -> impl Iterator<Item = &Silenced> {
    view.silences.said.iter().filter(|silenced| {
        let Silence { status, comment, .. } = &silenced.silence;
        status.state == SilenceState::Active && mark::read(comment).1 && !silenced.matchers.is_empty()
    })
}

/// What Alertmanagers say of a silence. All of them have to answer, and so has Prometheus.
pub fn in_view(view: &View, silenced: &Silenced) -> Finding {
    let is_whole = view.alerts.at.is_some() && !view.alerts.is_old && view.alerts.failures.is_empty();
    let is_fresh = view.metrics.at.is_some() && !view.metrics.is_old;
    let fires = view.alerts.said.iter().any(|fired| silenced.matches(&fired.alert.labels));
    if is_whole && is_fresh && !fires { Finding::Quiet } else { Finding::Busy }
}

/// What Prometheus is asked of a silence that nothing matches.
pub fn questions(matchers: &[Matcher]) -> Vec<Question> {
    let known: Vec<_> = matchers.iter().filter(|matcher| KNOWN.contains(&matcher.name.as_str())).collect();
    let of_node: Vec<_> =
        known.iter().filter(|matcher| ["job", "instance"].contains(&matcher.name.as_str())).copied().collect();
    let names = |name: &str| matchers.iter().any(|matcher| matcher.name == name && !matcher.matches(&Labels::new()));
    let mut questions =
        vec![Question { expression: selector("ALERTS", &matchers.iter().collect::<Vec<_>>()), wanted: None }];
    if names("instance") {
        questions.push(Question { expression: format!("{} == 0", selector("up", &of_node)), wanted: None });
    }
    let by: Vec<_> = ["instance", "check"].into_iter().filter(|name| names(name)).collect();
    if by.is_empty() {
        return questions;
    }
    let metric = if names("check") {
        selector("checkscript_status", &known)
    } else {
        format!("({} or {})", selector("up", &of_node), selector("checkscript_status", &of_node))
    };
    let wanted = by.iter().map(|name| ((*name).to_owned(), listed(matchers, name))).collect();
    questions.push(Question { expression: format!("count by ({}) ({metric})", by.join(", ")), wanted: Some(wanted) });
    questions
}

/// The values of a label that matchers list.
fn listed(matchers: &[Matcher], name: &str) -> Vec<String> {
    let of_name = matchers.iter().filter(|matcher| matcher.name == name);
    of_name.filter_map(proposal::values).flatten().filter(|value| !value.is_empty()).collect()
}

fn selector(metric: &str, matchers: &[&Matcher]) -> String {
    let written = |matcher: &Matcher| format!("{}{}{}", matcher.name, matcher.op.sign(), quoted(&matcher.value));
    let matchers: Vec<_> = matchers.iter().map(|matcher| written(matcher)).collect();
    format!("{metric}{{{}}}", matchers.join(","))
}

// === impl Question ===

impl Question {
    /// Whether an answer with these labels says that the alert is gone.
    pub fn is_answered_well(&self, found: &[Labels]) -> bool {
        let Some(wanted) = &self.wanted else { return found.is_empty() };
        let has = |name: &str, value: &String| found.iter().any(|labels| labels.get(name) == Some(value));
        !found.is_empty() && wanted.iter().all(|(name, values)| values.iter().all(|value| has(name, value)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::preview::tests::view;
    use super::*;
    use crate::upstream::AskError;
    use crate::view::Part;

    fn silence(id: &str, updated: &str, comment: &str) -> Silence {
        let matcher = json!({"name": "instance", "value": "a", "isRegex": false});
        serde_json::from_value(json!({
            "id": id, "status": {"state": "active"}, "matchers": [matcher], "createdBy": "ann", "comment": comment,
            "startsAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-22T00:00:00Z", "updatedAt": updated,
        }))
        .unwrap()
    }

    const NOON: &str = "2026-11-21T12:00:00Z";

    #[test]
    fn a_silence_ends_two_evaluations_later() {
        let mut quiet = Quiet::default();
        let mut see = |finding, updated| quiet.evaluated(vec![(silence("s", updated, "x"), finding)]).len();
        let ended: Vec<_> = [
            (Finding::Quiet, NOON),
            (Finding::Quiet, NOON),
            (Finding::Busy, NOON),
            (Finding::Quiet, NOON),
            (Finding::Quiet, NOON),
            (Finding::Quiet, "2026-11-21T12:05:00Z"),
            (Finding::Quiet, "2026-11-21T12:05:00Z"),
            (Finding::Quiet, "2026-11-21T12:05:00Z"),
        ]
        .into_iter()
        .map(|(finding, updated)| see(finding, updated))
        .collect();
        assert_eq!(ended, [0, 0, 0, 0, 0, 0, 0, 1], "an alert that is back or a change begins the count anew");
    }

    #[test]
    fn one_that_is_not_seen_is_forgotten() {
        let mut quiet = Quiet::default();
        let one = || vec![(silence("s", NOON, "x"), Finding::Quiet)];
        assert!(quiet.evaluated(one()).is_empty() && quiet.evaluated(one()).is_empty());
        assert!(quiet.evaluated(Vec::new()).is_empty());
        assert!(quiet.evaluated(one()).is_empty());
    }

    #[test]
    fn marked_ones_that_have_begun_are_looked_at() {
        let pending = Silence {
            status: serde_json::from_value(json!({"state": "pending"})).unwrap(),
            ..silence("p", NOON, "x [until resolved]")
        };
        let all = [silence("m", NOON, "x [until resolved]"), silence("n", NOON, "x"), pending];
        let silences: Vec<Silenced> = all.into_iter().map(Into::into).collect();
        let view = View::new(Part::default(), Part::default(), Part::default(), Part::fresh(silences, Vec::new()));
        assert_eq!(marked(&view).map(|one| one.silence.id.as_str()).collect::<Vec<_>>(), ["m"]);
    }

    #[test]
    fn what_is_doubtful_is_not_resolved() {
        let silenced = Silenced::from(silence("s", NOON, "x [until resolved]"));
        let of = |alerts: &[(&str, &str, bool)], change: &dyn Fn(&mut View)| {
            let mut view = view(alerts);
            view.metrics.at = Some(Timestamp::UNIX_EPOCH);
            change(&mut view);
            in_view(&view, &silenced)
        };
        assert_eq!(of(&[("b", "x", false)], &|_| {}), Finding::Quiet);
        assert_eq!(of(&[("a", "x", true)], &|_| {}), Finding::Busy);
        let failure = || AskError { server: "a".into(), reason: "b".into(), status: None };
        assert_eq!(of(&[], &|view| view.alerts.failures.push(failure())), Finding::Busy, "one of a pair is not enough");
        assert_eq!(of(&[], &|view| view.alerts.is_old = true), Finding::Busy);
        assert_eq!(of(&[], &|view| view.alerts.at = None), Finding::Busy);
        assert_eq!(of(&[], &|view| view.metrics.is_old = true), Finding::Busy);
        assert_eq!(of(&[], &|view| view.metrics.at = None), Finding::Busy);
    }

    #[test]
    fn prometheus_is_asked_what_the_silence_names() {
        let asked = |text: &str| -> Vec<String> {
            questions(&Matcher::parse_all(text).unwrap()).into_iter().map(|question| question.expression).collect()
        };
        assert_eq!(asked("service=\"a\\\"b\""), [r#"ALERTS{service="a\"b"}"#]);
        assert_eq!(
            asked("job=j,instance=a,check=x,alertname=C"),
            [
                r#"ALERTS{job="j",instance="a",check="x",alertname="C"}"#,
                r#"up{job="j",instance="a"} == 0"#,
                r#"count by (instance, check) (checkscript_status{job="j",instance="a",check="x"})"#,
            ]
        );
        assert_eq!(asked("check=x")[1..], [r#"count by (check) (checkscript_status{check="x"})"#]);
        assert_eq!(
            asked("instance=a")[2],
            r#"count by (instance) ((up{instance="a"} or checkscript_status{instance="a"}))"#
        );
    }

    #[test]
    fn each_that_is_named_has_to_be_there() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect::<Labels>()
        };
        let questions = questions(&Matcher::parse_all("instance=~\"a|b\",check=x").unwrap());
        let (fires, down, there) = (&questions[0], &questions[1], &questions[2]);
        assert!(fires.is_answered_well(&[]) && !fires.is_answered_well(&[labels(&[("alertname", "C")])]));
        assert!(down.is_answered_well(&[]) && !down.is_answered_well(&[labels(&[("instance", "a")])]));
        let (a, b) = (labels(&[("instance", "a"), ("check", "x")]), labels(&[("instance", "b"), ("check", "x")]));
        assert!(there.is_answered_well(&[a.clone(), b]));
        assert!(!there.is_answered_well(&[a]) && !there.is_answered_well(&[]));
    }

    proptest! {
        #[test]
        fn only_three_quiet_evaluations_in_a_row_end_one(findings in proptest::collection::vec(any::<bool>(), 0..40)) {
            let mut quiet = Quiet::default();
            for at in 0..findings.len() {
                let finding = if findings[at] { Finding::Quiet } else { Finding::Busy };
                let ended = !quiet.evaluated(vec![(silence("s", NOON, "x"), finding)]).is_empty();
                prop_assert_eq!(ended, at >= 2 && findings[at - 2..=at].iter().all(|quiet| *quiet));
            }
        }
    }
}
