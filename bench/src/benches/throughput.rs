//! How many checks a second the runner sustains with nothing skipped, beside what the bare loop does.
//!
//! The offered load is so many checks, each every second. A rate is sustained if in the last seconds of a trial as many runs end as are
//! offered, and no slot was skipped or missed: then nothing piles up. The highest such rate is found by halving, between half of what the loop does and 1.75 times that, so it is exact to 4 %.

use std::time::Duration;

use super::spawn::COMMAND;
use crate::Settings;
use crate::bare::{spawn_loop, spawn_loops};
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::runner::{Runner, every};
use crate::stats::Samples;

const TRIALS: usize = 5;
/// Between which multiples of the loop's rate is searched.
const RANGE: (f64, f64) = (0.5, 1.75);
const SETTLING: Duration = Duration::from_secs(3);
const COUNTED: Duration = Duration::from_secs(4);
const LOOPING: Duration = Duration::from_millis(1200);
/// Of the offered runs that have to end within the seconds counted: those under way at its edges move the count a little.
const ENOUGH: f64 = 0.99;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("throughput")?.of(&["checkscript-runner"]);
    let (mut sustained, mut bare, mut ratio, mut all) = (vec![], vec![], vec![], vec![]);
    for _ in 0..settings.repeats.min(3) {
        let found = search()?;
        sustained.push(found.sustained);
        bare.push(found.bare);
        ratio.push(100.0 * found.sustained / found.bare);
        all.push(spawn_loops(COMMAND, LOOPING)?);
    }
    let figure = |name, unit, values: Vec<f64>| Figure::new(name, unit, &Samples::from_iter(values));
    report.add(figure("runner, nothing skipped", "runs/s", sustained).higher());
    report.add(figure("bare loop", "runs/s", bare));
    report.add(figure("runner to bare loop", "%", ratio).ratio().at_least(85.0));
    report.add(figure("bare loops, one a processor", "runs/s", all));
    Ok(report)
}

struct Found {
    sustained: f64,
    bare: f64,
}

fn search() -> anyhow::Result<Found> {
    let mut bare = vec![spawn_loop(COMMAND, LOOPING)?.a_second()];
    let (mut low, mut high) = (RANGE.0 * bare[0], RANGE.1 * bare[0]);
    let mut sustained = 0.0;
    for _ in 0..TRIALS {
        let offered = f64::midpoint(low, high).round();
        if is_sustained(offered as usize)? {
            (low, sustained) = (offered, offered);
        } else {
            high = offered;
        }
        bare.push(spawn_loop(COMMAND, LOOPING)?.a_second());
    }
    Ok(Found { sustained, bare: Samples::from_iter(bare).median() })
}

fn is_sustained(offered: usize) -> anyhow::Result<bool> {
    let runner = Runner::start(every(1, offered, COMMAND))?;
    pass(SETTLING);
    let from = runner.mark()?;
    pass(COUNTED);
    let to = runner.mark()?;
    let logged = runner.logged(from, to)?;
    let wanted = ENOUGH * offered as f64 * (to.at - from.at).as_secs_f64();
    Ok(logged.skipped + logged.missed == 0 && logged.runs.len() as f64 >= wanted)
}
