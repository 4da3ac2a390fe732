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

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::mark;
use crate::alertmanager::{Silence, SilenceState};
use crate::view::{Silenced, View};

mod question;

pub use question::{Question, questions};

/// Evaluations that have to follow the first one without an alert.
pub const EVALUATIONS: u32 = 2;

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
    /// One of its matchers is not understood.
    Unread,
    /// There are so many silences that it is asked about this one later.
    Later,
}

/// For how many evaluations in a row silences have been quiet.
#[derive(Debug, Default)]
pub struct Quiet(HashMap<String, (Timestamp, u32)>);

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
        status.state == SilenceState::Active && mark::read(comment).1
    })
}

/// What Alertmanagers say of a silence. All of them have to answer, and so has Prometheus.
pub fn in_view(view: &View, silenced: &Silenced) -> Finding {
    let is_whole = view.alerts.at.is_some() && !view.alerts.is_old && view.alerts.failures.is_empty();
    let is_fresh = view.metrics.at.is_some() && !view.metrics.is_old;
    let fires = view.alerts.said.iter().any(|fired| silenced.matches(&fired.alert.labels));
    match (is_whole && is_fresh, fires) {
        _ if !silenced.is_understood() => Finding::Doubtful(Doubt::Unread),
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

// === impl Doubt ===

impl Doubt {
    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Unanswered => "unanswered",
            Self::Labels => "labels",
            Self::Unread => "unread",
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
            Self::Unread => "they have regular expressions that only Alertmanager understands",
            Self::Later => "there are too many for one evaluation, so that they take turns",
        }
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
    fn one_that_is_not_understood_is_doubtful() {
        let silence = silence("s", NOON, "x [until resolved]");
        let matchers = json!([{"name": "instance", "value": "[a&&b]", "isRegex": true}]);
        let silence = Silence { matchers: serde_json::from_value(matchers).unwrap(), ..silence };
        let mut view = view(&[]);
        view.metrics.at = Some(Timestamp::UNIX_EPOCH);
        let view = View::new(view.metrics, Part::default(), view.alerts, Part::fresh(vec![silence.into()], Vec::new()));
        let (asked, found) = turn(&view, 0);
        assert!(asked.is_empty());
        assert_eq!(
            found.into_iter().map(|(_, finding)| finding).collect::<Vec<_>>(),
            [Finding::Doubtful(Doubt::Unread)]
        );
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
