//! checkscript-agent on a log made for a bench.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::http::Fetcher;
use crate::program::{Program, beside, pass};

/// How long an agent may take to read a log.
const PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(10);

/// A running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) program: Program,
    metrics: String,
    started: Instant,
    /// Of its state file: as on a node, but nobody's from before.
    _folder: TempDir,
}

// === impl Agent ===

impl Agent {
    pub(crate) fn start(log: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let started = Instant::now();
        let mut command = Command::new(beside("checkscript-agent")?);
        command.arg("--check.log").arg(log).arg("--state.file").arg(folder.path().join("state"));
        command.arg("--web.listen-address=127.0.0.1:0").stderr(Stdio::piped());
        let mut program = Program::start(&mut command)?;
        let mut said = BufReader::new(program.stderr()?).lines().map_while(Result::ok);
        let address = said.find_map(|line| Some(line.split_once("Listening on ")?.1.to_owned()));
        let address = address.context("the agent ended before it listened")?;
        let address = address.split(['"', ' ']).next().unwrap_or_default();
        let metrics = format!("http://{address}/metrics");
        // It must not wait for a reader of what it says.
        std::thread::spawn(move || said.for_each(drop));
        Ok(Self { program, metrics, started, _folder: folder })
    }

    /// Where its metrics are.
    pub(crate) fn metrics(&self) -> &str {
        &self.metrics
    }

    /// Waits until it has read so many lines; the time from its start until then.
    pub(crate) fn wait_for_lines(&self, fetcher: &Fetcher, lines: u64) -> anyhow::Result<Duration> {
        loop {
            let metrics = fetcher.get(&self.metrics)?.body;
            let elapsed = self.started.elapsed();
            let read = sum(&metrics, "checkscript_agent_log_lines_total");
            if read >= lines as f64 {
                return Ok(elapsed);
            }
            anyhow::ensure!(
                elapsed < PATIENCE,
                "the agent has read {read} of {lines} lines in {} s",
                elapsed.as_secs()
            );
            pass(POLL);
        }
    }
}

/// The sum of a family's samples.
fn sum(metrics: &str, family: &str) -> f64 {
    let samples =
        metrics.lines().filter(|line| line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' '])));
    samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_summed_and_others_are_not() {
        let metrics = "# HELP a_total x\na_total{k=\"v 1\"} 2\na_total{k=\"w\"} 3\na_total_more 7\nb 9\n";
        assert_eq!(sum(metrics, "a_total"), 5.0);
    }
}
