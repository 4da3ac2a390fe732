//! `compare`: whether two logs give the same results: sensu-client's and checkscript-runner's, of one node.
//!
//! `history` reads a log, `judge` compares two records of a check; here they are put together and told.

mod history;
mod judge;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use check_result::CheckKey;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use self::history::{History, Record};
use self::judge::{Difference, differences};
use crate::cli::Format;
use crate::console::{complain, print, printable};

/// As `diff` has it.
const TROUBLE: u8 = 2;

/// The whole comparison.
#[derive(Debug, Serialize)]
struct Comparison {
    /// Whether the logs are about a common time, so that runs are compared with those near them.
    side_by_side: bool,
    checks: Vec<Compared>,
}

/// One check.
#[derive(Debug, Serialize)]
struct Compared {
    /// `SOURCE:NAME` for a proxy client's.
    name: String,
    runs_before: usize,
    runs: usize,
    differences: Vec<Difference>,
}

/// Exit status 0 where they give the same, 1 where not, 2 where a log cannot be read.
pub(super) fn run(before: &Path, after: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let read = History::read(before).and_then(|first| Ok((first, History::read(after)?)));
    let (first, second) = match read {
        Ok(both) => both,
        Err(error) => {
            complain(&format!("{error:#}"));
            return Ok(TROUBLE.into());
        }
    };
    for (file, history) in [(before, &first), (after, &second)] {
        if history.checks.is_empty() {
            complain(&format!(
                "{} has no result of any check: is it the log of a client, at level info?",
                file.display()
            ));
            return Ok(TROUBLE.into());
        }
        if history.too_long > 0 {
            complain(&format!(
                "{} has {} lines of more than 16 MiB, which are left out",
                file.display(),
                history.too_long
            ));
        }
    }
    let comparison = Comparison::of(&first, &second);
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&comparison)? + "\n",
        Format::Text => comparison.text(),
    };
    print(text.as_bytes())?;
    let is_alike = comparison.checks.iter().all(|check| check.differences.is_empty());
    Ok(if is_alike { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

// === impl Comparison ===

impl Comparison {
    fn of(before: &History, after: &History) -> Self {
        let shared = before.span().zip(after.span()).map(|(one, other)| (one.0.max(other.0), one.1.min(other.1)));
        let shared = shared.filter(|(begin, end)| begin < end);
        let keys: BTreeSet<&CheckKey> = before.checks.keys().chain(after.checks.keys()).collect();
        let mut checks: Vec<_> = keys.into_iter().map(|key| Compared::of(key, before, after, shared)).collect();
        checks.sort_by_key(|check| check.differences.is_empty());
        Self { side_by_side: shared.is_some(), checks }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for check in self.checks.iter().filter(|check| !check.differences.is_empty()) {
            lines.push(format!("{}  {} runs before, {} after", printable(&check.name), check.runs_before, check.runs));
            lines.extend(check.differences.iter().map(|difference| format!("    {}", difference.text())));
        }
        let alike = self.checks.iter().filter(|check| check.differences.is_empty()).count();
        let how = match self.side_by_side {
            true => "compared run by run, as the logs are about the same time",
            false => "the logs are about different times: only what each check ever said is compared",
        };
        lines.push(format!("{alike} of {} checks give the same results ({how})", self.checks.len()));
        lines.join("\n") + "\n"
    }
}

// === impl Compared ===

impl Compared {
    fn of(key: &CheckKey, before: &History, after: &History, shared: Option<(i64, i64)>) -> Self {
        let (old, new) = (before.checks.get(key), after.checks.get(key));
        let differences = match (old, new) {
            (Some(old), Some(new)) => differences(old, new, shared),
            (Some(_), None) => vec![Difference::Missing],
            _ => vec![Difference::New],
        };
        let runs = |record: Option<&Record>| record.map_or(0, |record| record.runs.len());
        let source = key.source.as_ref().map(|source| format!("{source}:")).unwrap_or_default();
        Self { name: format!("{source}{}", key.check), runs_before: runs(old), runs: runs(new), differences }
    }
}

// === impl Difference ===

impl Difference {
    fn text(&self) -> String {
        match self {
            Self::Missing => "missing: it did not run in the second log".to_owned(),
            Self::New => "new: it did not run in the first log".to_owned(),
            Self::Status { runs, runs_before, at, status } => {
                let at = Timestamp::from_second(*at)
                    .map(|at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string());
                format!(
                    "status: {} runs have a status that the other log does not have near that time, such as {status} at {}",
                    runs + runs_before,
                    at.unwrap_or_default()
                )
            }
            Self::NewStatus { statuses } => {
                let statuses: Vec<_> = statuses.iter().map(ToString::to_string).collect();
                format!("status: {} never came before", statuses.join(", "))
            }
            Self::Output { status, line, before } => {
                format!("output: with status {status} it says `{}`, before `{}`", printable(line), printable(before))
            }
            Self::Definition { attributes } => format!("definition: {}", printable(&attributes.join(", "))),
            Self::Pace { seconds, before } => format!("pace: every {seconds} s, before every {before} s"),
        }
    }
}
