//! What a check said before: results in a row that said the same are one line, with how many they are.

use check_result::{HistoryEntry, Status};

use super::super::frame::{Frame, Moment};
use super::shown;
use crate::texts::{Texts, fill};

/// Results in a row that said the same.
pub(super) struct Past {
    pub(super) status: Status,
    /// When the first of them was.
    pub(super) at: Moment,
    pub(super) changed: bool,
    pub(super) line: String,
    /// The whole, where it is more than its line.
    pub(super) output: Option<String>,
    run: Run,
}

/// How many results said the same.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    /// Those that are kept.
    kept: usize,
    /// Whether there may have been more.
    is_cut: bool,
}

impl Past {
    /// Newest first; the last `occurrences` results had the same status.
    pub(super) fn all(history: &[HistoryEntry], occurrences: u64, frame: &Frame<'_>) -> Vec<Self> {
        let runs = runs(history, occurrences).into_iter();
        history.chunk_by(same).zip(runs).map(|(entries, run)| Self::new(entries, run, frame)).collect()
    }

    /// At least one.
    fn new(entries: &[HistoryEntry], run: Run, frame: &Frame<'_>) -> Self {
        let first = &entries[entries.len() - 1];
        let whole = shown(first.output.trim(), frame.t);
        let line = check_result::first_line(&whole).to_owned();
        Self {
            status: Status::from_exit_code(first.status),
            at: first.executed.and_then(|at| frame.clock.epoch(at)).unwrap_or_else(|| frame.clock.show(&first.logged)),
            changed: first.changed,
            output: Some(whole).filter(|whole| *whole != line),
            line,
            run,
        }
    }

    /// How many they are, where they are several.
    pub(super) fn times(&self, t: &Texts) -> Option<String> {
        let text = if self.run.is_cut { t.times_or_more } else { t.times };
        (self.run.kept > 1).then(|| fill(text, &[&self.run.kept]))
    }
}

fn same(one: &HistoryEntry, other: &HistoryEntry) -> bool {
    (one.status, &one.output) == (other.status, &other.output)
}

/// How many results in a row said the same, the newest first.
fn runs(history: &[HistoryEntry], occurrences: u64) -> Vec<Run> {
    let (cut, mut seen) = (cut(history, occurrences), 0);
    let run = |entries: &[HistoryEntry]| {
        let before = seen;
        seen += entries.len();
        Run { kept: entries.len(), is_cut: cut.is_some_and(|cut| (before..seen).contains(&cut)) }
    };
    history.chunk_by(same).map(run).collect()
}

/// The entry behind which results may be missing. The last results are kept, and behind them changes of status alone, so that
/// it is the oldest one that is no change; none where all that had its status are there.
fn cut(history: &[HistoryEntry], occurrences: u64) -> Option<usize> {
    let oldest = history.iter().rposition(|entry| !entry.changed)?;
    let newest = history.iter().take_while(|entry| entry.status == history[0].status).count();
    let is_whole = oldest < newest && u64::try_from(newest).is_ok_and(|newest| newest >= occurrences);
    (!is_whole).then_some(oldest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newest first: exit status, and whether it is a change.
    fn history(entries: &[(i64, bool)]) -> Vec<HistoryEntry> {
        let entry = |(status, changed): &(i64, bool)| HistoryEntry {
            logged: jiff::Timestamp::UNIX_EPOCH,
            executed: None,
            duration: None,
            status: *status,
            changed: *changed,
            output: format!("status {status}").into(),
        };
        entries.iter().map(entry).collect()
    }

    fn counts(entries: &[(i64, bool)], occurrences: u64) -> Vec<(usize, bool)> {
        runs(&history(entries), occurrences).iter().map(|run| (run.kept, run.is_cut)).collect()
    }

    #[test]
    fn a_run_of_which_not_all_is_kept_is_said_to_be_cut() {
        let long = [(2, false), (2, false), (2, true), (0, true)];
        assert_eq!(counts(&long, 129), [(3, true), (1, false)], "between the results and the change some are missing");
        assert_eq!(counts(&long, 3), [(3, false), (1, false)], "all three are there");
        assert_eq!(counts(&[(0, false), (0, false)], 9), [(2, true)], "where no change is kept either");
        let older = [(2, true), (0, false), (0, false), (0, true), (1, true)];
        assert_eq!(counts(&older, 1), [(1, false), (3, true), (1, false)], "nobody knows how many were OK before");
        assert_eq!(counts(&[(2, true)], 1), [(1, false)]);
        assert_eq!(counts(&[], 0), []);
    }
}
