//! The runner with 1,000 checks at 10 s: how late they start by their own clock, and what memory they take.
//!
//! A start is what the check's first instruction sees (`stamp`, behind `sh -c`), its slot sensu-client's splay phase. Twenty more
//! checks run by `cron` at each full minute, all in one moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::Settings;
use crate::grid::{Start, Window};
use crate::program::{beside, pass};
use crate::report::{Figure, Report};
use crate::runner::{Runner, every, phase};

const CHECKS: u64 = 1000;
const CRON_CHECKS: u64 = 20;
const SECONDS: u64 = 10;
const INTERVAL: i64 = 10_000_000_000;
const MINUTE: i64 = 60_000_000_000;

/// Repeats of a minute each.
const MOST: usize = 3;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("lateness")?.of(&["checkscript-runner"]);
    let runs = (0..settings.repeats.min(MOST)).map(|_| measure());
    report.add_runs(&runs.collect::<anyhow::Result<Vec<_>>>()?);
    Ok(report)
}

/// For a minute, with runners of its own.
fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let idle = Runner::start(every(3600, 0, "true"))?;
    let stamp = beside("stamp")?.display().to_string();
    let mut checks = every(SECONDS, CHECKS as usize, &stamp);
    let by_cron = json!({"command": stamp, "cron": "* * * * *", "standalone": true});
    checks.extend((0..CRON_CHECKS).map(|index| (format!("m{index}"), by_cron.clone())));
    let runner = Runner::start(checks)?;
    pass(Duration::from_secs(1));
    let from = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
    pass(Duration::from_secs(61));
    let starts = starts(&runner)?;
    let by_interval = Window::of(&starts.0, INTERVAL, (from, from + MINUTE));
    let by_cron = Window::of(&starts.1, MINUTE, (from, from + MINUTE));
    for (name, window, (jobs, slots)) in [
        ("1,000 checks at 10 s", by_interval, (CHECKS, 6)),
        ("20 cron checks at one moment", by_cron, (CRON_CHECKS, 1)),
    ] {
        figures.push(Figure::one(format!("{name}: late p50"), "ms", window.lateness.median()).lower());
        figures.push(Figure::one(format!("{name}: late p99"), "ms", window.lateness.quantile(0.99)).lower());
        let (lost, planned) = (window.lost(jobs, slots) as f64, jobs * slots as u64);
        figures.push(Figure::one(format!("{name}: slots without a run, of {planned}"), "", lost).at_most(0.0).or_not());
    }
    let resident = |runner: &Runner| anyhow::Ok(runner.program.memory()?.resident);
    figures.push(Figure::one("resident, no check", "MiB", resident(&idle)?).at_most(12.0));
    figures.push(Figure::one("resident, 1,020 checks", "MiB", resident(&runner)?).at_most(25.0));
    Ok(figures)
}

/// Of the interval checks and of the cron checks.
fn starts(runner: &Runner) -> anyhow::Result<(Vec<Start>, Vec<Start>)> {
    let (mut by_interval, mut by_cron) = (Vec::new(), Vec::new());
    for run in runner.logged_so_far()?.runs {
        let at = run.output.trim_end().parse()?;
        let job = run.name[1..].parse()?;
        match run.name.starts_with('m') {
            true => by_cron.push(Start { job, grid: 0, at }),
            false => by_interval.push(Start { job, grid: phase(&run.name, INTERVAL), at }),
        }
    }
    Ok((by_interval, by_cron))
}
