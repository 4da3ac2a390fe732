//! What became of each figure between two runs: worse, better, or no more than noise.
//!
//! A figure has changed if the repeats of the two runs lie apart, lowest to highest, and the medians differ by more than a threshold. That
//! of three repeats each all come out worse by chance happens once in twenty; of fewer it says so little that the medians have to differ by three times the
//! threshold. What is measured in repeats of one run does not see what differs between runs, which the threshold is for.
//!
//! On two machines only ratios are judged, so also on one that had much else to do, and where something else was measured, another size or another build, nothing is.

mod tell;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::report::{Better, Figure, Kind, Report};

pub(crate) use tell::{Form, tell};

/// How often repeats may lie apart by chance before they are too few to say something.
const CHANCE: f64 = 0.05;
/// What the threshold is multiplied with for too few.
const FEW: f64 = 3.0;

/// What became of a figure; worst first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Verdict {
    Worse,
    /// It was in the baseline, and was not measured.
    Gone,
    New,
    Better,
    Same,
    /// It has no direction, or the two runs are not comparable in it.
    Unjudged,
}

/// A figure of two runs, or of one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) bench: &'a str,
    pub(crate) before: Option<&'a Figure>,
    pub(crate) after: Option<&'a Figure>,
    pub(crate) verdict: Verdict,
}

/// Two runs, one bench beside the other.
#[derive(Debug)]
pub(crate) struct Comparison<'a> {
    /// Benches of both.
    pub(crate) both: Vec<(&'a Report, &'a Report)>,
    /// Benches of the baseline alone, and of the run alone.
    pub(crate) not_run: Vec<&'a str>,
    pub(crate) not_saved: Vec<&'a str>,
    /// All figures of the benches of both, worst first.
    pub(crate) changes: Vec<Change<'a>>,
}

/// What two reports of a bench have in common, and so which figures can be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ground {
    Machine,
    Bench,
    /// Something else was measured: of another size, or another build.
    Nothing,
}

// === impl Ground ===

impl Ground {
    pub(crate) fn of(before: &Report, after: &Report) -> Self {
        if !was_given_the_same(before, after) || before.debug != after.debug {
            Self::Nothing
        } else if !before.machine.is_alike(&after.machine) || [before, after].iter().any(|run| run.machine.is_busy()) {
            Self::Bench
        } else {
            Self::Machine
        }
    }

    fn carries(self, figure: &Figure) -> bool {
        match self {
            Self::Machine => true,
            Self::Bench => figure.kind == Kind::Ratio,
            Self::Nothing => false,
        }
    }
}

/// Whether all that was given in one and that the other has too is the same, as it is shown: a log is some bytes longer than it should be. What
/// only one has is of a version of the bench that says more, or was not played: figures that are of it are not in the other either.
fn was_given_the_same(before: &Report, after: &Report) -> bool {
    let same = |one: &Report, other: &Report| {
        let given = one.figures.iter().filter(|figure| figure.kind == Kind::Given);
        let of_other = |name: &str| other.figures.iter().find(|figure| figure.name == name);
        given.filter_map(|figure| Some((figure, of_other(&figure.name)?))).all(|(a, b)| a.value() == b.value())
    };
    same(before, after) && same(after, before)
}

// === impl Change ===

impl Change<'_> {
    /// How much higher the figure is, of what it was; where that says nothing, none.
    pub(crate) fn relative(&self) -> Option<f64> {
        let (before, after) = (self.before?.median, self.after?.median);
        (before > 0.0 && after.is_finite()).then(|| after / before - 1.0)
    }

    /// How far the medians are from each other, whichever is higher.
    fn size(&self) -> f64 {
        self.before.zip(self.after).map_or(0.0, |(before, after)| factor(before.median, after.median))
    }
}

// === impl Comparison ===

impl<'a> Comparison<'a> {
    pub(crate) fn of(before: &'a [Report], after: &'a [Report], threshold: f64) -> Self {
        let find = |reports: &'a [Report], bench: &str| reports.iter().find(|report| report.bench == bench);
        let alone = |of: &'a [Report], others: &'a [Report]| {
            let alone = of.iter().filter(|report| find(others, &report.bench).is_none());
            alone.map(|report| report.bench.as_str()).collect()
        };
        let both: Vec<_> = before.iter().filter_map(|old| Some((old, find(after, &old.bench)?))).collect();
        let mut changes: Vec<_> = both.iter().flat_map(|(old, new)| changes(old, new, threshold)).collect();
        changes.sort_by(|a, b| a.verdict.cmp(&b.verdict).then(largest_first(a, b)));
        Self { both, not_run: alone(before, after), not_saved: alone(after, before), changes }
    }

