//! How long a scrape of the agent takes, with 100 and 1,000 checks, and of Debian's node-exporter for scale.
//!
//! Requests follow one another on one kept connection of the loopback. The time is the client's, its own part and the waiting for a
//! processor included, so the server's is less; the server's CPU does not depend on what else the machine does.

use std::process::Stdio;

use super::memory::agent_with;
use crate::Settings;
use crate::http::Fetcher;
use crate::program::{Program, ending_with_us};
use crate::report::{Figure, Report};
use crate::server::{free_address, until};
use crate::stats::{Samples, ratio};

const ROUNDS: usize = 10;
const REQUESTS: usize = 100;
/// node-exporter takes some ten milliseconds a scrape.
const NODE_REQUESTS: usize = 20;

struct Target<'a> {
    name: &'static str,
    program: &'a Program,
    url: String,
    requests: usize,
    /// Of ours.
    at_most: Option<f64>,
    took: Vec<f64>,
    /// The median of each round.
    medians: Vec<f64>,
    cpu: f64,
    bytes: usize,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("scrape")?.of(&["checkscript-agent", "node-exporter"]);
    let ((small, _log), (large, _large_log)) = (agent_with(100, settings)?, agent_with(1000, settings)?);
    let fetcher = Fetcher::new()?;
    let node = node_exporter(settings, &fetcher)?;
    let mut targets = vec![
        Target::new("agent, 100 checks", &small.program, small.metrics(), REQUESTS).at_most(1.0),
        Target::new("agent, 1,000 checks", &large.program, large.metrics(), REQUESTS).at_most(5.0),
    ];
    targets
        .extend(node.as_ref().map(|(program, url)| Target::new("node-exporter", program, url.clone(), NODE_REQUESTS)));
    for _ in 0..ROUNDS {
        targets.iter_mut().try_for_each(|target| target.round(&fetcher))?;
    }
    let medians = |target: &Target<'_>| target.at_most.is_none().then(|| target.medians.clone());
    let others = targets.iter().find_map(medians);
    for target in targets {
        target.tell(&mut report, others.as_deref())?;
    }
    Ok(report)
}

// === impl Target ===

impl<'a> Target<'a> {
    fn new(name: &'static str, program: &'a Program, url: String, requests: usize) -> Self {
        Self { name, program, url, requests, at_most: None, took: Vec::new(), medians: Vec::new(), cpu: 0.0, bytes: 0 }
    }

    fn at_most(self, milliseconds: f64) -> Self {
        Self { at_most: Some(milliseconds), ..self }
    }

    fn round(&mut self, fetcher: &Fetcher) -> anyhow::Result<()> {
        let before = self.program.cpu()?;
        let mut took = Vec::with_capacity(self.requests);
        for _ in 0..self.requests {
            let fetched = fetcher.get(&self.url)?;
            took.push(fetched.took.as_secs_f64() * 1000.0);
            self.bytes = fetched.body.len();
        }
        self.medians.push(Samples::from(&took[..]).median());
        self.took.extend(took);
        self.cpu += (self.program.cpu()? - before).own;
        Ok(())
    }

    /// With the medians of the other program, whose own figures are neither good nor bad.
    fn tell(self, report: &mut Report, others: Option<&[f64]>) -> anyhow::Result<()> {
        let took = Samples::from_iter(self.took);
        let name = |what: &str| format!("{}: {what}", self.name);
        let figures = [
            Figure::new(name("p50"), "ms", &Samples::from(&self.medians[..])),
            Figure::one(name("p99"), "ms", took.quantile(0.99)),
            Figure::one(name("CPU of a request"), "ms", 1000.0 * self.cpu / took.len() as f64),
            Figure::one(name("size"), "kB", self.bytes as f64 / 1000.0),
            Figure::one(name("resident"), "MiB", self.program.memory()?.resident),
        ];
        let Some(bound) = self.at_most else {
            figures.into_iter().for_each(|figure| report.add(figure));
            return Ok(());
        };
        let [median, rest @ ..] = figures.map(Figure::lower);
        report.add(median.at_most(bound));
        rest.into_iter().for_each(|figure| report.add(figure));
        if let Some(others) = others {
            let ratio = Samples::from_iter(ratio(&self.medians, others));
            report.add(Figure::new(name("p50 to node-exporter's"), "x", &ratio).ratio().lower());
        }
        Ok(())
    }
}

/// Debian's node-exporter with its own defaults, and where its metrics are.
fn node_exporter(settings: &Settings, fetcher: &Fetcher) -> anyhow::Result<Option<(Program, String)>> {
    let program = settings.tools.join("root/usr/bin/prometheus-node-exporter");
    if !program.exists() {
        eprintln!("prometheus-node-exporter is not in target/tools: not measured");
        return Ok(None);
    }
    // It cannot say which port it was given.
    let address = free_address()?;
    let mut command = ending_with_us(program);
    command.arg(format!("--web.listen-address={address}")).stdout(Stdio::null()).stderr(Stdio::null());
    let (program, url) = (Program::start(&mut command)?, format!("http://{address}/metrics"));
    until(&format!("{url} answers"), || Ok(fetcher.get(&url).is_ok()))?;
    Ok(Some((program, url)))
}
