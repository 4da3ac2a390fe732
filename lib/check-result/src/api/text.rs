//! What a person gets in a terminal.

use std::fmt::Write;

use crate::api::detail::{Labels, Summary};
use crate::text::is_direction_override;
use crate::{HistoryEntry, Status};

/// A table: status, check (`source/check` for a proxy client's), first line of the output.
pub(super) fn table(summaries: &[Summary]) -> String {
    let names: Vec<_> = summaries.iter().map(|summary| name(&summary.labels)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (summary, name) in summaries.iter().zip(names) {
        let line = format!("{:8}  {name:width$}  {}", summary.status, summary.output);
        let _ = writeln!(out, "{}", harmless(line.trim_end()));
    }
    out
}

/// The course of a check, newest first: when, `*` where the status changed, status, output. Further lines of an output stand
/// beneath its first one.
pub(super) fn course<'a>(history: impl Iterator<Item = &'a HistoryEntry>) -> String {
    let mut out = String::new();
    for entry in history {
        let at = entry.executed.and_then(|executed| jiff::Timestamp::from_second(executed).ok());
        let at = at.unwrap_or(entry.logged).strftime("%Y-%m-%dT%H:%M:%SZ");
        let mark = if entry.changed { '*' } else { ' ' };
        let head = format!("{at} {mark} {:12}  ", word(entry.status));
        let indent = " ".repeat(head.len());
        let mut lines = entry.output.trim_end().lines();
        let first = format!("{head}{}", lines.next().unwrap_or_default());
        for line in std::iter::once(first).chain(lines.map(|line| format!("{indent}{line}"))) {
            let _ = writeln!(out, "{}", harmless(line.trim_end()));
        }
    }
    out
}

/// The status, with the exit status where the word does not say it.
fn word(code: i64) -> String {
    match Status::from_exit_code(code) {
        Status::Unknown if code != 3 => format!("UNKNOWN {code}"),
        status => status.to_string(),
    }
}

fn name(labels: &Labels) -> String {
    let label = |name| labels.get(name).map_or("", String::as_str);
    let own = ["check", "source"];
    let others = labels.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let others: String = others.map(|(name, value)| format!(" {name}={value}")).collect();
    match label("source") {
        "" => format!("{}{others}", label("check")),
        source => format!("{source}/{}{others}", label("check")),
    }
}

/// The line without what moves a terminal's cursor, sets its title or turns the text around: here outputs stand among our
/// own words.
fn harmless(line: &str) -> String {
    let acts = |c: char| (c.is_control() && c != '\t') || is_direction_override(c);
    line.chars().map(|c| if acts(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(executed: i64, status: i64, changed: bool, output: &str) -> HistoryEntry {
        let logged = jiff::Timestamp::from_second(executed + 1).unwrap();
        HistoryEntry { logged, executed: Some(executed), duration: None, status, changed, output: output.into() }
    }

    #[test]
    fn a_course_shows_changes_and_whole_outputs_and_does_nothing_to_the_terminal() {
        let history = [entry(120, 2, true, "DISK CRITICAL\n  / 99%\n"), entry(60, 127, false, "\u{1b}]0;x\u{7}no")];
        assert_eq!(
            course(history.iter()),
            "1970-01-01T00:02:00Z * CRITICAL      DISK CRITICAL\n                                       / 99%\n\
             1970-01-01T00:01:00Z   UNKNOWN 127   \u{fffd}]0;x\u{fffd}no\n"
        );
        assert_eq!(course([entry(0, 0, true, "")].iter()), "1970-01-01T00:00:00Z * OK\n");
        let turned = course([entry(0, 0, true, "gpj.\u{202e}exe \u{2066}")].iter());
        assert_eq!(turned, "1970-01-01T00:00:00Z * OK            gpj.\u{fffd}exe \u{fffd}\n");
    }
}
