//! When a silence that is marked so has nothing to mute any more: its alerts are gone, and have been for two evaluations.
//!
//! An alert that is not there says little: it may be gone because nobody looks any more. So an evaluation in which
//! anything is doubtful counts as one in which the alert fires, and the silence stays until its hard end:
//!
//! - an Alertmanager of the cluster does not answer, or Prometheus does not, or is not fresh;
//! - Prometheus has the alert, firing or waiting to;
//! - the node that the silence names is down, or no target any more;
//! - a check that it names has no series any more on a node that it names: nobody runs it there, which is not the same as that
//!   it is well.
//!
//! Prometheus is asked by the labels alone that its rules and targets give: those that are added or changed on the way to
//! Alertmanager, external ones and relabelled ones, it does not have, and an empty answer for them would mean nothing. Asked
//! for less, it can only find more. A silence with none of these labels stays until its hard end.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::{mark, proposal};
use crate::alertmanager::{Silence, SilenceState};
use crate::matcher::{Labels, Matcher};
use crate::view::{Silenced, View};

/// Evaluations that have to follow the first one without an alert.
pub const EVALUATIONS: u32 = 2;

/// Labels by which Prometheus knows a check and its node.
const KNOWN: [&str; 4] = ["job", "instance", "check", "source"];

/// Those of them by which it knows a node.
const NODE: [&str; 2] = ["job", "instance"];

/// Silences that Prometheus is asked about in an evaluation; of more, others in the next one.
pub const MOST: usize = 200;

/// What an evaluation finds of a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing fires that it matches.
    Quiet,
    /// Something does, or what it names is not there.
    Busy,
    /// It is not known.
    Doubtful(Doubt),
}

/// Why it is not known whether anything fires that a silence matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// An Alertmanager or Prometheus did not answer lately.
    Stale,
    /// Prometheus did not answer what it was asked of the silence, or not in full.
    Unanswered,
    /// The silence names no label that Prometheus has.
    Labels,
    /// There are so many silences that it is asked about this one later.
    Later,
}

/// For how many evaluations in a row silences have been quiet.
#[derive(Debug, Default)]
pub struct Quiet(HashMap<String, (Timestamp, u32)>);

/// What Prometheus is asked, and what its answer has to be like for the alert to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The expression.
    pub expression: String,
    /// What has to be in the answer: every combination of these labels' values, and anything at all; nothing may be if it is
    /// none.
    pub wanted: Option<Vec<(&'static str, BTreeSet<String>)>>,
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
        match finding {
            Finding::Quiet => {}
            // Nothing was found that would be against it.
            Finding::Doubtful(Doubt::Later) => return false,
            Finding::Busy | Finding::Doubtful(_) => {
                self.0.remove(&silence.id);
                return false;
            }
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
    match (is_whole && is_fresh, fires) {
        (false, _) => Finding::Doubtful(Doubt::Stale),
        (true, true) => Finding::Busy,
        (true, false) => Finding::Quiet,
    }
}

/// The silences that Prometheus is asked about in an evaluation, and what is found already of the others. Those that nothing
/// matches take turns.
pub fn turn(view: &View, evaluation: usize) -> (Vec<&Silenced>, Vec<(Silence, Finding)>) {
    let looked = marked(view).map(|silenced| (silenced, in_view(view, silenced)));
    let (mut quiet, rest): (Vec<_>, Vec<_>) = looked.partition(|(_, finding)| *finding == Finding::Quiet);
    quiet.sort_unstable_by_key(|(silenced, _)| &silenced.silence.id);
    let turns = quiet.len().div_ceil(MOST).max(1);
    let mine = |index: &usize| index / MOST == evaluation % turns;
    let (asked, later): (Vec<_>, Vec<_>) = quiet.into_iter().enumerate().partition(|(index, _)| mine(index));
    let later = later.into_iter().map(|(_, (silenced, _))| (silenced, Finding::Doubtful(Doubt::Later)));
    let found = rest.into_iter().chain(later).map(|(silenced, finding)| (silenced.silence.clone(), finding)).collect();
    (asked.into_iter().map(|(_, (silenced, _))| silenced).collect(), found)
}

/// What Prometheus is asked of a silence that nothing matches; none where it cannot know whether an alert is gone.
pub fn questions(matchers: &[Matcher]) -> Option<Vec<Question>> {
    let of = |names: &[&str]| matchers.iter().filter(|matcher| names.contains(&&*matcher.name)).collect::<Vec<_>>();
    let names = |name: &&str| {
        let mut of_name = matchers.iter().filter(|matcher| matcher.name == **name);
        of_name.any(|matcher| !matcher.matches(&Labels::new()))
            || listed(matchers, name).iter().any(|one| !one.is_empty())
    };
    let (known, of_node) = (of(&KNOWN), of(&NODE));
    if !names(&"alertname") && !KNOWN.iter().any(names) {
        return None;
    }
    let of_rules = [of(&["alertname"]), known.clone()].concat();
    let mut questions = vec![Question { expression: selector("ALERTS", &of_rules), wanted: None }];
    if names(&"instance") {
        questions.push(Question { expression: format!("{} == 0", selector("up", &of_node)), wanted: None });
    }
    let (metric, by) = if ["check", "source"].iter().any(names) {
        (selector("checkscript_status", &known), &KNOWN[..])
    } else {
        (format!("({} or {})", selector("up", &of_node), selector("checkscript_status", &of_node)), &NODE[..])
    };
    let wanted: Vec<_> = by.iter().map(|name| (*name, listed(matchers, name))).collect();
    let wanted: Vec<_> = wanted.into_iter().filter(|(name, values)| names(name) || !values.is_empty()).collect();
    if !wanted.is_empty() {
        let by: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
        let expression = format!("count by ({}) ({metric})", by.join(", "));
        questions.push(Question { expression, wanted: Some(wanted) });
    }
    Some(questions)
}

/// The values of a label that matchers list. Checks without a source are what they are; without any of the other labels there
/// is nothing that could have a series.
fn listed(matchers: &[Matcher], name: &str) -> BTreeSet<String> {
    let of_name = || matchers.iter().filter(|matcher| matcher.name == name);
    let is_taken = |value: &String| {
        let labels = Labels::from([(name.to_owned(), value.clone())]);
        of_name().all(|matcher| matcher.matches(&labels)) && (!value.is_empty() || name == "source")
    };
    of_name().filter_map(proposal::values).flatten().filter(is_taken).collect()
}

fn selector(metric: &str, matchers: &[&Matcher]) -> String {
    let matchers: Vec<_> = matchers.iter().map(ToString::to_string).collect();
    format!("{metric}{{{}}}", matchers.join(","))
}

// === impl Doubt ===

impl Doubt {
    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Unanswered => "unanswered",
            Self::Labels => "labels",
            Self::Later => "later",
        }
    }

    /// In a sentence, behind a colon.
    pub fn why(self) -> &'static str {
        match self {
            Self::Stale => "an Alertmanager or Prometheus of the cluster does not answer",
            Self::Unanswered => "Prometheus does not say in full whether their alerts are gone",
            Self::Labels => {
                "they name neither alertname, job, instance, check nor source, so that Prometheus cannot be asked"
            }
            Self::Later => "there are too many for one evaluation, so that they take turns",
        }
    }
}

