//! What is known of one check: the fold over its results.

mod history;

use std::sync::OnceLock;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::history::HistoryEntry;

use self::history::History;
use crate::flap::Flap;
use crate::log::{LoggedResult, Run};
use crate::perfdata::{self, Measured};
use crate::result::bounded_len;
use crate::{CheckResult, Status};

/// How much of a check's past is kept.
#[derive(Clone, Copy, Debug)]
pub struct HistoryLimits {
    /// The last results, whatever their status. Sensu-server kept 21.
    pub results: usize,
    /// Changes of status older than those.
    pub changes: usize,
    /// Bytes of output kept of each entry.
    pub output_bytes: usize,
    /// Bytes of output kept of the last result.
    pub latest_output_bytes: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { results: 21, changes: 20, output_bytes: 4 << 10, latest_output_bytes: 1 << 20 }
    }
}

/// The last result of a check, how often in a row it had that status, and a bounded history.
///
/// Serialized, it is what a server keeps over a restart; [`CheckState::bound`] fits what was read back to the limits of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckState {
    latest: CheckResult,
    logged: Timestamp,
    occurrences: u64,
    status_changed: i64,
    flap: Flap,
    history: History,
    #[serde(skip)]
    perfdata: Parsed,
}

/// The performance data of the last output, once somebody has asked for it. It is no part of the state, only made from it.
#[derive(Debug, Default)]
struct Parsed(OnceLock<Measured>);

impl CheckState {
    /// The state after the first result that is known.
    pub fn new(first: LoggedResult, limits: &HistoryLimits) -> Self {
        let run = Run::of(&first);
        let (logged, status_changed) = (first.logged, executed_or_logged(&run));
        let (mut flap, mut history) = (Flap::default(), History::default());
        flap.push(run.status, run.flap);
        history.push(&run, true, limits);
        let mut latest = first.result;
        latest.bound_output(limits.latest_output_bytes);
        Self { latest, logged, occurrences: 1, status_changed, flap, history, perfdata: Parsed::default() }
    }

    /// Takes the next result of the same check.
    pub fn apply(&mut self, next: LoggedResult, limits: &HistoryLimits) {
        self.advance(&Run::of(&next), limits);
        self.settle(next.result, limits);
    }

    /// Takes the next run of the same check, and leaves the last result to [`CheckState::settle`]: of many runs in a row only
    /// the last has to be read whole.
    pub fn advance(&mut self, next: &Run<'_>, limits: &HistoryLimits) {
        // Sensu-server compares exit statuses, not what they mean: 3 and 127 are two statuses.
        let changed = self.flap.latest() != Some(next.status);
        self.logged = next.logged;
        if changed {
            self.occurrences = 1;
            self.status_changed = executed_or_logged(next);
        } else {
            // A state that was read from a file or a store says anything.
            self.occurrences = self.occurrences.saturating_add(1);
        }
        self.flap.push(next.status, next.flap);
        self.history.push(next, changed, limits);
    }

    /// Puts in place the result whose run was taken last.
    pub fn settle(&mut self, latest: CheckResult, limits: &HistoryLimits) {
        self.latest = latest;
        self.bound_latest(limits);
    }

    /// Fits what is kept to `limits`.
    pub fn bound(&mut self, limits: &HistoryLimits) {
        self.history = std::mem::take(&mut self.history).bounded(limits);
        self.bound_latest(limits);
    }

    /// Bytes of all outputs that are kept, were each at most `most` bytes long.
    pub fn output_bytes(&self, most: usize) -> usize {
        let outputs = self.latest.outputs().chain(self.history.outputs());
        outputs.map(|output| bounded_len(output, most)).sum()
    }

    /// Bytes of memory that the last result takes besides its names and outputs, about: most of that is its definition's.
    pub fn definition_bytes(&self) -> usize {
        self.latest.definition_bytes()
    }

    /// Leaves of the last result what its run says.
    pub fn drop_definition(&mut self) {
        self.latest = Run::of_result(self.logged, &self.latest).to_result();
    }

