//! What a log says of each check: its runs, and what it was defined as last.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;
use check_result::log::{LONGEST_LINE, Line, read_line};
use check_result::{CheckKey, CheckResult, Object};

/// How many runs of a check are kept, the newest: two weeks of one a minute.
const MOST_RUNS: usize = 20_000;

/// How many kinds of first lines are kept of a check; one that prints ever new words is not compared by them.
pub(super) const MOST_LINES: usize = 50;

/// What belongs to a run and not to its definition.
const OF_A_RUN: [&str; 8] = ["output", "status", "executed", "issued", "duration", "history", "hooks", "exit_status"];

/// A whole log, by check.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) checks: BTreeMap<CheckKey, Record>,
    /// Lines that are longer than any that is read.
    pub(super) too_long: usize,
}

/// One check.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// In the order of the log.
    pub(super) runs: VecDeque<Run>,
    /// The first lines with numbers left out, by exit status, and one as it was.
    pub(super) lines: BTreeMap<(i64, String), String>,
    /// The names of the definition's attributes with their values, of the last result.
    pub(super) definition: Object,
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Epoch seconds.
    pub(super) executed: i64,
    pub(super) status: i64,
}

// === impl History ===

impl History {
    /// Reads a log of sensu-client's or checkscript-runner's.
    ///
    /// # Errors
    /// When the file cannot be read. Lines that are no results are passed over, as every reader of such logs does.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::of(BufReader::new(opened)).with_context(|| format!("cannot read {}", file.display()))
    }

    pub(super) fn of(mut log: impl BufRead) -> std::io::Result<Self> {
        let (mut history, mut line) = (Self::default(), Vec::new());
        loop {
            line.clear();
            let most = u64::try_from(LONGEST_LINE + 1).unwrap_or(u64::MAX);
            if log.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
                return Ok(history);
            }
            if line.len() > LONGEST_LINE && !line.ends_with(b"\n") {
                history.too_long += 1;
                log.skip_until(b'\n')?;
            } else if let Line::Result(logged) = read_line(line.trim_ascii_end()) {
                history.checks.entry(logged.result.key()).or_default().add(&logged.result);
            }
        }
    }

    /// When the first and the last run began.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let runs = || self.checks.values().flat_map(|record| &record.runs).map(|run| run.executed);
        runs().min().zip(runs().max())
    }
}

// === impl Record ===

impl Record {
    fn add(&mut self, result: &CheckResult) {
        let status = result.exit_code();
        if self.runs.len() == MOST_RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back(Run { executed: result.executed().unwrap_or_default(), status });
        if self.lines.len() <= MOST_LINES {
            let line = result.first_line();
            self.lines.entry((status, without_numbers(line))).or_insert_with(|| line.to_owned());
        }
        let attributes = result.check().iter().filter(|(name, _)| !OF_A_RUN.contains(&name.as_str()));
        self.definition = attributes.map(|(name, value)| (name.clone(), value.clone())).collect();
    }

    /// Seconds from one run to the next, the median; `None` of fewer than three runs.
    pub(super) fn pace(&self) -> Option<i64> {
        let mut gaps: Vec<_> =
            self.runs.iter().zip(self.runs.iter().skip(1)).map(|(one, next)| next.executed - one.executed).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().filter(|_| gaps.len() > 1)
    }

    pub(super) fn statuses(&self) -> BTreeSet<i64> {
        self.runs.iter().map(|run| run.status).collect()
    }
}

/// With every number as one `0`: what a line says, whatever it counts.
fn without_numbers(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        let is_part = c.is_ascii_digit() || (c == '.' && out.ends_with('0'));
        match is_part {
            true if out.ends_with('0') => {}
            true => out.push('0'),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_same_whatever_it_counts() {
        assert_eq!(without_numbers("DISK OK 87.25% of 100G"), without_numbers("DISK OK 9% of 2000G"));
        assert_ne!(without_numbers("DISK OK"), without_numbers("DISK WARNING"));
    }

    #[test]
    fn what_is_no_result_is_passed_over() {
        let result = r#"{"timestamp":"2026-11-18T00:00:00.000000+0000","level":"info","message":"publishing check result","payload":{"client":"c","check":{"name":"a","interval":60,"executed":5,"output":"x\ny","status":1}}}"#;
        let long = "x".repeat(LONGEST_LINE + 10);
        let history = History::of(format!("garbage\n{long}\n{result}\n{result}").as_bytes()).unwrap();
        assert_eq!((history.checks.len(), history.too_long, history.span()), (1, 1, Some((5, 5))));
        let record = history.checks.values().next().unwrap();
        assert_eq!(record.runs, [Run { executed: 5, status: 1 }; 2]);
        assert_eq!(record.definition.keys().collect::<Vec<_>>(), ["name", "interval"]);
    }
}
