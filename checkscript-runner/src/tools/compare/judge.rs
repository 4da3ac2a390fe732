//! Whether two records of one check say the same.

use std::collections::VecDeque;

use serde::Serialize;

use super::history::{MOST_LINES, Record, Run};

/// Runs this much oftener or more seldom than before are told.
const PACE_TOLERANCE: f64 = 0.2;

/// What is different about a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Difference {
    /// It stands in the first log only.
    Missing,
    /// It stands in the second log only.
    New,
    /// Runs whose status the other log has at no time near theirs.
    Status {
        /// How many of the second log's.
        runs: usize,
        /// How many of the first log's.
        runs_before: usize,
        /// Epoch seconds of one of them.
        at: i64,
        /// That one's status.
        status: i64,
    },
    /// The logs are of different times, and the second has statuses that the first has not.
    NewStatus {
        /// Those.
        statuses: Vec<i64>,
    },
    /// With the same status it prints something else.
    Output {
        /// The status.
        status: i64,
        /// A first line.
        line: String,
        /// One of before.
        before: String,
    },
    /// Its definition is another.
    Definition {
        /// What differs.
        attributes: Vec<String>,
    },
    /// It runs at another pace, in seconds.
    Pace {
        /// In the second log.
        seconds: i64,
        /// In the first.
        before: i64,
    },
}

/// The differences, the worst first. `shared` is the time that both logs are about, if they are about one.
pub(super) fn differences(before: &Record, after: &Record, shared: Option<(i64, i64)>) -> Vec<Difference> {
    let statuses = match shared {
        Some(shared) => status_side_by_side(before, after, shared),
        None => new_statuses(before, after),
    };
    let all = [statuses, output(before, after), definition(before, after), pace(before, after)];
    all.into_iter().flatten().collect()
}

/// A check that is run twice a minute apart may change in between: a status has to be in the other log near its time, not at it.
fn status_side_by_side(before: &Record, after: &Record, shared: (i64, i64)) -> Option<Difference> {
    let near = before.pace().max(after.pace()).unwrap_or(60).max(1) * 3 / 2 + 1;
    let is_within = |run: &&Run| run.executed - near >= shared.0 && run.executed + near <= shared.1;
    if ![before, after].iter().all(|record| record.runs.iter().any(|run| is_within(&run))) {
        // It runs too seldom for the time that both logs are about.
        return new_statuses(before, after);
    }
    let alone = |runs: &VecDeque<Run>, others: &VecDeque<Run>| {
        let is_alone = |run: &&Run| !around(others, run.executed, near).any(|other| other.status == run.status);
        runs.iter().filter(is_within).filter(is_alone).copied().collect::<Vec<_>>()
    };
    let (new, old) = (alone(&after.runs, &before.runs), alone(&before.runs, &after.runs));
    let first = new.first().or(old.first())?;
    Some(Difference::Status { runs: new.len(), runs_before: old.len(), at: first.executed, status: first.status })
}

/// The runs at most `near` seconds away. Logs are in the order of time, but for runs that took long.
fn around(runs: &VecDeque<Run>, at: i64, near: i64) -> impl Iterator<Item = &Run> {
    let (earliest, latest) = (at - near, at + near);
    let begin = runs.partition_point(|run| run.executed < earliest);
    runs.range(begin..).take_while(move |run| run.executed <= latest)
}

fn new_statuses(before: &Record, after: &Record) -> Option<Difference> {
    let statuses: Vec<_> = after.statuses().difference(&before.statuses()).copied().collect();
    (!statuses.is_empty()).then_some(Difference::NewStatus { statuses })
}

/// A kind of line that was never seen with this status, where there were few kinds.
fn output(before: &Record, after: &Record) -> Option<Difference> {
    if before.lines.len() > MOST_LINES {
        return None;
    }
    after.lines.iter().find_map(|(kind @ (status, _), line)| {
        let (_, known) =
            before.lines.range((*status, String::new())..).next().filter(|((known, _), _)| known == status)?;
        let is_new = !before.lines.contains_key(kind);
        is_new.then(|| Difference::Output { status: *status, line: line.clone(), before: known.clone() })
    })
}

