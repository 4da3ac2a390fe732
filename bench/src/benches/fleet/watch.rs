//! What the Prometheus servers of all shards leave out while one watches, and how long their rules take.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use procfs::{Current as _, Meminfo};

use super::stack::{INTERVAL, Stack, UP};
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::scraper::{Evaluated, Evaluations};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// MiB of memory that has to be left, for what the kernel keeps of files.
const SPARE: u64 = 512;

/// Seconds after which a scrape is known: it may take ten.
const KNOWN: u64 = 15;

/// Of the scrapes that were due, the share that may seem left out: each is some milliseconds late, and so some fall on the other side of the
/// edges of what is watched.
const EDGES: f64 = 0.001;

/// A time in which one watches.
pub(super) struct Watch {
    began: Instant,
    shards: Vec<Evaluations>,
    seen: Vec<Evaluated>,
    /// Evaluations that had been left out before.
    missed: f64,
}

/// What was seen in it.
#[derive(Debug)]
pub(super) struct Watched {
    /// Of a shard each.
    evaluations: Vec<Evaluated>,
    /// Evaluations that were left out.
    missed: f64,
    scrapes: Scrapes,
}

/// The scrapes of nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scrapes {
    due: f64,
    took_place: f64,
    failed: f64,
}

// === impl Watch ===

impl Watch {
    pub(super) fn from_now(stack: &Stack) -> anyhow::Result<Self> {
        let shards = stack.shards.iter().map(|shard| Evaluations::from_now(shard, &stack.fetcher, ""));
        let shards = shards.collect::<anyhow::Result<_>>()?;
        Ok(Self { began: Instant::now(), shards, seen: Vec::new(), missed: missed(stack)? })
    }

    /// Lets some seconds pass, in which there has to be memory: without, all stands still for minutes instead of ending.
    pub(super) fn go_on(&mut self, stack: &Stack) -> anyhow::Result<()> {
        pass(EVERY);
        let memory = Meminfo::current()?;
        let free = memory.mem_available.context("this kernel does not say what memory is available")? >> 20;
        anyhow::ensure!(free >= SPARE, "{free} MiB of memory are left on this machine: take fewer nodes or checks");
        for (evaluations, shard) in self.shards.iter_mut().zip(&stack.shards) {
            self.seen.extend(evaluations.next(shard, &stack.fetcher)?);
        }
        Ok(())
    }

    /// Ends it, after one interval or more in which so many nodes were scraped.
    pub(super) fn end(self, stack: &Stack, nodes: usize) -> anyhow::Result<Watched> {
        let missed = missed(stack)? - self.missed;
        Ok(Watched { evaluations: self.seen, missed, scrapes: Scrapes::over(stack, nodes, self.began.elapsed())? })
    }
}

fn missed(stack: &Stack) -> anyhow::Result<f64> {
    stack.sum_of("prometheus_rule_group_iterations_missed_total")
}

// === impl Watched ===

impl Watched {
    /// Adds its figures.
    pub(super) fn report(&self, name: impl Fn(&str) -> String, report: &mut Report) {
        let together = self.evaluations.iter().map(|evaluated| evaluated.together).fold(f64::NAN, f64::max);
        let largest = self.evaluations.iter().map(|evaluated| &evaluated.largest).max_by(|a, b| a.1.total_cmp(&b.1));
        let (group, took) = largest.map_or(("none", f64::NAN), |(group, took)| (group.as_str(), *took));
        let one = |what: &str, unit: &str, value| Figure::one(name(what), unit, value);
        let figures = [
            one("evaluations of the rules that were seen", "", self.evaluations.len() as f64),
            // Which group it is belongs to what was measured: another one is another figure.
            one("the largest group of rules, the slowest of these", &format!("s ({group})"), took).lower(),
            one("all groups together, the slowest of these", "s", together).lower(),
            one("evaluations left out", "", self.missed).at_most(0.0).or_not(),
            one("scrapes left out", "", self.scrapes.left_out()).at_most(EDGES * self.scrapes.due).or_not(),
            one("scrapes that failed", "", self.scrapes.failed).at_most(0.0).or_not(),
        ];
        figures.into_iter().for_each(|figure| report.add(figure));
    }
}

// === impl Scrapes ===

impl Scrapes {
    /// In the last intervals that are whole. One that does not take place leaves no trace: there is no `up` of it.
    fn over(stack: &Stack, nodes: usize, time: Duration) -> anyhow::Result<Self> {
        let intervals = time.as_secs() / INTERVAL;
        let range = format!("{UP}[{}s] offset {KNOWN}s", intervals * INTERVAL);
        Ok(Self {
            due: (nodes as u64 * intervals) as f64,
            took_place: stack.sum(&format!("sum(count_over_time({range}))"))?,
            // One question: the answers to two are of two moments, between which some more have taken place.
            failed: stack.sum(&format!("sum(count_over_time({range}) - sum_over_time({range}))"))?,
        })
    }

    /// Of another interval's, some may have fallen into these.
    fn left_out(self) -> f64 {
        (self.due - self.took_place).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched((took_place, failed): (f64, f64)) -> Watched {
        let evaluated = |checks: f64| Evaluated { together: checks + 1.0, largest: ("checks".to_owned(), checks) };
        let scrapes = Scrapes { due: 3_000.0, took_place, failed };
        Watched { evaluations: vec![evaluated(2.0), evaluated(3.0)], missed: 0.0, scrapes }
    }

    fn missed(watched: &Watched) -> Vec<String> {
        let mut report = Report::new("b").expect("this machine is known");
        watched.report(str::to_owned, &mut report);
        let slowest: Vec<_> = report.figures[..3].iter().map(Figure::value).collect();
        assert_eq!(slowest, ["2", "3 s (checks)", "4 s"]);
        report.missed().collect()
    }

    #[test]
    fn scrapes_that_fail_and_scrapes_that_do_not_take_place_are_told() {
        assert_eq!(missed(&watched((2_998.0, 8.0))), ["b: scrapes that failed: 8 (1 run), wanted at most 0"]);
        let both = missed(&watched((2_995.0, 5.0)));
        assert_eq!(both[0], "b: scrapes left out: 5 (1 run), wanted at most 3");
        assert_eq!(both.len(), 2);
        assert_eq!(Scrapes { due: 3_000.0, took_place: 3_001.0, failed: 0.0 }.left_out(), 0.0);
    }
}
