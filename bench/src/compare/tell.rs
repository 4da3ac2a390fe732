//! A comparison as text: what the two runs were, then figure by figure, worst first, and in one sentence at the end.

use super::{Change, Comparison, Ground, Verdict};
use crate::report::{Figure, Report};
use crate::table::{markdown, number, plain};

/// For whom it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Terminal,
    Markdown,
}

const HEAD: [&str; 6] = ["", "change", "bench", "figure", "before", "after"];

pub(crate) fn tell(comparison: &Comparison<'_>, form: Form) -> String {
    let rows: Vec<_> = comparison.changes.iter().map(row).collect();
    let mut notes: Vec<String> = comparison.both.iter().flat_map(|(before, after)| notes(before, after)).collect();
    notes.extend(listed("not run this time", &comparison.not_run));
    notes.extend(listed("not in the baseline", &comparison.not_saved));
    let notes: String = notes.iter().map(|note| format!("- {note}\n")).collect();
    let table = match form {
        Form::Terminal => plain(&rows),
        Form::Markdown => markdown(&HEAD, &rows),
    };
    [notes, table, summary(comparison)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn listed(what: &str, benches: &[&str]) -> Option<String> {
    (!benches.is_empty()).then(|| format!("{what}: {}", benches.join(", ")))
}

/// What one has to know of the two runs of a bench before one reads its figures.
fn notes(before: &Report, after: &Report) -> Vec<String> {
    let bench = &after.bench;
    let ground = match Ground::of(before, after) {
        Ground::Machine => None,
        Ground::Bench if !before.machine.is_alike(&after.machine) => {
            let (was, is) = (before.machine.class(), after.machine.class());
            Some(format!("{bench}: on another machine ({was}; now {is}), so only ratios are judged"))
        }
        Ground::Bench => {
            Some(format!("{bench}: the machine had other work ({}), so only ratios are judged", loads(before, after)))
        }
        Ground::Nothing => Some(format!("{bench}: of another size, setting or build, so nothing is judged")),
    };
    let commits = before.commit.iter().zip(&after.commit).filter(|(was, now)| was != now);
    let commits = commits.map(|(was, now)| format!("{bench}: of commit {now}, was {was}"));
    let versions = after.versions.iter().filter_map(|(name, now)| {
        let was = before.versions.get(name).filter(|was| *was != now)?;
        Some(format!("{bench}: {name} is {now}, was {was}"))
    });
    let end = after.unfinished.then(|| format!("{bench}: it has not come to its end"));
    ground.into_iter().chain(end).chain(commits).chain(versions).collect()
}

fn loads(before: &Report, after: &Report) -> String {
    let load = |report: &Report| report.machine.load.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.1}"));
    format!("load {}; now {}", load(before), load(after))
}

fn row(change: &Change<'_>) -> [String; 6] {
    let Change { bench, before, after, verdict } = change;
    let name = after.or(*before).map_or_else(String::new, |figure| figure.name.clone());
    [word(*verdict).to_owned(), by(change), (*bench).to_owned(), name, shown(*before), shown(*after)]
}

/// The words of verdicts that want somebody to look are the loud ones.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Worse => "WORSE",
        Verdict::Gone => "GONE",
        Verdict::New => "new",
        Verdict::Better => "better",
        Verdict::Same => "same",
        Verdict::Unjudged => "-",
    }
}

fn by(change: &Change<'_>) -> String {
    change.relative().map_or_else(String::new, |share| match number(100.0 * share) {
        percent if share > 0.0 && percent != "0" => format!("+{percent} %"),
        percent => format!("{percent} %"),
    })
}

fn shown(figure: Option<&Figure>) -> String {
    figure.map_or_else(String::new, |figure| match figure.spread() {
        spread if spread.is_empty() => figure.value(),
        spread => format!("{} ({spread})", figure.value()),
    })
}

fn summary(comparison: &Comparison<'_>) -> String {
    let count = |verdict| comparison.count(verdict);
    let gone = comparison.changes.iter().filter(|change| change.verdict == Verdict::Gone);
    let gone: Vec<_> = gone.filter_map(|change| Some(format!("{}: {}", change.bench, change.before?.name))).collect();
    let gone = if gone.is_empty() { String::new() } else { format!("Gone, so not compared: {}\n", gone.join("; ")) };
    format!(
        "{} worse, {} better, {} the same but for noise, {} not judged, {} new, {} gone\n{gone}",
        count(Verdict::Worse),
        count(Verdict::Better),
        count(Verdict::Same),
        count(Verdict::Unjudged),
        count(Verdict::New),
        count(Verdict::Gone)
    )
}