    fn bound_latest(&mut self, limits: &HistoryLimits) {
        self.latest.bound_output(limits.latest_output_bytes);
        self.perfdata = Parsed::default();
    }

    /// The last result, its output bounded.
    pub fn latest(&self) -> &CheckResult {
        &self.latest
    }

    /// The performance data of the last output; read once, as every scrape asks.
    pub fn perfdata(&self) -> &Measured {
        self.perfdata.0.get_or_init(|| perfdata::parse(self.latest.output()))
    }

    /// When the last result was logged.
    pub fn logged(&self) -> Timestamp {
        self.logged
    }

    /// What the last result's exit status means.
    pub fn status(&self) -> Status {
        self.latest.status()
    }

    /// How many results in a row had the current exit status, as far back as is known.
    pub fn occurrences(&self) -> u64 {
        self.occurrences
    }

    /// When the first of those results was executed, in epoch seconds.
    pub fn status_changed(&self) -> i64 {
        self.status_changed
    }

    /// When those of the last results were executed, newest first and in epoch seconds, that came more than so many seconds after the
    /// one before.
    pub(crate) fn ends_of_gaps(&self, seconds: f64) -> impl Iterator<Item = i64> {
        let runs = || self.history.in_a_row().filter_map(|entry| entry.executed);
        runs()
            .zip(runs().skip(1))
            .filter(move |(run, before)| run.saturating_sub(*before) as f64 > seconds)
            .map(|(run, _)| run)
    }

    /// Newest first: the last results, behind them older changes of status. Outputs are truncated where the definition asks
    /// for it, as sensu-server stored them.
    pub fn history(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.history.iter()
    }

    /// How much the exit status changed lately, in percent, as Sensu weighs it; 0 before 21 results are known.
    pub fn flap_percent(&self) -> u32 {
        self.flap.percent()
    }

    /// Whether the check flaps; none where its definition has no flap thresholds.
    pub fn flapping(&self) -> Option<bool> {
        self.flap.flapping()
    }
}

// === impl Parsed ===

