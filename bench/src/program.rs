//! A process under measurement, and what `/proc` says of it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process;

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    process: Process,
}

/// CPU time, user and system, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cpu {
    /// Of the process.
    pub(crate) own: f64,
    /// Of its children that have ended and been waited for, and of theirs.
    pub(crate) children: f64,
}

/// Memory in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: f64,
    /// Resident at most so far.
    pub(crate) peak: f64,
}

/// What a process uses, seen from outside for as long as it runs.
#[derive(Debug)]
pub(crate) struct Usage(Process);

/// A program of this workspace, built beside this one.
pub(crate) fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program itself")?;
    let path = own.with_file_name(name);
    anyhow::ensure!(path.exists(), "{} is not there: run `make bench-build`", path.display());
    Ok(path)
}

/// Any program of that path, with the words for the case that it is not there.
pub(crate) fn existing(path: &Path) -> anyhow::Result<PathBuf> {
    anyhow::ensure!(path.exists(), "{} is not there: run `make bench-build`", path.display());
    Ok(path.to_owned())
}

/// What starts a program that is killed when the thread that starts it ends, in whatever way: a bench that is stopped leaves nobody.
pub(crate) fn ending_with_us(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(program);
    command
}

// === impl Program ===

impl Program {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let process = Process::new(pid(&child).as_raw())?;
        Ok(Self { child, process })
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Cpu> {
        Cpu::of(&self.process)
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        Memory::of(&self.process)
    }

    /// For who looks at it from another thread.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Ok(Usage(Process::new(self.process.pid)?))
    }

    /// The higher, the sooner others go before it.
    pub(crate) fn niceness(&self) -> anyhow::Result<i64> {
        Ok(self.process.stat()?.nice)
    }

    pub(crate) fn descriptors(&self) -> anyhow::Result<usize> {
        Ok(self.process.fd_count()?)
    }

    /// The ids of its children that have ended and not been waited for.
    pub(crate) fn zombies(&self) -> anyhow::Result<BTreeSet<i32>> {
        let own = self.process.pid;
        let stats = procfs::process::all_processes()?.filter_map(Result::ok).filter_map(|process| process.stat().ok());
        Ok(stats.filter(|stat| stat.ppid == own && stat.state == 'Z').map(|stat| stat.pid).collect())
    }

    /// What it writes to standard error, if that was piped and not taken before.
    pub(crate) fn stderr(&mut self) -> anyhow::Result<ChildStderr> {
        self.child.stderr.take().context("standard error is not piped")
    }

    /// What it writes to standard output, if that was piped and not taken before.
    pub(crate) fn stdout(&mut self) -> anyhow::Result<ChildStdout> {
        self.child.stdout.take().context("standard output is not piped")
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(pid(&self.child), signal).context("cannot send a signal")
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process ids are positive 32-bit numbers"))
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

// === impl Usage ===

impl Usage {
    /// Of this process itself.
    pub(crate) fn here() -> anyhow::Result<Self> {
        Ok(Self(Process::myself()?))
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Cpu> {
        Cpu::of(&self.0)
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        Memory::of(&self.0)
    }
}

// === impl Memory ===

impl Memory {
    fn of(process: &Process) -> anyhow::Result<Self> {
        let status = process.status()?;
        let mebibytes = |kibibytes: Option<u64>| kibibytes.map(|size| size as f64 / 1024.0);
        Ok(Self {
            resident: mebibytes(status.vmrss).context("the process has ended")?,
            peak: mebibytes(status.vmhwm).context("the process has ended")?,
        })
    }
}

// === impl Cpu ===

impl Cpu {
    /// Of this process.
    pub(crate) fn here() -> anyhow::Result<Self> {
        Self::of(&Process::myself()?)
    }

    /// Of the threads of this process that are called `name`.
    pub(crate) fn of_threads(name: &str) -> anyhow::Result<Self> {
        let mut own = 0;
        for task in Process::myself()?.tasks()? {
            let stat = task?.stat()?;
            own += if stat.comm == name { stat.utime + stat.stime } else { 0 };
        }
        Ok(Self { own: own as f64 * tick(), children: 0.0 })
    }

    fn of(process: &Process) -> anyhow::Result<Self> {
        let stat = process.stat()?;
        let (own, children) = ((stat.utime + stat.stime) as f64, (stat.cutime + stat.cstime) as f64);
        Ok(Self { own: own * tick(), children: children * tick() })
    }

    pub(crate) fn all(self) -> f64 {
        self.own + self.children
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { own: self.own - earlier.own, children: self.children - earlier.children }
    }
}

/// How long a tick of the processor's clock is, in seconds.
fn tick() -> f64 {
    1.0 / procfs::ticks_per_second() as f64
}

/// Lets time pass: what is measured here takes place in other processes.
pub(crate) fn pass(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::thread;

    use super::*;

    #[test]
    fn a_program_ends_with_who_started_it() {
        let start = || {
            let program = Program::start(ending_with_us("sleep").arg("60")).expect("it starts");
            while program.process.stat().expect("it runs").comm != "sleep" {
                thread::yield_now();
            }
            program
        };
        let mut program = thread::spawn(start).join().expect("it does not panic");
        let status = program.child.wait().expect("it can be waited for");
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{status}");
    }
}
