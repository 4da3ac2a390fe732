//! A number of nodes, all of them well: what the parts use.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use procfs::{Current as _, Meminfo};

use super::parts::{Moment, Parts};
use super::stack::{INTERVAL, Stack};
use crate::dashboard::until_all;
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::scraper::Evaluations;
use crate::stats::Samples;

/// Loads of web-ui's pages.
const LOADS: usize = 20;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// MiB of memory that has to be left, for what the kernel keeps of files.
const SPARE: u64 = 512;

/// What was seen of it.
pub(super) struct Stage {
    pub(super) nodes: usize,
    /// From when on it was watched.
    pub(super) watched: Instant,
    /// By part: processors in use, and MiB resident at the end.
    pub(super) processors: Vec<f64>,
    pub(super) resident: Vec<f64>,
    /// Of a scrape of a node.
    scraped: f64,
    kept: f64,
    /// Of all shards.
    pub(super) series: f64,
    pub(super) samples_a_second: f64,
    /// Seconds.
    pub(super) scrape_p50: f64,
    pub(super) scrape_p99: f64,
    /// Seconds that each evaluation of all rules of a shard took.
    pub(super) rules: Samples,
    /// Evaluations that were left out, and scrapes that failed.
    missed: f64,
    failed: f64,
    /// Milliseconds.
    first_page: f64,
    nodes_page: f64,
}

/// The evaluations of all rules of each shard while one watches.
pub(super) struct Followed {
    shards: Vec<Evaluations>,
    /// Seconds that each took.
    pub(super) took: Vec<f64>,
}

// === impl Followed ===

impl Followed {
    pub(super) fn from_now(stack: &Stack) -> anyhow::Result<Self> {
        let shards = stack.shards.iter().map(|shard| Evaluations::from_now(shard, &stack.fetcher, ""));
        Ok(Self { shards: shards.collect::<anyhow::Result<_>>()?, took: Vec::new() })
    }

    /// Lets some seconds pass, in which there has to be memory: without, all stands still for minutes instead of ending.
    pub(super) fn watch(&mut self, stack: &Stack) -> anyhow::Result<()> {
        pass(EVERY);
        let memory = Meminfo::current()?;
        let free = memory.mem_available.context("this kernel does not say what memory is available")? >> 20;
        anyhow::ensure!(free >= SPARE, "{free} MiB of memory are left on this machine: take fewer nodes or checks");
        for (evaluations, shard) in self.shards.iter_mut().zip(&stack.shards) {
            self.took.extend(evaluations.next(shard, &stack.fetcher)?);
        }
        Ok(())
    }
}

// === impl Stage ===

impl Stage {
    /// Has that many nodes scraped, waits until all are, and watches.
    pub(super) fn run(stack: &Stack, parts: &Parts, nodes: usize, watched: Duration) -> anyhow::Result<Self> {
        stack.scrape(nodes)?;
        let up = "up{job=\"checkscript\"}";
        until_all(&format!("{nodes} nodes are scraped"), || Ok(stack.sum(&format!("sum({up})"))? >= nodes as f64))?;
        // The rules find the new nodes once, and web-ui reads them.
        pass(Duration::from_secs(INTERVAL));
        let (missed, appended) = (missed(stack)?, appended(stack)?);
        let (before, mut rules) = (parts.look()?, Followed::from_now(stack)?);
        while before.at.elapsed() < watched {
            rules.watch(stack)?;
        }
        let after = parts.look()?;
        let window = format!("[{}s]", watched.as_secs());
        Ok(Self {
            nodes,
            watched: before.at,
            processors: after.processors_since(&before),
            resident: resident(&after),
            scraped: of_scrape(stack, "scrape_samples_scraped")?,
            kept: of_scrape(stack, "scrape_samples_post_metric_relabeling")?,
            series: sum_of(stack, "prometheus_tsdb_head_series")?,
            samples_a_second: (self::appended(stack)? - appended) / (after.at - before.at).as_secs_f64(),
            scrape_p50: of_scrape(stack, "scrape_duration_seconds")?,
            scrape_p99: stack.greatest("quantile(0.99, scrape_duration_seconds{job=\"checkscript\"})")?,
            rules: rules.took.into_iter().collect(),
            missed: self::missed(stack)? - missed,
            failed: stack.sum(&format!("sum(count_over_time({up}{window}) - sum_over_time({up}{window}))"))?,
            first_page: load(stack, "/")?,
            nodes_page: load(stack, "/nodes")?,
        })
    }

    /// Adds its figures.
    pub(super) fn report(&self, stack: &Stack, checks: usize, report: &mut Report) -> anyhow::Result<()> {
        let name = |what: &str| format!("{} nodes: {what}", self.nodes);
        report.add(Figure::given(name("checks"), "", (self.nodes * checks) as f64));
        report.add(Figure::given(name("scraped samples a scrape"), "", self.scraped));
        report.add(Figure::given(name("kept samples a scrape"), "", self.kept));
        report.add(Figure::given(name("GOMEMLIMIT of a Prometheus"), "GiB", stack.memory_limit()));
        report.add(Figure::one(name("series in the head"), "", self.series));
        report.add(Figure::one(name("samples"), "/s", self.samples_a_second));
        let mut one = |what: &str, unit, value| report.add(Figure::one(name(what), unit, value).lower());
        for ((part, _), (processors, resident)) in stack.parts()?.iter().zip(self.processors.iter().zip(&self.resident))
        {
            one(&format!("{part}, processors"), "", *processors);
            one(&format!("{part}, resident"), "MiB", *resident);
        }
        one("a scrape, p50", "ms", self.scrape_p50 * 1000.0);
        one("a scrape, p99", "ms", self.scrape_p99 * 1000.0);
        one("web-ui's first page, p50", "ms", self.first_page);
        one("web-ui's nodes, p50", "ms", self.nodes_page);
        report.add(Figure::new(name("an evaluation of all rules"), "s", &self.rules).lower());
        report.add(Figure::one(name("evaluations left out"), "", self.missed).at_most(0.0).or_not());
        report.add(Figure::one(name("scrapes that failed"), "", self.failed).at_most(0.0).or_not());
        Ok(())
    }
}

/// MiB by part.
fn resident(moment: &Moment) -> Vec<f64> {
    moment.used.iter().map(|used| used.resident).collect()
}

/// The median over all nodes of what Prometheus says of its last scrape; of the shards, the greatest.
fn of_scrape(stack: &Stack, what: &str) -> anyhow::Result<f64> {
    stack.greatest(&format!("quantile(0.5, {what}{{job=\"checkscript\"}})"))
}

fn missed(stack: &Stack) -> anyhow::Result<f64> {
    sum_of(stack, "prometheus_rule_group_iterations_missed_total")
}

fn appended(stack: &Stack) -> anyhow::Result<f64> {
    sum_of(stack, "prometheus_tsdb_head_samples_appended_total")
}

/// The sum of a family of all shards' own metrics.
pub(super) fn sum_of(stack: &Stack, family: &str) -> anyhow::Result<f64> {
    stack.shards.iter().map(|shard| shard.metric(&stack.fetcher, family, "")).sum()
}

/// Milliseconds that a page of web-ui takes, its median.
pub(super) fn load(stack: &Stack, page: &str) -> anyhow::Result<f64> {
    let url = format!("{}{page}", stack.web_ui_base);
    let loads = (0..LOADS).map(|_| Ok(stack.fetcher.get_compressed(&url)?.took.as_secs_f64() * 1000.0));
    loads.collect::<anyhow::Result<Samples>>().map(|loads| loads.median())
}
