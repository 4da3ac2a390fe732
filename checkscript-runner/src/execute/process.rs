//! One run of one shell command: `sh -c COMMAND` in a process group of its own.
//!
//! As in sensu-client, one pipe takes both output streams, so their order is the order of writing, and a run lasts until
//! the pipe is at its end *and* the shell has exited: a background child that keeps the pipe open prolongs it.
//! Nothing runs between fork and exec, so the standard library uses `posix_spawn`; every other descriptor of this
//! process is close-on-exec.

mod shell;

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::fstat;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::ChildStdin;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use self::shell::Shell;
use super::capture::{Capture, LIMIT};
use super::children::Children;
use super::family::{self, Family, MARKER, Member, signal_all};
use super::running::Guard;
use crate::definitions::Account;

/// How long killed processes may take to be gone. Only one that hangs in the kernel takes longer.
pub(super) const KILL_GRACE: Duration = Duration::from_secs(1);
/// How often processes are looked at whether they are gone; nothing announces it.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// The same for those that not even KILL has ended.
pub(super) const SLOW_POLL: Duration = Duration::from_secs(1);
/// Outputs are short. At 64 KiB and more each free would make the allocator tidy up and give memory back.
const READ_SIZE: usize = 16 * 1024;

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
    /// What this process gives to every command besides its own variables.
    pub(super) exports: Vec<(OsString, OsString)>,
    /// The definition's variables; the names are valid.
    pub(super) environment: Vec<(String, String)>,
    /// Whom it runs as, if not as this process.
    pub(super) account: Option<Account>,
    /// How long its processes may take between TERM and KILL.
    pub(super) term_grace: Duration,
}

pub(super) enum Outcome {
    Ended(Ended),
    /// It was told to stop; what KILL has not ended within a second.
    Killed(Vec<Member>),
}

/// What came of it.
pub(super) struct Ended {
    pub(super) output: String,
    pub(super) status: i32,
    /// Whether the status is the command's own.
    pub(super) exited: bool,
    pub(super) duration: Duration,
    /// What not even KILL has ended.
    pub(super) remains: Option<Box<Remains>>,
}

/// A shell, dead or not, and processes that it has left behind.
pub(super) struct Remains {
    process: Process,
    left: Vec<Member>,
}

/// A running shell and what it prints.
struct Process {
    shell: Shell,
    family: Family,
    output: pipe::Receiver,
    capture: Capture,
}

enum Ending {
    Exited(io::Result<ExitStatus>),
    TimedOut,
    Stopped,
}

