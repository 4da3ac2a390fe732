//! What running a check costs: CPU of the runner alone, and of everything, beside a bare loop of `posix_spawn` and `wait`.
//!
//! The two are compared at equal rates, since a process that starts on a sleeping processor with cold caches takes more CPU, whoever
//! starts it: at as many runs a second as the loop does when it never pauses, and at a rate that leaves the machine mostly idle, where the loop
//! pauses too. The cost of the runner alone is taken at the second, where it is higher.

use std::time::Duration;

use crate::Settings;
use crate::bare::{Turns, paced_loop, spawn_loop};
use crate::program::{Cpu, pass};
use crate::report::{Figure, Report};
use crate::runner::{Runner, every};
use crate::stats::{Samples, ratio};

/// As sensu-client was measured with.
pub(crate) const COMMAND: &str = "echo OK; exit 0";
/// Runs a second that leave the machine mostly idle. A node has fewer by a factor of a hundred.
const CALM: u32 = 300;
const RUNNING: Duration = Duration::from_secs(6);
const LOOPING: Duration = Duration::from_millis(1500);

/// CPU of 1,000 runs in seconds, of each repeat.
#[derive(Default)]
struct Found {
    own: Vec<f64>,
    all: Vec<f64>,
    bare: Vec<f64>,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("spawn")?.of(&["checkscript-runner"]);
    let (mut calm, mut busy) = (Found::default(), Found::default());
    for _ in 0..settings.repeats {
        calm.measure(CALM, |time| paced_loop(COMMAND, 2 * time, Duration::from_secs(1) / CALM))?;
        let rate = spawn_loop(COMMAND, LOOPING)?.a_second();
        busy.measure(rate.round() as u32, |time| spawn_loop(COMMAND, time))?;
    }
    let figure =
        |name: &str, unit, values: &[f64]| Figure::new(name, unit, &Samples::from_iter(values.iter().copied()));
    report.add(figure("runner alone, CPU of 1,000 runs at 300/s", "s", &calm.own).at_most(0.35));
    for (found, rate) in [(&calm, "at 300/s"), (&busy, "at the loop's full rate")] {
        report.add(figure(&format!("runner and children, CPU of 1,000 runs {rate}"), "s", &found.all).lower());
        report.add(figure(&format!("bare loop and children, CPU of 1,000 runs {rate}"), "s", &found.bare));
        let to_bare = figure(&format!("runner to bare loop {rate}"), "x", &ratio(&found.all, &found.bare));
        report.add(to_bare.ratio().at_most(1.25));
    }
    Ok(report)
}

// === impl Found ===

impl Found {
    /// The runner with so many runs a second, between two goes of the loop.
    fn measure(&mut self, rate: u32, bare: impl Fn(Duration) -> anyhow::Result<Turns>) -> anyhow::Result<()> {
        let before = bare(LOOPING)?.cpu_of_1000();
        let cpu = runner_cpu_of_1000(rate)?;
        self.own.push(cpu.own);
        self.all.push(cpu.all());
        self.bare.push(f64::midpoint(before, bare(LOOPING)?.cpu_of_1000()));
        Ok(())
    }
}

fn runner_cpu_of_1000(rate: u32) -> anyhow::Result<Cpu> {
    let runner = Runner::start(every(1, rate as usize, COMMAND))?;
    // Past the start and the reading of the definitions.
    pass(Duration::from_secs(2));
    let from = runner.mark()?;
    pass(RUNNING);
    let to = runner.mark()?;
    let runs = runner.logged(from, to)?.runs.len();
    anyhow::ensure!(runs > 0, "the runner ran nothing");
    let (cpu, of_1000) = (to.cpu - from.cpu, 1000.0 / runs as f64);
    Ok(Cpu { own: cpu.own * of_1000, children: cpu.children * of_1000 })
}
