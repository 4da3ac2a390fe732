//! How long a scrape of the agent takes, with 100 and 1,000 checks, and of Debian's node-exporter for scale.
//!
//! Requests follow one another on one kept connection of the loopback. What is measured holds the client's part, so the server's is less.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::memory::agent_with;
use crate::Settings;
use crate::http::Fetcher;
use crate::program::{Program, pass};
use crate::report::{Figure, Report};
use crate::stats::Samples;

const ROUNDS: usize = 10;
const REQUESTS: usize = 100;
/// node-exporter takes some ten milliseconds a scrape.
const NODE_REQUESTS: usize = 20;

#[derive(Default)]
struct Target {
    name: &'static str,
    url: String,
    requests: usize,
    at_most: Option<f64>,
    took: Vec<f64>,
    bytes: usize,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("scrape")?;
    let ((small, _log), (large, _large_log)) = (agent_with(100, settings)?, agent_with(1000, settings)?);
    let fetcher = Fetcher::new()?;
    let target = |name, url: &str, at_most| Target {
        name,
        url: url.to_owned(),
        requests: REQUESTS,
        at_most: Some(at_most),
        ..Target::default()
    };
    let mut targets =
        vec![target("agent, 100 checks", small.metrics(), 1.0), target("agent, 1,000 checks", large.metrics(), 5.0)];
    let node = node_exporter(settings, &fetcher)?;
    targets.extend(node.as_ref().map(|(_, url)| Target {
        name: "node-exporter",
        url: url.clone(),
        requests: NODE_REQUESTS,
        ..Target::default()
    }));
    for _ in 0..ROUNDS {
        targets.iter_mut().try_for_each(|target| target.round(&fetcher))?;
    }
    for target in targets {
        target.tell(&mut report);
    }
    Ok(report)
}

// === impl Target ===

impl Target {
    fn round(&mut self, fetcher: &Fetcher) -> anyhow::Result<()> {
        for _ in 0..self.requests {
            let fetched = fetcher.get(&self.url)?;
            self.took.push(fetched.took.as_secs_f64() * 1000.0);
            self.bytes = fetched.body.len();
        }
        Ok(())
    }

    fn tell(self, report: &mut Report) {
        let took = Samples::from_iter(self.took);
        let median = Figure::one(format!("{}: p50", self.name), "ms", took.median());
        report.add(match self.at_most {
            Some(bound) => median.at_most(bound),
            None => median,
        });
        report.add(Figure::one(format!("{}: p99", self.name), "ms", took.quantile(0.99)));
        report.add(Figure::one(format!("{}: size", self.name), "kB", self.bytes as f64 / 1000.0));
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
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new(program);
    command.arg(format!("--web.listen-address={address}")).stdout(Stdio::null()).stderr(Stdio::null());
    let (program, url) = (Program::start(&mut command)?, format!("http://{address}/metrics"));
    let answers = (0..100).any(|_| {
        pass(Duration::from_millis(50));
        fetcher.get(&url).is_ok()
    });
    anyhow::ensure!(answers, "node-exporter does not answer at {url}");
    Ok(Some((program, url)))
}
