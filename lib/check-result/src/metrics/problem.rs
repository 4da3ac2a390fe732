//! Series that exist only while there is something to tell of a check: what the rules read.
//!
//! Prometheus looks at every series of a name at each evaluation, whatever its value. So that rules cost by what fails and not by what
//! there is, a check that is well has none of these. Each has the label `handlers`, so that an alert needs no other series.
//!
//! Absence of a series is no OK: the node may have come back without knowing the check yet. A check that has become well therefore says
//! so for a while ([`HEARD`]); rules hold what they told of a silent node until then. So does a pushed one: nobody tells a Prometheus that was
//! away of a series that went meanwhile, so that it goes on with the last value for five minutes. Who has known a check for less than that does
//! not know what it was before, as a gateway whose store was emptied, and says how it is too.

use exposition::{Family, Kind, Label, Labels};

use super::{Read, Seen, handlers};

/// For how many seconds a check that has become well has a status, 0.
const HEARD: i64 = 3600;

const GAUGES: [(&str, &str); 5] = [
    ("checkscript_problem_status", "Exit status of a check that is not OK, and for an hour after that, 0 then"),
    ("checkscript_problem_pending", "1 for a check that is not OK, but has not been so often enough to be told of"),
    ("checkscript_stale_timestamp_seconds", "When a check that is older than its ttl became so, in epoch seconds"),
    (
        "checkscript_stale_last_execution_timestamp_seconds",
        "When a check that is older than its ttl was last executed, in epoch seconds",
    ),
    ("checkscript_problem_flapping", "1 for a check that flaps by the flap thresholds of its definition"),
];

/// One family a gauge, in the order of [`GAUGES`].
pub(super) struct Problems([Family; GAUGES.len()]);

// === impl Problems ===

impl Problems {
    pub(super) fn new() -> Self {
        Self(GAUGES.map(|(name, help)| Family::new(name, help, Kind::Gauge)))
    }

    pub(super) fn into_families(self) -> impl Iterator<Item = Family> {
        self.0.into_iter()
    }

    /// Adds a check of which these are the labels that its other series have.
    pub(super) fn add(&mut self, labels: &[Label], seen: &Seen<'_>, read: Read) {
        let Seen { state, attributes: result } = seen;
        let is_failing = result.exit_code() != 0;
        let is_pending = is_failing && state.occurrences() < result.occurrences_required();
        let stale = stale(seen, read);
        let values = [
            (is_failing || is_heard(seen, read)).then_some(result.exit_code() as f64),
            is_pending.then_some(1.0),
            stale.map(|(since, _)| since),
            stale.map(|(_, last)| last),
            (state.flapping() == Some(true)).then_some(1.0),
        ];
        if values.iter().all(Option::is_none) {
            return;
        }
        let labels: Labels = labels.iter().cloned().chain(handlers(result)).collect();
        for (family, value) in self.0.iter_mut().zip(values) {
            if let Some(value) = value {
                family.push(Labels::clone(&labels), value);
            }
        }
    }
}

/// When the check became older than its ttl, and when it was last executed. What is read later may be older by then: it says when that
/// will be.
fn stale(seen: &Seen<'_>, read: Read) -> Option<(f64, f64)> {
    let last = seen.last_run() as f64;
    let since = last + seen.attributes.ttl()?;
    match read {
        Read::Now(now) if since >= now as f64 => None,
        Read::Now(_) | Read::Later => Some((since, last)),
    }
}