    /// Whether anything could be said of any figure.
    pub(crate) fn has_judged(&self) -> bool {
        let judged = [Verdict::Worse, Verdict::Better, Verdict::Same];
        self.changes.iter().any(|change| judged.contains(&change.verdict))
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.changes.iter().filter(|change| change.verdict == verdict).count()
    }
}

/// Those that were measured since, and not those that are the baseline's own: a folder still has what was not run again.
pub(crate) fn measured_anew(before: &[Report], after: Vec<Report>) -> Vec<Report> {
    let is_old = |new: &Report| before.iter().any(|old| old.bench == new.bench && old.started == new.started);
    after.into_iter().filter(|new| !is_old(new)).collect()
}

fn largest_first(a: &Change<'_>, b: &Change<'_>) -> Ordering {
    b.size().total_cmp(&a.size())
}

fn changes<'a>(before: &'a Report, after: &'a Report, threshold: f64) -> Vec<Change<'a>> {
    let (bench, ground) = (before.bench.as_str(), Ground::of(before, after));
    let of_new = after.figures.iter().map(|new| {
        let old = before.figures.iter().find(|old| is_same(old, new));
        let verdict = old.map_or(Verdict::New, |old| judge(old, new, ground, threshold));
        Change { bench, before: old, after: Some(new), verdict }
    });
    let gone = before.figures.iter().filter(|old| !after.figures.iter().any(|new| is_same(old, new)));
    let gone = gone.map(|old| Change { bench, before: Some(old), after: None, verdict: Verdict::Gone });
    of_new.chain(gone).collect()
}

/// The same thing is measured in two units: pushes a second, and pushes to those of another gateway.
fn is_same(a: &Figure, b: &Figure) -> bool {
    a.name == b.name && a.unit == b.unit
}

/// What the newer figure says of itself counts.
fn judge(before: &Figure, after: &Figure, ground: Ground, threshold: f64) -> Verdict {
    match after.better {
        _ if before.median.is_nan() && after.median.is_nan() => Verdict::Unjudged,
        _ if before.median.is_nan() => Verdict::New,
        _ if after.median.is_nan() => Verdict::Gone,
        Some(better) if ground.carries(after) => match better {
            Better::Met => by_target(after.would_meet(before.decisive()), after.met),
            Better::Lower | Better::Higher if !has_changed(before, after, threshold) => Verdict::Same,
            Better::Lower if after.median < before.median => Verdict::Better,
            Better::Higher if after.median > before.median => Verdict::Better,
            Better::Lower | Better::Higher => Verdict::Worse,
        },
        _ => Verdict::Unjudged,
    }
}

fn by_target(before: Option<bool>, after: Option<bool>) -> Verdict {
    match (before, after) {
        (Some(true), Some(false)) => Verdict::Worse,
        (Some(false), Some(true)) => Verdict::Better,
        (Some(_), Some(_)) => Verdict::Same,
        _ => Verdict::Unjudged,
    }
}

fn has_changed(before: &Figure, after: &Figure, threshold: f64) -> bool {
    let apart = after.lowest > before.highest || after.highest < before.lowest;
    let few = by_chance(before.repeats, after.repeats) > CHANCE;
    let enough = 1.0 + if few { FEW * threshold } else { threshold };
    apart && factor(before.median, after.median) > enough
}

/// How likely it is that of so many repeats of the same thing all of the one run lie above all of the other: one order of ranks of all
/// that there are, as the rank sum test has it.
fn by_chance(before: usize, after: usize) -> f64 {
    (1..=before).map(|rank| rank as f64 / (after + rank) as f64).product()
}

/// The higher to the lower, so that it is the same in both directions; of nothing to something it is infinite.
fn factor(a: f64, b: f64) -> f64 {
    if a == b {
        1.0
    } else if a > 0.0 && b > 0.0 {
        (a / b).max(b / a)
    } else {
        f64::INFINITY
    }
}
