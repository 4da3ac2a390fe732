//! Processes that end with their owner.

use std::error::Error;
use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// A running process, leader of its own group, its output in a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    group: Pid,
}

/// A process runs no more that was to run, and the tail of its log: no patience brings it back.
#[derive(Debug)]
pub(crate) struct Ended(String);

// === impl Ended ===

impl Error for Ended {}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

// === impl Process ===

impl Process {
    /// Starts `command`; stdout and stderr are appended to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let out = OpenOptions::new().append(true).create(true).open(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {name}: {command:?}"))?;
        let pid = child.id().context("the process is gone already")?;
        let group = Pid::from_raw(i32::try_from(pid)?);
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child, group })
    }

    /// Sends `signal` to the process alone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        nix::sys::signal::kill(self.group, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Sends `signal` to the process and those that it started.
    pub fn signal_all(&self, signal: Signal) -> anyhow::Result<()> {
        killpg(self.group, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits for the end of the process.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Kills the process alone, as the OOM killer would, and waits until it is gone.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.wait().await.map(drop)
    }

    /// Asks the process to stop and waits until it has.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait().await
    }

    /// Whether it runs still; an error with the tail of its log where it has ended, which ends [`until`](crate::until) at once.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Ended(format!("{} ended ({status}):\n{}", self.name, tail(&self.log))).into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The children of the process are in its group; those of a check are in groups of their own and end by themselves.
        let _ = self.signal_all(Signal::SIGKILL);
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
