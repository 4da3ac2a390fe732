//! checkscript-runner with definitions made for a bench, and what its log says.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::program::{Cpu, Program, beside, ending_with_us};

const CLIENT: &str = "bench";

/// A running runner.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) program: Program,
    log: PathBuf,
    _folder: TempDir,
}

/// A moment of its life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) cpu: Cpu,
    log_bytes: u64,
}

/// What it logged between two moments.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    pub(crate) runs: Vec<Run>,
    /// Slots dropped because the check's previous run was under way.
    pub(crate) skipped: usize,
    /// Checks whose slot the clock had passed before it was looked at.
    pub(crate) missed: usize,
}

/// A result, the little of it that benches look at.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) output: String,
}

#[derive(Deserialize)]
struct Event {
    message: String,
    payload: Option<Payload>,
    /// Those that were missed.
    #[serde(default)]
    checks: Vec<String>,
}

#[derive(Deserialize)]
struct Payload {
    check: Run,
}

/// Standalone checks `c0`, `c1`, … of that command, every so many seconds.
pub(crate) fn every(seconds: u64, count: usize, command: &str) -> Map<String, Value> {
    let check = json!({"command": command, "interval": seconds, "standalone": true});
    (0..count).map(|index| (format!("c{index}"), check.clone())).collect()
}

/// When in its interval such a check runs, both in nanoseconds: sensu-client's rule, computed here anew so that a slip in the
/// runner's own arithmetic shows.
pub(crate) fn phase(check: &str, interval: i64) -> i64 {
    let digest = Md5::digest(format!("{CLIENT}:{check}"));
    let first = u64::from_le_bytes(std::array::from_fn(|index| digest[index]));
    let milliseconds = u64::try_from(interval).unwrap_or(0) / 1_000_000;
    i64::try_from(first % milliseconds).unwrap_or(0) * 1_000_000
}

// === impl Runner ===

impl Runner {
    pub(crate) fn start(checks: Map<String, Value>) -> anyhow::Result<Self> {
        Self::start_with(checks, &[])
    }

    /// With more in its environment.
    pub(crate) fn start_with(checks: Map<String, Value>, environment: &[(&str, String)]) -> anyhow::Result<Self> {
        let mut command = ending_with_us(beside("checkscript-runner")?);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::start_as(command, checks)
    }

    /// Another program that takes its command line.
    pub(crate) fn start_as(mut command: Command, checks: Map<String, Value>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (config, log) = (folder.path().join("config.json"), folder.path().join("log"));
        let off = json!({"enabled": false});
        let client =
            json!({"name": CLIENT, "address": "127.0.0.1", "subscriptions": [], "socket": off, "http_socket": off});
        fs::write(&config, json!({"client": client, "checks": checks}).to_string())?;
        command.arg("-c").arg(&config).arg("-d").arg(folder.path().join("conf.d")).arg("-l").arg(&log);
        fs::create_dir(folder.path().join("conf.d"))?;
        Ok(Self { program: Program::start(&mut command)?, log, _folder: folder })
    }

    /// This moment.
    pub(crate) fn mark(&self) -> anyhow::Result<Mark> {
        let log_bytes = fs::metadata(&self.log).map_or(0, |log| log.len());
        Ok(Mark { at: Instant::now(), cpu: self.program.cpu()?, log_bytes })
    }

    /// Reads afterwards, so that the reading takes no time from what is measured. The runner writes whole lines.
    pub(crate) fn logged(&self, from: Mark, to: Mark) -> anyhow::Result<Logged> {
        let mut log = fs::File::open(&self.log).context("the runner has written no log")?;
        log.seek(SeekFrom::Start(from.log_bytes))?;
        let mut text = String::new();
        log.take(to.log_bytes - from.log_bytes).read_to_string(&mut text)?;
        let mut logged = Logged::default();
        for line in text.lines() {
            let event: Event = serde_json::from_str(line).with_context(|| format!("not a line of the log: {line}"))?;
            match (event.message.as_str(), event.payload) {
                ("publishing check result", Some(payload)) => logged.runs.push(payload.check),
                (message, _) if message.starts_with("previous check command execution ") => logged.skipped += 1,
                (message, _) if message.starts_with("check executions were missed") => {
                    logged.missed += event.checks.len()
                }
                _ => (),
            }
        }
        Ok(logged)
    }

    /// All that it logged up to now.
    pub(crate) fn logged_so_far(&self) -> anyhow::Result<Logged> {
        let now = self.mark()?;
        self.logged(Mark { log_bytes: 0, ..now }, now)
    }

    /// Empties the log, as rotation by copying and truncating does.
    pub(crate) fn truncate_log(&self) -> anyhow::Result<()> {
        fs::File::create(&self.log).map(drop).context("cannot truncate the log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_lies_in_the_interval_and_differs_between_checks() {
        let phases: Vec<_> = (0..100).map(|index| phase(&format!("c{index}"), 10_000_000_000)).collect();
        assert!(phases.iter().all(|phase| (0..10_000_000_000).contains(phase)));
        let spread = phases.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(spread > 90, "{spread} different ones of 100");
    }
}
