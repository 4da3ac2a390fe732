//! One run of one shell command: `sh -c COMMAND` in a process group of its own.
//!
//! As in sensu-client, one pipe takes both output streams, so their order is the order of writing, and a run lasts until
//! the pipe is at its end *and* the shell has exited: a background child that keeps the pipe open prolongs it.
//! Nothing runs between fork and exec, so the standard library uses `posix_spawn`; every other descriptor of this
//! process is close-on-exec.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, LIMIT};
use super::group::Group;

/// How long a group that was told to terminate may take before it is killed.
const TERM_GRACE: Duration = Duration::from_secs(3);
/// How long a killed shell may take to be gone. Only one that hangs in the kernel takes longer.
const KILL_GRACE: Duration = Duration::from_secs(1);
/// How often a group is looked at whether it is gone; nothing announces it.
const POLL: Duration = Duration::from_millis(100);
const READ_SIZE: usize = 64 * 1024;

/// sensu-client's status of a run that timed out: CRITICAL.
const TIMED_OUT: i32 = 2;
/// sensu-client's status of a run that could not be: UNKNOWN.
const UNEXPECTED: i32 = 3;

/// What to run.
pub(super) struct Job {
    pub(super) command: String,
    /// What the command reads; without it `/dev/null`.
    pub(super) stdin: Option<Vec<u8>>,
    /// Seconds; none or 0 is unlimited.
    pub(super) timeout: Option<f64>,
}

/// What came of it.
pub(super) struct Ended {
    pub(super) output: String,
    pub(super) status: i32,
    pub(super) duration: Duration,
    /// The process, where not even KILL has ended it.
    pub(super) remains: Option<Process>,
}

/// A running shell. Dropped before it has exited, it takes its group with it.
pub(super) struct Process {
    child: Child,
    group: Group,
    output: pipe::Receiver,
    capture: Capture,
    exited: bool,
}

enum Ending {
    Exited(io::Result<ExitStatus>),
    TimedOut,
    Stopped,
}

/// Runs the job to its end. `None` if `stop` came first: then the group has been killed.
pub(super) async fn run(job: Job, stop: &CancellationToken) -> Option<Ended> {
    let started = Instant::now();
    let limit = match limit(job.timeout) {
        Ok(limit) => limit,
        Err(text) => return Some(Ended::unexpected(text, started)),
    };
    let mut process = match Process::spawn(&job) {
        Ok(process) => process,
        Err(error) => return Some(Ended::unexpected(error, started)),
    };
    let ending = tokio::select! {
        status = process.complete(job.stdin) => Ending::Exited(status),
        () = sleep(limit) => Ending::TimedOut,
        () = stop.cancelled() => Ending::Stopped,
    };
    match ending {
        Ending::Exited(Ok(status)) => {
            let status = status.code().or(status.signal()).unwrap_or(UNEXPECTED);
            Some(Ended { output: process.take_output(), status, duration: started.elapsed(), remains: None })
        }
        Ending::Exited(Err(error)) => Some(Ended::unexpected(error, started)),
        Ending::TimedOut => Some(time_out(process, started).await),
        Ending::Stopped => {
            process.kill().await.ok();
            None
        }
    }
}

/// Ruby's `Timeout`: 0 is none, and a negative one is an error.
fn limit(timeout: Option<f64>) -> Result<Duration, &'static str> {
    match timeout {
        None | Some(0.0) => Ok(Duration::MAX),
        Some(seconds) if seconds < 0.0 => Err("time interval must be positive"),
        Some(seconds) => Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
    }
}

async fn time_out(mut process: Process, started: Instant) -> Ended {
    let mut output = "Execution timed out".to_owned();
    if let Err(reason) = process.terminate().await {
        output.push_str(&format!(" - Unable to TERM/KILL the process: #{}, {reason}", process.group));
    }
    let remains = (!process.exited).then_some(process);
    Ended { output, status: TIMED_OUT, duration: started.elapsed(), remains }
}

// === impl Ended ===

impl Ended {
    fn unexpected(error: impl std::fmt::Display, started: Instant) -> Self {
        let output = format!("Unexpected error: {error}");
        Self { output, status: UNEXPECTED, duration: started.elapsed(), remains: None }
    }
}

// === impl Process ===

impl Process {
    fn spawn(job: &Job) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let child = Command::new("sh")
            .arg("-c")
            .arg(&job.command)
            .stdin(if job.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(writer.try_clone()?)
            .stderr(writer)
            // Meant for this process alone.
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_PID")
            .env_remove("WATCHDOG_USEC")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(Group::led_by).ok_or(io::ErrorKind::NotFound)?;
        let output = pipe::Receiver::from_owned_fd(reader.into())?;
        Ok(Self { child, group, output, capture: Capture::new(LIMIT), exited: false })
    }

    /// Feeds and reads the command until the pipe has ended, then waits for the shell.
    async fn complete(&mut self, input: Option<Vec<u8>>) -> io::Result<ExitStatus> {
        let feeding = feed(self.child.stdin.take().zip(input));
        let reading = read(&mut self.output, &mut self.capture);
        let ending = async {
            reading.await?;
            self.child.wait().await
        };
        let status = tokio::select! {
            status = ending => status,
            never = feeding => match never {},
        };
        self.exited = status.is_ok();
        status
    }

    /// TERM, three seconds, KILL; all to the group. An error says why a process may be left.
    async fn terminate(&mut self) -> Result<(), String> {
        if let Err(error) = self.group.signal(Signal::SIGTERM) {
            return Err(error.to_string());
        }
        if timeout(TERM_GRACE, self.gone()).await.is_ok() {
            return Ok(());
        }
        self.kill().await
    }

    async fn kill(&mut self) -> Result<(), String> {
        self.group.signal(Signal::SIGKILL).map_err(|error| error.to_string())?;
        let waited = timeout(KILL_GRACE, self.gone()).await;
        waited.map_err(|_| format!("it is still there {} s after KILL", KILL_GRACE.as_secs()))
    }

    /// Waits for the shell, however long it takes.
    pub(super) async fn wait(&mut self) {
        // It fails only for a process that is no child of ours any more.
        self.exited = self.child.wait().await.is_ok() || self.exited;
    }

    /// Waits until no process of the group is left. The group's number cannot be another's meanwhile: a number in use
    /// as a group is not given away, and polls are too close for all numbers to have been gone through.
    async fn gone(&mut self) {
        self.wait().await;
        let group = self.group;
        while tokio::task::spawn_blocking(move || group.is_alive()).await.unwrap_or(false) {
            sleep(POLL).await;
        }
    }

    fn take_output(&mut self) -> String {
        std::mem::replace(&mut self.capture, Capture::new(0)).into_text()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.exited {
            self.group.signal(Signal::SIGKILL).ok();
        }
    }
}

async fn read(output: &mut pipe::Receiver, capture: &mut Capture) -> io::Result<()> {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match output.read(&mut buffer).await? {
            0 => return Ok(()),
            count => capture.push(&buffer[..count]),
        }
    }
}

/// Writes the input and closes. A command may exit, or close its input, without having read it: that is no error.
async fn feed(stdin: Option<(ChildStdin, Vec<u8>)>) -> Infallible {
    if let Some((mut stdin, input)) = stdin {
        stdin.write_all(&input).await.ok();
    }
    std::future::pending().await
}