/// Whether a check that is well says so, because it may not have been a while ago: its status has changed, it was not known, it has run again after
/// its ttl, or it has flapped. What is read later is as of the last result: the next one takes it away.
///
/// A result of another status may be later than the change: the clock was set back in between, and then it was set right.
fn is_heard(seen: &Seen<'_>, read: Read) -> bool {
    let Seen { state, attributes: result } = seen;
    let now = match read {
        Read::Now(now) => now,
        Read::Later => seen.last_run(),
    };
    let is_recent = |at: i64| now.saturating_sub(at) < HEARD;
    let status = result.exit_code();
    let mut others = state.history().filter(|entry| entry.status != status).filter_map(|entry| entry.executed);
    let was_other = is_recent(state.status_changed()) || others.any(is_recent);
    match read {
        // Nothing else is held of what is pushed.
        Read::Later => was_other,
        Read::Now(_) => {
            let has_run_again = |ttl| state.ends_of_gaps(ttl).any(is_recent);
            was_other
                || result.ttl().is_some_and(has_run_again)
                || (state.flapping().is_some() && state.flap_percent() > 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::log::LoggedResult;
    use crate::{CheckResult, CheckState, HistoryLimits};

    /// The state after runs at these times with these statuses.
    fn state(definition: &Value, runs: impl IntoIterator<Item = (i64, i64)>) -> CheckState {
        let logged = |(executed, status): (i64, i64)| {
            let mut check = definition.as_object().unwrap().clone();
            let run = json!({"name": "disk", "executed": executed, "output": "", "status": status});
            check.extend(run.as_object().unwrap().clone());
            let logged = jiff::Timestamp::from_second(executed).unwrap();
            LoggedResult { logged, result: CheckResult::new("web-1", check).unwrap() }
        };
        let limits = HistoryLimits::default();
        let mut runs = runs.into_iter().map(logged);
        let mut state = CheckState::new(runs.next().unwrap(), &limits);
        runs.for_each(|run| state.apply(run, &limits));
        state
    }

    /// What is said of it, without `checkscript_` and labels.
    fn said(state: &CheckState, read: Read) -> Vec<(String, f64)> {
        let mut problems = Problems::new();
        problems.add(&[], &Seen::new(state), read);
        let shown = |family: Family| {
            let name = family.name().trim_start_matches("checkscript_").to_owned();
            family.samples().iter().map(move |sample| (name.clone(), sample.value())).collect::<Vec<_>>()
        };
        problems.into_families().flat_map(shown).collect()
    }

    fn is(name: &str, value: i64) -> (String, f64) {
        (name.to_owned(), value as f64)
    }

    #[test]
    fn a_check_that_is_well_says_nothing_and_one_that_has_become_so_says_it_for_an_hour() {
        let well = state(&json!({}), [(0, 0), (4000, 0)]);
        assert_eq!(said(&well, Read::Now(4000)), []);
        let recovered = state(&json!({}), [(0, 0), (60, 2), (120, 0)]);
        assert_eq!(said(&recovered, Read::Now(120 + HEARD - 1)), [is("problem_status", 0)]);
        assert_eq!(said(&recovered, Read::Now(120 + HEARD)), []);
    }

    #[test]
    fn a_pushed_check_that_has_become_well_says_so_until_a_result_an_hour_later() {
        let runs = [(0, 0), (60, 2), (120, 0)];
        assert_eq!(said(&state(&json!({}), runs), Read::Later), [is("problem_status", 0)]);
        let and_on = state(&json!({}), runs.into_iter().chain([(120 + HEARD - 1, 0)]));
        assert_eq!(said(&and_on, Read::Later), [is("problem_status", 0)]);
        let later = state(&json!({}), runs.into_iter().chain([(120 + HEARD, 0)]));
        assert_eq!(said(&later, Read::Later), []);
        // Who has forgotten it does not know what it was before.
        assert_eq!(said(&state(&json!({}), [(0, 0), (60, 0)]), Read::Later), [is("problem_status", 0)]);
        assert_eq!(said(&state(&json!({}), [(0, 0), (HEARD, 0)]), Read::Later), []);
    }

    #[test]
    fn a_check_that_became_well_under_a_clock_that_was_late_says_so_too() {
        let runs = [(0, 0), (10_000, 2), (4_000, 0), (10_100, 0)];
        let recovered = state(&json!({}), runs.into_iter().chain((0..30).map(|run| (10_200 + run, 0))));
        assert_eq!(said(&recovered, Read::Now(10_000 + HEARD - 1)), [is("problem_status", 0)]);
        assert_eq!(said(&recovered, Read::Now(10_000 + HEARD)), []);
    }

    #[test]
    fn a_problem_is_pending_until_it_has_occurred_often_enough() {
        let definition = json!({"occurrences": 3});
        let runs = [(0, 0), (60, 1), (120, 1), (180, 1), (240, 2)];
        let told = |last: usize| said(&state(&definition, runs[..last].iter().copied()), Read::Later);
        assert_eq!(told(2), [is("problem_status", 1), is("problem_pending", 1)]);
        assert_eq!(told(4), [is("problem_status", 1)]);
        assert_eq!(told(5), [is("problem_status", 2), is("problem_pending", 1)]);
    }

    #[test]
    fn a_check_is_stale_when_it_is_older_than_its_ttl_and_says_that_it_ran_again() {
        let definition = json!({"ttl": 100});
        let told = [is("stale_timestamp_seconds", 5100), is("stale_last_execution_timestamp_seconds", 5000)];
        let to_5000 = || (0..=50).map(|run| (run * 100, 0));
        let silent = state(&definition, to_5000());
        assert_eq!(said(&silent, Read::Now(5100)), []);
        assert_eq!(said(&silent, Read::Now(5101)), told);
        assert_eq!(said(&silent, Read::Later), told, "whoever reads it compares it with the time of then");
        let ran_again = state(&definition, to_5000().chain([(5110, 0)]));
        assert_eq!(said(&ran_again, Read::Now(5111)), [is("problem_status", 0)]);
        let and_on = state(&definition, to_5000().chain((0..20).map(|run| (5110 + 60 * run, 0))));
        assert_eq!(said(&and_on, Read::Now(6270)), [is("problem_status", 0)], "also to who could not hear it then");
        let longer = state(&definition, to_5000().chain((0..21).map(|run| (5110 + 60 * run, 0))));
        assert_eq!(said(&longer, Read::Now(6320)), []);
        assert_eq!(said(&state(&json!({}), [(0, 0), (5000, 0)]), Read::Now(90_000)), [], "without a ttl");
    }

    #[test]
    fn a_result_that_does_not_say_when_it_ran_is_as_old_as_its_record() {
        let silent = json!({"name": "backup", "ttl": 100, "output": "", "status": 0});
        let result = CheckResult::new("web-1", silent.as_object().unwrap().clone()).unwrap();
        let logged = jiff::Timestamp::from_second(5000).unwrap();
        let silent = CheckState::new(LoggedResult { logged, result }, &HistoryLimits::default());
        let told = [
            is("problem_status", 0),
            is("stale_timestamp_seconds", 5100),
            is("stale_last_execution_timestamp_seconds", 5000),
        ];
        assert_eq!(said(&silent, Read::Later), told);
    }

    #[test]
    fn a_check_that_flaps_says_so_and_then_that_it_does_not() {
        let definition = json!({"low_flap_threshold": 5, "high_flap_threshold": 20});
        let runs = |clean: i64| (0..40).map(|i| (i * 3600, i % 2)).chain((40..40 + clean).map(|i| (i * 3600, 0)));
        let flapping = state(&definition, runs(0));
        assert_eq!(said(&flapping, Read::Later), [is("problem_status", 1), is("problem_flapping", 1)]);
        let ended = state(&definition, runs(20));
        assert_eq!(said(&ended, Read::Now(60 * 3600)), [is("problem_status", 0)]);
        assert_eq!(said(&state(&definition, runs(21)), Read::Now(61 * 3600)), []);
    }
}
