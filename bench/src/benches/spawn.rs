//! What running a check costs: CPU of the runner alone, and of everything, beside a bare loop of `posix_spawn` and `wait`.

use std::time::Duration;

use crate::Settings;
use crate::bare::{paced_loop, spawn_loop};
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::runner::{Runner, every};
use crate::stats::{Samples, ratio};

/// As sensu-client was measured with.
pub(crate) const COMMAND: &str = "echo OK; exit 0";
const CHECKS: u32 = 300;
const RUNNING: Duration = Duration::from_secs(6);
const LOOPING: Duration = Duration::from_millis(1500);

#[derive(Default)]
struct Found {
    own: Vec<f64>,
    all: Vec<f64>,
    bare: Vec<f64>,
    paced: Vec<f64>,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("spawn")?;
    let mut found = Found::default();
    for _ in 0..settings.repeats {
        let before = spawn_loop(COMMAND, LOOPING)?.cpu_of_1000();
        let (own, all) = runner_cpu_of_1000()?;
        found.own.push(own);
        found.all.push(all);
        found.bare.push(f64::midpoint(before, spawn_loop(COMMAND, LOOPING)?.cpu_of_1000()));
        found.paced.push(paced_loop(COMMAND, 2 * LOOPING, Duration::from_secs(1) / CHECKS)?.cpu_of_1000());
    }
    let (bare, paced) = (ratio(&found.all, &found.bare), ratio(&found.all, &found.paced));
    let add = |name, unit, values: Vec<f64>| Figure::new(name, unit, &Samples::from_iter(values));
    report.add(add("runner alone, CPU of 1,000 runs", "s", found.own).at_most(0.35));
    report.add(add("runner and children, CPU of 1,000 runs", "s", found.all));
    report.add(add("bare loop and children, CPU of 1,000 runs", "s", found.bare));
    report.add(add("bare loop at the runner's pace and children, CPU of 1,000 runs", "s", found.paced));
    report.add(add("runner to bare loop, children included", "x", bare).at_most(1.25));
    report.add(add("runner to bare loop at its pace, children included", "x", paced));
    Ok(report)
}

fn runner_cpu_of_1000() -> anyhow::Result<(f64, f64)> {
    let runner = Runner::start(every(1, CHECKS as usize, COMMAND))?;
    // Past the start and the reading of the definitions.
    pass(Duration::from_secs(2));
    let from = runner.mark()?;
    pass(RUNNING);
    let to = runner.mark()?;
    let runs = runner.logged(from, to)?.runs.len();
    anyhow::ensure!(runs > 0, "the runner ran nothing");
    let cpu = to.cpu - from.cpu;
    let of_1000 = 1000.0 / runs as f64;
    Ok((cpu.own * of_1000, cpu.all() * of_1000))
}
