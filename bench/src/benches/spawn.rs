//! What running a check costs: CPU of the runner alone, and of everything, beside a bare loop of `posix_spawn` and `wait`.

use std::time::Duration;

use crate::Settings;
use crate::bare::spawn_loop;
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::runner::{Runner, every};
use crate::stats::Samples;

/// As sensu-client was measured with.
pub(crate) const COMMAND: &str = "echo OK; exit 0";
const CHECKS: usize = 300;
const RUNNING: Duration = Duration::from_secs(8);
const LOOPING: Duration = Duration::from_secs(3);

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("spawn")?;
    let (mut own, mut all, mut bare, mut ratio) = (vec![], vec![], vec![], vec![]);
    for _ in 0..settings.repeats {
        let before = spawn_loop(COMMAND, LOOPING / 2)?.cpu_of_1000();
        let (runner_own, runner_all) = runner_cpu_of_1000()?;
        let after = spawn_loop(COMMAND, LOOPING / 2)?.cpu_of_1000();
        let beside = f64::midpoint(before, after);
        own.push(runner_own);
        all.push(runner_all);
        bare.push(beside);
        ratio.push(runner_all / beside);
    }
    let figure = |name, unit, values: Vec<f64>| Figure::new(name, unit, &Samples::from_iter(values));
    report.add(figure("runner alone, CPU of 1,000 runs", "s", own).at_most(0.35));
    report.add(figure("runner and children, CPU of 1,000 runs", "s", all));
    report.add(figure("bare loop and children, CPU of 1,000 runs", "s", bare));
    report.add(figure("runner to bare loop, children included", "x", ratio).at_most(1.25));
    Ok(report)
}

fn runner_cpu_of_1000() -> anyhow::Result<(f64, f64)> {
    let runner = Runner::start(every(1, CHECKS, COMMAND))?;
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
