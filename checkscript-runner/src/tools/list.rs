//! `list`: what runs on this node, and when next.

use std::process::ExitCode;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde::Serialize;

use crate::cli::Format;
use crate::console::{print, printable};
use crate::definitions::{Check, Client, Sources, load};
use crate::execute::tokens::substitute_text;
use crate::schedule::Timetable;

const INVALID: u8 = 2;
const HEADS: [&str; 8] = ["NEXT START", "NAME", "SCHEDULE", "PHASE", "TIMEOUT", "SUBDUED", "SOURCE", "COMMAND"];
/// The column that is cut, and where.
const COMMAND_WIDTH: usize = 60;

/// One check that runs here.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    source: Option<String>,
    /// Local time, to the millisecond; none if it never comes.
    next_start: Option<String>,
    /// Seconds.
    interval: Option<u64>,
    /// Seconds after a multiple of the interval since the epoch.
    phase: Option<f64>,
    cron: Option<&'a str>,
    /// Seconds; none is unlimited.
    timeout: Option<f64>,
    /// Whether a slot now would be left out.
    subdued: bool,
    /// Tokens not replaced.
    command: &'a str,
    #[serde(skip)]
    slot: Option<i64>,
    #[serde(skip)]
    schedule: String,
}

/// Exit status 2 if the configuration is invalid.
pub(super) fn run(sources: &Sources, format: Format) -> anyhow::Result<ExitCode> {
    let Some(definitions) = super::valid(load(sources).definitions) else { return Ok(INVALID.into()) };
    let now = Timestamp::now();
    let mut rows: Vec<_> = definitions.checks.iter().map(|check| Row::of(check, &definitions.client, now)).collect();
    rows.sort_by_key(|row| (row.slot.is_none(), row.slot, row.name));
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&rows)? + "\n",
        Format::Text if rows.is_empty() => format!("No check runs on {}\n", definitions.client.name),
        Format::Text => table(&rows),
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

// === impl Row ===

impl<'a> Row<'a> {
    fn of(check: &'a Check, client: &Client, now: Timestamp) -> Self {
        let slot = check.timetable.at_or_after(now.as_millisecond());
        let attribute = |name: &str| check.definition.get(name).and_then(|value| value.as_str());
        let (interval, phase) = match check.timetable {
            Timetable::Interval { interval, phase } => (Some(interval / 1000), Some(phase as f64 / 1000.0)),
            Timetable::Cron(_) => (None, None),
        };
        Self {
            name: &check.name,
            source: attribute("source")
                .map(|source| substitute_text(source, &client.attributes).0)
                .filter(|source| !source.is_empty()),
            next_start: slot.and_then(local),
            interval,
            phase,
            cron: attribute("cron").filter(|_| interval.is_none()),
            timeout: check.timeout.filter(|seconds| *seconds != 0.0),
            subdued: check.subdue.as_ref().is_some_and(|subdue| subdue.covers(now)),
            command: &check.command,
            slot,
            schedule: super::schedule(check),
        }
    }

    fn cells(&self) -> [String; 8] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            or_dash(self.next_start.clone()),
            self.name.to_owned(),
            self.schedule.clone(),
            or_dash(self.phase.map(|seconds| format!("{seconds:.3} s"))),
            or_dash(self.timeout.map(|seconds| format!("{seconds} s"))),
            or_dash(self.subdued.then(|| "now".to_owned())),
            or_dash(self.source.clone()),
            cut(self.command),
        ]
        .map(|cell| printable(&cell))
    }
}

fn local(slot: i64) -> Option<String> {
    let time: Zoned = Timestamp::from_millisecond(slot).ok()?.to_zoned(TimeZone::system());
    Some(time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
}

fn cut(command: &str) -> String {
    match command.char_indices().nth(COMMAND_WIDTH) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command.to_owned(),
    }
}

fn table(rows: &[Row<'_>]) -> String {
    let lines: Vec<_> = std::iter::once(HEADS.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..HEADS.len()).map(width).collect();
    let line = |cells: &[String; 8]| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_cut_between_characters() {
        assert_eq!(cut(&"運".repeat(60)), "運".repeat(60));
        assert_eq!(cut(&"運".repeat(61)), "運".repeat(60) + "…");
    }
}
