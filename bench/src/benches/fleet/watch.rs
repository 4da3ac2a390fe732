//! What the Prometheus servers of all shards leave out while one watches, and how long their rules take.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use procfs::{Current as _, Meminfo};

use super::stack::{INTERVAL, Stack, UP};
use crate::program::pass;
use crate::prometheus::{Evaluated, Evaluations};
use crate::report::{Figure, Report};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// MiB of memory that has to be left, for what the kernel keeps of files.
const SPARE: u64 = 512;

/// Seconds after which a scrape is known: it may take ten.
const KNOWN: u64 = 15;

/// Of the nodes, the share of which a scrape may seem left out: each is some milliseconds late, and so some fall on the other side of the edges
/// of what is watched. It has two, however long it is.
const EDGES: f64 = 0.001;

/// The groups of rules of which now the one and now the other takes longest: what fails costs the first, what there is the second.
const GROUPS: [&str; 2] = ["checks", "agent"];

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
    nodes: f64,
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
        let one = |what: &str, unit: &str, value| Figure::one(name(what), unit, value);
        let slowest = |what: &str, took: &dyn Fn(&Evaluated) -> Option<f64>| {
            let took = self.evaluations.iter().filter_map(took).fold(f64::NAN, f64::max);
            one(&format!("{what}, the slowest of these"), "s", took).lower()
        };
        report.add(one("evaluations of the rules that were seen", "", self.evaluations.len() as f64));
        report.add(slowest("the largest group of rules", &Evaluated::largest));
        for group in GROUPS {
            report.add(slowest(&format!("the group {group}"), &|evaluated| evaluated.groups.get(group).copied()));
        }
        report.add(slowest("all groups together", &|evaluated| Some(evaluated.together)));
        report.add(one("evaluations left out", "", self.missed).at_most(0.0).or_not());
        let edges = EDGES * self.scrapes.nodes;
        report.add(one("scrapes left out", "", self.scrapes.left_out()).at_most(edges).or_not());
        report.add(one("scrapes that failed", "", self.scrapes.failed).at_most(0.0).or_not());
    }
}

// === impl Scrapes ===

impl Scrapes {
    /// In the last intervals that are whole. One that does not take place leaves no trace: there is no `up` of it.
    fn over(stack: &Stack, nodes: usize, time: Duration) -> anyhow::Result<Self> {
        let intervals = time.as_secs() / INTERVAL;
        let range = format!("{UP}[{}s] offset {KNOWN}s", intervals * INTERVAL);
        Ok(Self {
            nodes: nodes as f64,
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
        let evaluated = |checks: f64, agent: f64| {
            let groups = [("checks".to_owned(), checks), ("agent".to_owned(), agent), ("nodes".to_owned(), 0.5)];
            Evaluated { together: checks + agent + 0.5, groups: groups.into() }
        };
        let scrapes = Scrapes { nodes: 3_000.0, due: 30_000.0, took_place, failed };
        Watched { evaluations: vec![evaluated(2.0, 2.5), evaluated(3.0, 1.0)], missed: 0.0, scrapes }
    }

    fn report(watched: &Watched) -> Report {
        let mut report = Report::new("b").expect("this machine is known");
        watched.report(str::to_owned, &mut report);
        report
    }

    #[test]
    fn scrapes_that_fail_and_scrapes_that_do_not_take_place_are_told() {
        let missed = |of| report(&watched(of)).missed().collect::<Vec<_>>();
        assert_eq!(missed((29_998.0, 8.0)), ["b: scrapes that failed: 8 (1 run), wanted at most 0"]);
        let both = missed((29_995.0, 5.0));
        assert_eq!(
            both[0], "b: scrapes left out: 5 (1 run), wanted at most 3",
            "the edges are no more of a longer time"
        );
        assert_eq!(both.len(), 2);
        let more = Scrapes { nodes: 3_000.0, due: 3_000.0, took_place: 3_001.0, failed: 0.0 };
        assert_eq!(more.left_out(), 0.0);
    }

    #[test]
    fn a_group_has_the_same_name_whichever_is_the_largest() {
        let report = report(&watched((30_000.0, 0.0)));
        let slowest: Vec<_> = report.figures[..5].iter().map(|figure| (&*figure.name, figure.value())).collect();
        let expected = [
            ("evaluations of the rules that were seen", "2"),
            ("the largest group of rules, the slowest of these", "3 s"),
            ("the group checks, the slowest of these", "3 s"),
            ("the group agent, the slowest of these", "2.5 s"),
            ("all groups together, the slowest of these", "5 s"),
        ];
        assert_eq!(slowest, expected.map(|(name, value)| (name, value.to_owned())));
    }
}