fn definition(before: &Record, after: &Record) -> Option<Difference> {
    let names =
        before.definition.keys().chain(after.definition.keys().filter(|name| !before.definition.contains_key(*name)));
    let differs = |name: &&String| before.definition.get(*name) != after.definition.get(*name);
    let attributes: Vec<_> = names.filter(differs).cloned().collect();
    (!attributes.is_empty()).then_some(Difference::Definition { attributes })
}

#[expect(clippy::cast_precision_loss, reason = "seconds between runs are small")]
fn pace(before: &Record, after: &Record) -> Option<Difference> {
    let (old, new) = (before.pace()?, after.pace()?);
    let is_other = (new - old).abs() > 1 && (new - old).abs() as f64 > old as f64 * PACE_TOLERANCE;
    is_other.then_some(Difference::Pace { seconds: new, before: old })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(runs: &[(i64, i64)]) -> Record {
        let runs = runs.iter().map(|&(executed, status)| Run { executed, status }).collect();
        Record { runs, ..Record::default() }
    }

    /// One a minute from `from` on.
    fn minutes(from: i64, statuses: &[i64]) -> Record {
        let runs: Vec<_> = (0..).zip(statuses).map(|(minute, &status)| (from + minute * 60, status)).collect();
        record(&runs)
    }

    #[test]
    fn a_change_that_one_sees_a_run_later_is_no_difference() {
        let (before, after) = (minutes(0, &[0, 0, 0, 2, 2, 2, 0, 0, 0]), minutes(30, &[0, 0, 0, 0, 2, 2, 0, 0]));
        assert_eq!(differences(&before, &after, Some((0, 480))), []);
    }

    #[test]
    fn a_status_that_the_other_never_has_is_one() {
        let (before, after) = (minutes(0, &[0; 20]), minutes(0, &[3; 20]));
        let found = differences(&before, &after, Some((0, 1140)));
        assert!(matches!(found[..], [Difference::Status { runs: 16, runs_before: 16, status: 3, .. }]), "{found:?}");
    }

    #[test]
    fn a_check_that_runs_too_seldom_is_compared_by_what_it_ever_said() {
        let (before, after) = (record(&[(100, 0)]), record(&[(110, 2)]));
        assert_eq!(differences(&before, &after, Some((0, 180))), [Difference::NewStatus { statuses: vec![2] }]);
    }

    #[test]
    fn logs_of_different_times_are_compared_by_what_there_is() {
        let (before, after) = (minutes(0, &[0, 0, 1]), minutes(9000, &[0, 3, 0]));
        assert_eq!(differences(&before, &after, None), [Difference::NewStatus { statuses: vec![3] }]);
        assert_eq!(differences(&after, &after, None), []);
    }

    #[test]
    fn another_pace_and_another_definition_are_told() {
        let (mut before, mut after) = (minutes(0, &[0; 5]), record(&[(0, 0), (30, 0), (60, 0), (90, 0)]));
        before.definition = json!({"name": "a", "interval": 60, "timeout": 5}).as_object().unwrap().clone();
        after.definition = json!({"name": "a", "interval": 30, "handlers": []}).as_object().unwrap().clone();
        let attributes = ["interval", "timeout", "handlers"].map(str::to_owned).to_vec();
        let want = [Difference::Definition { attributes }, Difference::Pace { seconds: 30, before: 60 }];
        assert_eq!(differences(&before, &after, Some((0, 240))), want);
    }

    #[test]
    fn other_words_with_the_same_status_are_told() {
        let line = |status: i64, text: &str| ((status, text.to_owned()), text.to_owned());
        let (mut before, mut after) = (minutes(0, &[0]), minutes(0, &[0]));
        before.lines = [line(0, "OK 0"), line(2, "broken")].into();
        after.lines = [line(0, "sh: not found"), line(1, "new status")].into();
        let want = Difference::Output { status: 0, line: "sh: not found".to_owned(), before: "OK 0".to_owned() };
        assert_eq!(differences(&before, &after, None), [want]);
    }
}
