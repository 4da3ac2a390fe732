//! checkscript-agent on a log made for a bench.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::http::Fetcher;
use crate::program::{Program, beside, ending_with_us, pass};
use crate::server;

/// How long an agent may take to read a log.
const PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(10);

/// A running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) program: Program,
    base: String,
    started: Instant,
    /// Of its state file: as on a node, but nobody's from before.
    _folder: TempDir,
}

// === impl Agent ===

impl Agent {
    pub(crate) fn start(log: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let started = Instant::now();
        let mut command = ending_with_us(beside("checkscript-agent")?);
        command.arg("--check.log").arg(log).arg("--state.file").arg(folder.path().join("state"));
        command.arg("--web.listen-address=127.0.0.1:0").stderr(Stdio::piped());
        let mut program = Program::start(&mut command)?;
        let mut said = BufReader::new(program.stderr()?).lines().map_while(Result::ok);
        let address = said.find_map(|line| Some(line.split_once("Listening on ")?.1.to_owned()));
        let address = address.context("the agent ended before it listened")?;
        let address = address.split(['"', ' ']).next().unwrap_or_default();
        let base = format!("http://{address}");
        // It must not wait for a reader of what it says.
        std::thread::spawn(move || said.for_each(drop));
        Ok(Self { program, base, started, _folder: folder })
    }

    /// Where it answers.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Where its metrics are.
    pub(crate) fn metrics(&self) -> String {
        format!("{}/metrics", self.base)
    }

    /// Waits until it has read so many lines; the time from its start until then.
    pub(crate) fn wait_for_lines(&self, fetcher: &Fetcher, lines: u64) -> anyhow::Result<Duration> {
        loop {
            let read = server::sum(fetcher, &self.base, "checkscript_agent_log_lines_total", "")?;
            let elapsed = self.started.elapsed();
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
