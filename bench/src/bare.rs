//! The least that running a check can cost: a loop of `posix_spawn` and `wait` from the standard library.
//!
//! One turn does what the kernel has to do for one check and nothing else: a pipe; `sh -c COMMAND` as leader of its own process
//! group, standard input from `/dev/null`, both outputs to the pipe; reading the pipe to its end; waiting for the shell. Nothing is scheduled,
//! timed, parsed or logged.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Cpu, pass};

/// What a loop did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    pub(crate) count: u32,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Cpu,
}

// === impl Turns ===

impl Turns {
    pub(crate) fn a_second(self) -> f64 {
        f64::from(self.count) / self.elapsed.as_secs_f64()
    }

    /// Seconds of CPU that 1,000 of them took.
    pub(crate) fn cpu_of_1000(self) -> f64 {
        1000.0 * self.cpu.all() / f64::from(self.count)
    }
}

/// Goes round for that time, one command after the other.
pub(crate) fn spawn_loop(command: &str, time: Duration) -> anyhow::Result<Turns> {
    paced_loop(command, time, Duration::ZERO)
}

/// The same with starts at least `pace` apart. Processes that start now and then find caches cold and processors asleep,
/// whoever starts them.
pub(crate) fn paced_loop(command: &str, time: Duration, pace: Duration) -> anyhow::Result<Turns> {
    let (started, before) = (Instant::now(), Cpu::here()?);
    let mut count = 0;
    let mut buffer = vec![0; 64 << 10];
    while started.elapsed() < time {
        turn(command, &mut buffer)?;
        count += 1;
        pass((pace * count).saturating_sub(started.elapsed()));
    }
    Ok(Turns { count, elapsed: started.elapsed(), cpu: Cpu::here()? - before })
}

/// As many loops at a time as there are processors: all that the machine can do.
pub(crate) fn spawn_loops(command: &str, time: Duration) -> anyhow::Result<f64> {
    let loops = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..loops).map(|_| scope.spawn(|| spawn_loop(command, time))).collect();
        let turns = running.into_iter().map(|turns| turns.join().expect("a loop does not panic"));
        turns.map(|turns| Ok(turns?.a_second())).sum()
    })
}

fn turn(command: &str, buffer: &mut [u8]) -> io::Result<()> {
    let (mut reader, writer) = io::pipe()?;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = shell.spawn()?;
    // It holds the ends for writing, and the pipe would not end.
    drop(shell);
    while reader.read(buffer)? > 0 {}
    child.wait().map(drop)
}