// === impl Question ===

impl Question {
    /// Whether an answer with these labels says that the alert is gone.
    pub fn is_answered_well(&self, found: &[Labels]) -> bool {
        let Some(wanted) = &self.wanted else { return found.is_empty() };
        let listed: Vec<_> = wanted.iter().filter(|(_, values)| !values.is_empty()).collect();
        let combination = |labels: &Labels| -> Option<Vec<String>> {
            let value = |name: &str| labels.get(name).cloned().unwrap_or_default();
            listed.iter().map(|(name, values)| Some(value(name)).filter(|value| values.contains(value))).collect()
        };
        let there: HashSet<_> = found.iter().filter_map(combination).collect();
        let all = listed.iter().try_fold(1_usize, |all, (_, values)| all.checked_mul(values.len()));
        all == Some(there.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::preview::tests::view;
    use super::*;
    use crate::upstream::{AskError, Reason};
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
        let failure = || AskError { server: "a".into(), reason: Reason::Late };
        let stale = Finding::Doubtful(Doubt::Stale);
        assert_eq!(of(&[], &|view| view.alerts.failures.push(failure())), stale, "one of a pair is not enough");
        assert_eq!(of(&[], &|view| view.alerts.is_old = true), stale);
        assert_eq!(of(&[], &|view| view.alerts.at = None), stale);
        assert_eq!(of(&[], &|view| view.metrics.is_old = true), stale);
        assert_eq!(of(&[], &|view| view.metrics.at = None), stale);
    }

    #[test]
    fn quiet_silences_take_turns_and_busy_ones_need_none() {
        let named = |id: String, instance: &str| {
            let silence = silence(&id, NOON, "x [until resolved]");
            let matchers = serde_json::from_value(json!([{"name": "instance", "value": instance, "isRegex": false}]));
            Silenced::from(Silence { matchers: matchers.unwrap(), ..silence })
        };
        let of = |busy: usize, quiet: usize| {
            let busy = (0..busy).map(|index| named(format!("a{index}"), "busy"));
            let quiet = (0..quiet).map(|index| named(format!("q{index}"), "quiet"));
            let mut view = view(&[("busy", "x", false)]);
            view.metrics.at = Some(Timestamp::UNIX_EPOCH);
            View::new(view.metrics, Part::default(), view.alerts, Part::fresh(busy.chain(quiet).collect(), Vec::new()))
        };
        let many = of(MOST + 50, 1);
        let (asked, found) = turn(&many, 0);
        assert_eq!((asked.len(), found.len()), (1, MOST + 50));
        let view = of(0, 2 * MOST + 50);
        let mut seen = HashSet::new();
        for evaluation in 0..3 {
            let (asked, found) = turn(&view, evaluation);
            assert!(asked.len() <= MOST && asked.len() + found.len() == 2 * MOST + 50);
            assert!(found.iter().all(|(_, finding)| *finding == Finding::Doubtful(Doubt::Later)));
            seen.extend(asked.into_iter().map(|silenced| silenced.silence.id.clone()));
        }
        assert_eq!(seen.len(), 2 * MOST + 50, "each has had its turn");
    }

    #[test]
    fn one_whose_turn_comes_later_is_as_quiet_as_it_was() {
        let mut quiet = Quiet::default();
        let later = || Finding::Doubtful(Doubt::Later);
        let findings = [Finding::Quiet, later(), Finding::Quiet, later(), Finding::Quiet];
        let ended = findings.map(|finding| quiet.evaluated(vec![(silence("s", NOON, "x"), finding)]).len());
        assert_eq!(ended, [0, 0, 0, 0, 1]);
        let unanswered = Finding::Doubtful(Doubt::Unanswered);
        let findings = [Finding::Quiet, Finding::Quiet, unanswered, Finding::Quiet];
        assert!(
            findings.into_iter().all(|finding| quiet.evaluated(vec![(silence("t", NOON, "x"), finding)]).is_empty())
        );
    }

    #[test]
    fn prometheus_is_asked_what_the_silence_names() {
        let asked = |text: &str| -> Vec<String> {
            let questions = questions(&Matcher::parse_all(text).unwrap()).unwrap_or_default();
            questions.into_iter().map(|question| question.expression).collect()
        };
        assert_eq!(asked("alertname=\"a\\\"b\""), [r#"ALERTS{alertname="a\"b"}"#]);
        assert_eq!(
            asked("job=j,instance=a,check=x,alertname=C"),
            [
                r#"ALERTS{alertname="C",job="j",instance="a",check="x"}"#,
                r#"up{job="j",instance="a"} == 0"#,
                r#"count by (job, instance, check) (checkscript_status{job="j",instance="a",check="x"})"#,
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
        let questions = questions(&Matcher::parse_all("instance=~\"a|b\",check=x").unwrap()).unwrap();
        let (fires, down, there) = (&questions[0], &questions[1], &questions[2]);
        assert!(fires.is_answered_well(&[]) && !fires.is_answered_well(&[labels(&[("alertname", "C")])]));
        assert!(down.is_answered_well(&[]) && !down.is_answered_well(&[labels(&[("instance", "a")])]));
        let (a, b) = (labels(&[("instance", "a"), ("check", "x")]), labels(&[("instance", "b"), ("check", "x")]));
        assert!(there.is_answered_well(&[a.clone(), b]));
        assert!(!there.is_answered_well(&[a]) && !there.is_answered_well(&[]));
    }

    #[test]
    fn each_combination_has_to_be_there() {
        let text = "instance=~\"a|b\",instance!=c,check=~\"x|y\",source=~\"|db\",job=~\"j.*\"";
        let questions = questions(&Matcher::parse_all(text).unwrap()).unwrap();
        let there = questions.last().unwrap();
        assert!(
            there.expression.starts_with("count by (job, instance, check, source) (checkscript_status{"),
            "{there:?}"
        );
        let labels = |(instance, check, source): (&str, &str, &str)| -> Labels {
            let pairs = [("job", "j1"), ("instance", instance), ("check", check), ("source", source)];
            let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let all: Vec<_> = ["a", "b"]
            .into_iter()
            .flat_map(|instance| ["x", "y"].map(|check| (instance, check)))
            .flat_map(|(instance, check)| ["", "db"].map(|source| labels((instance, check, source))))
            .collect();
        assert!(there.is_answered_well(&all));
        for missing in 0..all.len() {
            let rest: Vec<_> =
                all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, one)| one.clone()).collect();
            assert!(!there.is_answered_well(&rest), "without {:?}", all[missing]);
        }
    }

    #[test]
    fn labels_that_prometheus_does_not_have_are_not_asked_for() {
        let asked = |text: &str| questions(&Matcher::parse_all(text).unwrap()).map(|questions| questions[0].clone());
        let question = asked("check=x,region=\"eu\",\"team.name\"=\"a\",severity=critical").unwrap();
        assert_eq!(question.expression, r#"ALERTS{check="x"}"#);
        assert_eq!(asked("region=eu,source=\"\""), None, "no answer would say that it is gone");
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
