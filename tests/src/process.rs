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

/// What a log says where its program has panicked: one of ours, one in Go, Redis.
const PANICS: [&str; 5] = ["panicked", "panic: ", "panic serving", "fatal error: ", "BUG REPORT"];

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

    /// The lines of its log that tell of a panic, which need not have ended it. Those of earlier processes with the same log are among them.
    pub fn panics(&self) -> anyhow::Result<Vec<String>> {
        let text = std::fs::read(&self.log).with_context(|| self.log.display().to_string())?;
        let text = String::from_utf8_lossy(&text);
        let tells = |line: &&str| PANICS.iter().any(|words| line.contains(words));
        Ok(text.lines().filter(tells).map(str::to_owned).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of that name which runs `script`, and its log.
    fn shell(name: &str, script: &str) -> (tempfile::TempDir, Process) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let process = Process::start(name, command, &folder.path().join("log")).unwrap();
        (folder, process)
    }

    #[tokio::test]
    async fn what_has_ended_by_itself_is_found_with_its_last_words() {
        let (_folder, mut runs) = shell("runs", "exec sleep 60");
        runs.check_running().unwrap();
        let (_folder, mut ends) = shell("ends", "echo no configuration >&2; exit 2");
        ends.wait().await.unwrap();
        let error = ends.check_running().unwrap_err().to_string();
        assert!(error.contains("ends ended") && error.contains("no configuration"), "{error}");
    }

    #[tokio::test]
    async fn a_panic_is_found_though_the_process_went_on() {
        let said = "thread 'main' panicked at src/lib.rs:1:1:\npanic: runtime error\nall is well\nhttp: panic serving 127.0.0.1";
        let (_folder, mut process) = shell("panics", &format!("echo \"{said}\""));
        process.wait().await.unwrap();
        assert_eq!(process.panics().unwrap().len(), 3);
    }
}