impl Clone for Parsed {
    /// A state is copied to be changed.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Parsed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

fn executed_or_logged(run: &Run<'_>) -> i64 {
    run.executed.unwrap_or_else(|| run.logged.as_second())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LIMITS: HistoryLimits = HistoryLimits { results: 4, changes: 3, output_bytes: 8, latest_output_bytes: 100 };

    fn logged(executed: i64, status: i64) -> LoggedResult {
        let check =
            json!({"name": "a", "executed": executed, "output": format!("output {executed}"), "status": status});
        let result = CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap();
        LoggedResult { logged: Timestamp::from_second(executed).unwrap(), result }
    }

    fn fold(statuses: &[i64]) -> CheckState {
        let mut results = statuses.iter().zip(0..).map(|(&status, at)| logged(at, status));
        let mut state = CheckState::new(results.next().unwrap(), &LIMITS);
        results.for_each(|result| state.apply(result, &LIMITS));
        state
    }

    #[test]
    fn occurrences_count_equal_exit_statuses() {
        let state = fold(&[0, 2, 2, 2]);
        assert_eq!((state.occurrences(), state.status_changed()), (3, 1));
        let state = fold(&[3, 127]);
        assert_eq!((state.occurrences(), state.status_changed(), state.status()), (1, 1, Status::Unknown));
    }

    #[test]
    fn changes_outlive_the_results_around_them() {
        let state = fold(&[0, 0, 1, 1, 1, 1, 1, 1]);
        let kept: Vec<_> = state.history().map(|entry| (entry.executed.unwrap(), entry.changed)).collect();
        assert_eq!(kept, [(7, false), (6, false), (5, false), (4, false), (2, true), (0, true)]);
        assert_eq!(&*state.history().next().unwrap().output, "output 7");
    }

    #[test]
    fn a_state_that_was_written_and_read_back_is_the_same_and_fits_smaller_limits() {
        let state = fold(&[0, 0, 1, 1, 1, 1, 1, 1]);
        let mut read: CheckState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        assert_eq!(read, state);
        read.bound(&HistoryLimits { results: 1, changes: 1, output_bytes: 3, ..LIMITS });
        let kept: Vec<_> = read.history().map(|entry| (entry.executed.unwrap(), &*entry.output)).collect();
        assert_eq!(
            kept,
            [(7, "out\n[output cut: 3 of 8 bytes kept]\n"), (2, "out\n[output cut: 3 of 8 bytes kept]\n")]
        );
        assert_eq!(read.occurrences(), 6);
    }

    #[test]
    fn outputs_are_counted_once_as_they_are_kept() {
        let mut state = fold(&[0, 0]);
        // "output 1", and in the history that and "output 0".
        assert_eq!((state.output_bytes(usize::MAX), state.output_bytes(8)), (24, 24));
        let same = logged(1, 0);
        state.apply(same, &LIMITS);
        assert_eq!(state.output_bytes(usize::MAX), 24);
        let within = state.output_bytes(5);
        state.bound(&HistoryLimits { output_bytes: 5, latest_output_bytes: 5, ..LIMITS });
        assert!(state.output_bytes(usize::MAX) > 24 && within <= 24, "what says that it was cut is longer here");
    }

    #[test]
    fn without_its_definition_a_state_goes_on_and_takes_little_memory() {
        let of = |at: i64, status: i64| {
            let check = json!({"list": vec![0; 1_000], "hooks": {"ok": {"output": "y".repeat(500)}}, "name": "a",
                "source": "r", "executed": at, "duration": 0.5, "output": "x".repeat(500), "status": status});
            let result = CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap();
            LoggedResult { logged: Timestamp::from_second(at).unwrap(), result }
        };
        let mut state = CheckState::new(of(7, 2), &HistoryLimits::default());
        let outputs = state.output_bytes(usize::MAX);
        assert!(state.definition_bytes() > 100_000, "{}", state.definition_bytes());
        state.drop_definition();
        assert!(state.definition_bytes() < 1_500, "{}", state.definition_bytes());
        assert_eq!(state.output_bytes(usize::MAX), outputs - 500, "the hook is the definition's");
        let latest = state.latest();
        assert_eq!(
            (latest.name(), latest.source(), latest.executed(), latest.duration(), latest.exit_code()),
            ("a", Some("r"), Some(7), Some(0.5), 2)
        );
        state.apply(of(8, 2), &HistoryLimits::default());
        assert_eq!((state.occurrences(), state.latest().check().contains_key("list")), (2, true));
    }

    #[test]
    fn performance_data_is_that_of_the_last_output() {
        let measured = |at: i64| {
            let check = json!({"name": "a", "output": format!("x | v={at}"), "status": 0});
            let result = CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap();
            LoggedResult { logged: Timestamp::from_second(at).unwrap(), result }
        };
        let mut state = CheckState::new(measured(1), &LIMITS);
        assert_eq!(state.perfdata().values[0].value, 1.0);
        state.apply(measured(2), &LIMITS);
        assert_eq!(state.perfdata().values[0].value, 2.0);
        assert_eq!(state.clone().perfdata(), state.perfdata());
    }

    proptest! {
        #[test]
        fn history_is_bounded_and_ordered(statuses in prop::collection::vec(0_i64..3, 1..40)) {
            let state = fold(&statuses);
            let kept: Vec<_> = state.history().collect();
            prop_assert!(kept.len() <= LIMITS.results + LIMITS.changes);
            prop_assert!(kept.windows(2).all(|pair| pair[0].executed > pair[1].executed));
            prop_assert!(kept.iter().skip(LIMITS.results).all(|entry| entry.changed));
            let run = statuses.iter().rev().take_while(|s| *s == statuses.last().unwrap()).count();
            prop_assert_eq!(state.occurrences(), run as u64);
        }
    }
}
