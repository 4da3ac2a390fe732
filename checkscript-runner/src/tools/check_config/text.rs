//! The report for a person: problems first and in full, the rest short, what things mean once at the end.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anstyle::{AnsiColor, Color, Style};

use super::report::{Finding, Kind, Place, Report, Subject, Verdict};

use crate::console::printable;

const BOLD: Style = Style::new().bold();

/// With terminal escapes; whoever prints it takes them out where they do not belong.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    report.subjects.iter().for_each(|subject| block(&mut out, subject));
    legend(&mut out, &report.subjects, Verdict::Elsewhere, "Taken over by other parts");
    legend(&mut out, &report.subjects, Verdict::NoEffect, "Without effect here");
    legend(&mut out, &report.subjects, Verdict::Attention, "Needs attention more than once");
    summary(&mut out, report);
    out
}

/// A line for each finding that deserves one, a line for each kind of the others.
fn block(out: &mut String, subject: &Subject) {
    heading(out, subject);
    let own_file = subject.place.as_ref().map(|place| place.file.as_path());
    let is_in_full = |finding: &&Finding| finding.verdict <= Verdict::Changed;
    let rows: Vec<[String; 2]> = subject
        .findings
        .iter()
        .filter(is_in_full)
        .map(|finding| [attribute_text(subject.kind, finding), place_text(finding.place.as_ref(), own_file)])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (names, places) = (width(0), width(1));
    for (finding, [attribute, place]) in subject.findings.iter().filter(is_in_full).zip(&rows) {
        let line = format!("{}  {attribute:names$}  {place:places$}", label(finding.verdict));
        // Columns that no line of the block fills are left out.
        let line = if names + places == 0 { label(finding.verdict) } else { line };
        push_line(out, &format!("{line}  {}", printable(&finding.text)));
    }
    for verdict in [Verdict::Elsewhere, Verdict::NoEffect, Verdict::Honoured] {
        let briefs = subject.findings.iter().filter(|finding| finding.verdict == verdict);
        let briefs: Vec<_> = briefs.map(|finding| brief(finding, own_file)).collect();
        if !briefs.is_empty() {
            push_line(out, &format!("{}  {}", label(verdict), briefs.join(", ")));
        }
    }
    out.push('\n');
}

fn attribute_text(kind: Kind, finding: &Finding) -> String {
    let is_whole = finding.attribute.is_empty() && kind != Kind::Configuration;
    if is_whole { "(whole)".to_owned() } else { printable(&finding.attribute) }
}

fn heading(out: &mut String, subject: &Subject) {
    let name = match subject.kind {
        Kind::Check => format!("check {}", printable(&subject.name)),
        _ => subject.name.clone(),
    };
    let schedule = subject.schedule.as_ref().map(|schedule| format!("  {}", printable(schedule)));
    let not_run = subject.not_run.as_ref().map(|reason| format!("  not run here: {reason}"));
    let place = subject.place.as_ref().map(|place| format!("  ({}:{})", place.file.display(), place.line));
    let details = [schedule, not_run, place].into_iter().flatten().collect::<String>();
    push_line(out, &format!("{BOLD}{name}{BOLD:#}{details}"));
}

fn brief(finding: &Finding, own_file: Option<&Path>) -> String {
    let attribute = printable(&finding.attribute);
    match place_text(finding.place.as_ref(), own_file) {
        place if place.is_empty() => attribute,
        place => format!("{attribute} {place}"),
    }
}

/// `:LINE` in the subject's own file, else `FILE:LINE`.
fn place_text(place: Option<&Place>, own_file: Option<&Path>) -> String {
    match place {
        Some(place) if own_file == Some(&place.file) => format!(":{}", place.line),
        Some(place) => format!("{}:{}", place.file.display(), place.line),
        None => String::new(),
    }
}

fn label(verdict: Verdict) -> String {
    let (word, style) = match verdict {
        Verdict::Invalid => ("invalid", colour(AnsiColor::Red).bold()),
        Verdict::Attention => ("attention", colour(AnsiColor::Yellow)),
        Verdict::Changed => ("changed", colour(AnsiColor::Cyan)),
        Verdict::Elsewhere => ("elsewhere", Style::new().dimmed()),
        Verdict::NoEffect => ("no effect", Style::new().dimmed()),
        Verdict::Honoured => ("honoured", Style::new().dimmed()),
    };
    format!("    {style}{word:9}{style:#}")
}

fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// What the attributes of short lines mean, which is the same in all checks; and the problems that many checks share.
fn legend(out: &mut String, subjects: &[Subject], verdict: Verdict, title: &str) {
    let mut meanings: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for finding in subjects.iter().flat_map(|subject| &subject.findings).filter(|finding| finding.verdict == verdict) {
        *meanings.entry(&finding.text).or_default().entry(&finding.attribute).or_default() += 1;
    }
    if verdict == Verdict::Attention {
        meanings.retain(|_, attributes| attributes.values().sum::<usize>() > 1);
    }
    if meanings.is_empty() {
        return;
    }
    push_line(out, &format!("{BOLD}{title}{BOLD:#}"));
    for (text, attributes) in meanings {
        let counted = attributes.iter().map(|(attribute, count)| match count {
            1 => printable(attribute),
            times => format!("{} ({times} times)", printable(attribute)),
        });
        push_line(out, &format!("    {}: {text}", counted.collect::<Vec<_>>().join(", ")));
    }
    out.push('\n');
}

fn summary(out: &mut String, report: &Report) {
    let summary = &report.summary;
    let runs = if report.valid { summary.run_here.to_string() } else { "none".to_owned() };
    let line = format!("{}, {runs} would run on {}", count(summary.checks, "check"), report.client);
    let kinds = [
        (summary.invalid, "invalid"),
        (summary.attention, "with something to look at"),
        (summary.changed, "better than before"),
        (summary.as_before, "as before"),
    ];
    let kinds: Vec<_> =
        kinds.iter().filter(|kind| kind.0 > 0).map(|(count, words)| format!("{count} {words}")).collect();
    let colon = if kinds.is_empty() { "" } else { ": " };
    push_line(out, &format!("{BOLD}{line}{BOLD:#}{colon}{}", kinds.join(", ")));
    if summary.outside_of_checks > 0 {
        push_line(out, &format!("{} to look at outside of the checks", count(summary.outside_of_checks, "thing")));
    }
    if report.valid && summary.without_timeout > 0 {
        push_line(
            out,
            &format!("{} without a timeout: one that hangs is never stopped", count(summary.without_timeout, "check")),
        );
    }
    if !report.valid {
        push_line(out, "The configuration is invalid: checkscript-runner does not start with it");
    }
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn push_line(out: &mut String, line: &str) {
    writeln!(out, "{}", line.trim_end()).expect("a string can be written to");
}