/// Runs the job to its end, or kills it when `stop` comes.
pub(super) async fn run(job: Job, children: &Arc<Children>, guard: &Guard, stop: &CancellationToken) -> Outcome {
    let started = Instant::now();
    let limit = match limit(job.timeout) {
        Ok(limit) => limit,
        Err(text) => return Outcome::Ended(Ended::unexpected(text, started)),
    };
    let mut process = match Process::spawn(&job, children, guard) {
        Ok(process) => process,
        Err(error) => return Outcome::Ended(Ended::unexpected(error, started)),
    };
    guard.started(&process.family, limit < Duration::MAX);
    let ending = tokio::select! {
        status = process.complete(job.stdin) => Ending::Exited(status),
        () = sleep(limit) => Ending::TimedOut,
        () = stop.cancelled() => Ending::Stopped,
    };
    match ending {
        Ending::Exited(Ok(status)) => {
            let status = status.code().or(status.signal()).unwrap_or(UNEXPECTED);
            let (output, duration) = (process.take_output(), started.elapsed());
            Outcome::Ended(Ended { output, status, exited: true, duration, remains: None })
        }
        Ending::Exited(Err(error)) => Outcome::Ended(Ended::unexpected(error, started)),
        Ending::TimedOut => {
            let ended = time_out(process, job.term_grace, started).await;
            guard.left(ended.remains.as_ref().map_or(&[], |remains| &remains.left));
            Outcome::Ended(ended)
        }
        Ending::Stopped => Outcome::Killed(process.end(Signal::SIGKILL, KILL_GRACE).await),
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

/// TERM, and KILL to what is still there after the grace period.
async fn time_out(mut process: Process, grace: Duration, started: Instant) -> Ended {
    let mut left = process.end(Signal::SIGTERM, grace).await;
    if !left.is_empty() || !process.shell.has_exited() {
        left = process.end(Signal::SIGKILL, KILL_GRACE).await;
    }
    if left.is_empty() && !process.shell.has_exited() {
        left.push(Member::unseen(process.family.shell()));
    }
    let duration = started.elapsed();
    let named = left.clone();
    // It asks for users' names, which may be a network's.
    let unkillable = spawn_blocking(move || family::unkillable(&named)).await.unwrap_or_default();
    let output = format!("Execution timed out{unkillable}");
    let remains = (!process.shell.has_exited() || !left.is_empty()).then(|| Box::new(Remains { process, left }));
    Ended { output, status: TIMED_OUT, exited: false, duration, remains }
}

// === impl Ended ===

impl Ended {
    fn unexpected(error: impl std::fmt::Display, started: Instant) -> Self {
        let output = format!("Unexpected error: {error}");
        Self { output, status: UNEXPECTED, exited: false, duration: started.elapsed(), remains: None }
    }
}

// === impl Remains ===

impl Remains {
    /// Waits until nothing is left, however long it takes.
    pub(super) async fn gone(mut self) {
        self.process.shell.wait().await.ok();
        while any_alive(self.left.clone()).await {
            sleep(SLOW_POLL).await;
        }
    }
}

// === impl Process ===

impl Process {
    fn spawn(job: &Job, children: &Arc<Children>, guard: &Guard) -> io::Result<Self> {
        if job.command.contains('\0') {
            // sensu-client's words without the command: what its tokens stand for may be secret.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "argument cannot contain null bytes"));
        }
        let (reader, writer) = io::pipe()?;
        let family = Family::unborn(fstat(&reader)?.st_ino)?;
        // Before the start: after it little can fail.
        let output = pipe::Receiver::from_owned_fd(reader.into())?;
        guard.starting(&family);
        let mut command = shell::command(job);
        command
            .stdin(if job.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .env(MARKER, family.mark())
            .process_group(0)
            .kill_on_drop(true);
        let shell = Shell::spawn(command, children)?;
        let family = family.born(shell.id())?;
        Ok(Self { shell, family, output, capture: Capture::new(LIMIT) })
    }

    /// Feeds and reads the command until the pipe has ended, then waits for the shell.
    async fn complete(&mut self, input: Option<Vec<u8>>) -> io::Result<ExitStatus> {
        let feeding = feed(self.shell.take_stdin().zip(input));
        let reading = read(&mut self.output, &mut self.capture);
        let ending = async {
            reading.await?;
            self.shell.wait().await
        };
        tokio::select! {
            status = ending => status,
            never = feeding => match never {},
        }
    }

    /// Signals all processes of the run, and those that they have started meanwhile, until none is left, those that are
    /// left may not be signalled, or the grace period is over; returns what is left.
    async fn end(&mut self, signal: Signal, grace: Duration) -> Vec<Member> {
        let deadline = tokio::time::Instant::now() + grace;
        loop {
            // At one stroke, so that within the group none can be missed for having been forked just now.
            killpg(self.shell.id(), signal).ok();
            killpg(self.shell.id(), Signal::SIGCONT).ok();
            let family = self.family.clone();
            let members = spawn_blocking(move || signal_all(family.members(), signal, family.shell()));
            let members = members.await.unwrap_or_default();
            let signalled: Vec<Member> = members.iter().filter(|member| member.refusal().is_none()).cloned().collect();
            let is_hopeless = signalled.is_empty() && !members.is_empty();
            if is_hopeless || timeout_at(deadline, self.gone(&signalled)).await.is_err() || members.is_empty() {
                return members;
            }
        }
    }

    /// Waits until none of these is left.
    async fn gone(&mut self, members: &[Member]) {
        self.shell.wait().await.ok();
        while any_alive(members.to_vec()).await {
            sleep(POLL).await;
        }
    }

    fn take_output(&mut self) -> String {
        std::mem::replace(&mut self.capture, Capture::new(0)).into_text()
    }
}

async fn any_alive(members: Vec<Member>) -> bool {
    spawn_blocking(move || members.iter().any(|member| member.now().is_some())).await.unwrap_or(false)
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
