//! A number of nodes, all of them well: what the parts use.

use std::time::{Duration, Instant};

use super::FleetSettings;
use super::parts::{self, Moment, Parts};
use super::stack::{INTERVAL, Stack, UP};
use super::watch::{Watch, Watched};
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::server::until_all;
use crate::stats::Samples;

/// Loads of web-ui's pages.
const LOADS: usize = 20;

/// What was seen of it.
pub(super) struct Stage {
    pub(super) nodes: usize,
    /// From when on it was watched.
    pub(super) watched: Instant,
    /// How long that was to be.
    time: Duration,
    /// By part: its name, processors in use, and MiB resident at the end.
    parts: Vec<String>,
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
    seen: Watched,
    /// Since the stage before: all is well, so there is nothing to tell.
    notifications: usize,
    /// Milliseconds.
    first_page: f64,
    nodes_page: f64,
}

// === impl Stage ===

impl Stage {
    /// Has that many nodes scraped, waits until all are, and watches.
    pub(super) fn run(stack: &Stack, parts: &Parts, nodes: usize, watched: Duration) -> anyhow::Result<Self> {
        stack.scrape(nodes)?;
        // Before its first scrape a shard has none.
        let up = format!("sum({UP}) or vector(0)");
        until_all(&format!("{nodes} nodes are scraped"), || Ok(stack.sum(&up)? >= nodes as f64))?;
        // The rules find the new nodes once, and web-ui reads them.
        pass(Duration::from_secs(INTERVAL));
        let (appended, mut watch, before) = (appended(stack)?, Watch::from_now(stack)?, parts.look()?);
        while before.at.elapsed() < watched {
            watch.go_on(stack)?;
        }
        let after = parts.look()?;
        let samples = self::appended(stack)? - appended;
        Ok(Self {
            nodes,
            watched: before.at,
            time: watched,
            parts: parts.names(),
            processors: after.processors_since(&before),
            resident: resident(&after),
            scraped: of_scrape(stack, "scrape_samples_scraped")?,
            kept: of_scrape(stack, "scrape_samples_post_metric_relabeling")?,
            series: stack.sum_of("prometheus_tsdb_head_series")?,
            samples_a_second: samples / (after.at - before.at).as_secs_f64(),
            scrape_p50: of_scrape(stack, "scrape_duration_seconds")?,
            scrape_p99: stack.greatest("quantile(0.99, scrape_duration_seconds{job=\"checkscript\"})")?,
            seen: watch.end(stack, nodes)?,
            notifications: stack.told.take().len(),
            first_page: load(stack, "/")?,
            nodes_page: load(stack, "/nodes")?,
        })
    }

    /// Adds its figures.
    pub(super) fn report(&self, stack: &Stack, fleet: &FleetSettings, report: &mut Report) {
        let name = |what: &str| format!("{} nodes: {what}", self.nodes);
        report.add(Figure::given(name("checks"), "", (self.nodes * fleet.checks) as f64));
        report.add(Figure::given(name("Prometheus servers"), "", fleet.shards as f64));
        report.add(Figure::given(name("watched for"), "s", self.time.as_secs_f64()));
        stack.report(name, report);
        report.add(Figure::one(name("scraped samples a scrape"), "", self.scraped).lower());
        report.add(Figure::one(name("kept samples a scrape"), "", self.kept).lower());
        report.add(Figure::one(name("series in the head"), "", self.series));
        report.add(Figure::one(name("samples"), "/s", self.samples_a_second));
        for (part, (processors, resident)) in self.parts.iter().zip(self.processors.iter().zip(&self.resident)) {
            report.add(parts::processors(name(&format!("{part}, processors")), *processors));
            report.add(Figure::one(name(&format!("{part}, resident")), "MiB", *resident).lower());
        }
        let mut one = |what: &str, unit, value| report.add(Figure::one(name(what), unit, value).lower());
        one("a scrape, p50", "ms", self.scrape_p50 * 1000.0);
        one("a scrape, p99", "ms", self.scrape_p99 * 1000.0);
        one("web-ui's first page, p50", "ms", self.first_page);
        one("web-ui's nodes, p50", "ms", self.nodes_page);
        self.seen.report(name, report);
        report.add(Figure::one(name("notifications"), "", self.notifications as f64).at_most(0.0).or_not());
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

fn appended(stack: &Stack) -> anyhow::Result<f64> {
    stack.sum_of("prometheus_tsdb_head_samples_appended_total")
}

/// Milliseconds that a page of web-ui takes, its median.
pub(super) fn load(stack: &Stack, page: &str) -> anyhow::Result<f64> {
    let url = format!("{}{page}", stack.web_ui_base);
    let loads = (0..LOADS).map(|_| Ok(stack.fetcher.get_compressed(&url)?.took.as_secs_f64() * 1000.0));
    loads.collect::<anyhow::Result<Samples>>().map(|loads| loads.median())
}
