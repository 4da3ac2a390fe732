//! Our heap beside tokio-cron-scheduler: lateness, lost runs, and what is left after the process was stopped or the clock was set.
//!
//! Every job is `sh -c stamp`, so a start is late by what the scheduler and the start of two processes take; the scheduler makes the
//! difference. tokio-cron-scheduler's cron jobs have slots on whole seconds, its repeated jobs count from the second in which they were added,
//! ours lie anywhere in the interval.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use nix::sys::signal::Signal;

use crate::Settings;
use crate::grid::{Start, Window};
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::schedulers::{Kind, Load, Scheduler};
use crate::stats::Samples;

const MANY: Load = Load { jobs: 1000, seconds: 5 };
const OFTEN: Load = Load { jobs: 200, seconds: 1 };
/// Of the tests in which time goes wrong; all schedulers are under test at once.
const FEW: Load = Load { jobs: 100, seconds: 2 };
/// Seconds of each look, a multiple of the intervals.
const WATCHED: u64 = 10;
const STOPPED: Duration = Duration::from_secs(7);
const HOUR: i64 = 3_600_000_000_000;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("schedulers")?.of(&["checkscript-runner"]);
    lateness(&mut report, MANY, settings.repeats.min(2))?;
    lateness(&mut report, OFTEN, 1)?;
    stopped(&mut report)?;
    match faketime(&settings.tools) {
        Some(library) => clock_set(&mut report, &library)?,
        None => eprintln!("libfaketime is not in target/tools: what a set clock does is not measured"),
    }
    Ok(report)
}

#[derive(Default)]
struct Found {
    median: Vec<f64>,
    p99: Vec<f64>,
    lost: Vec<f64>,
    cpu: Vec<f64>,
    resident: Vec<f64>,
}

fn lateness(report: &mut Report, load: Load, repeats: usize) -> anyhow::Result<()> {
    let mut found = Kind::ALL.map(|_| Found::default());
    for _ in 0..repeats {
        for (kind, found) in Kind::ALL.into_iter().zip(&mut found) {
            observe(kind, load, found).with_context(|| kind.name())?;
        }
    }
    for (kind, found) in Kind::ALL.into_iter().zip(found) {
        let mut add = |what: &str, unit, values: Vec<f64>| {
            let name = format!("{}: {} at {} s: {what}", kind.name(), load.jobs, load.seconds);
            let figure = Figure::new(name, unit, &Samples::from_iter(values));
            report.add(if kind == Kind::Ours { figure.lower() } else { figure });
        };
        add("late p50", "ms", found.median);
        add("late p99", "ms", found.p99);
        add("slots without a run", "%", found.lost);
        add("CPU of the process", "% of a core", found.cpu);
        add("resident", "MiB", found.resident);
    }
    Ok(())
}

fn observe(kind: Kind, load: Load, found: &mut Found) -> anyhow::Result<()> {
    let scheduler = Scheduler::start(kind, load, &[])?;
    // Repeated jobs are added over an interval, and run first an interval later.
    pass(Duration::from_secs(2 * load.seconds + 1));
    let slots = (WATCHED / load.seconds) as usize;
    let length = load.interval() * i64::try_from(slots)?;
    let (from, before) = (now()?, scheduler.program().cpu()?);
    pass(Duration::from_nanos(u64::try_from(length)?));
    let cpu = scheduler.program().cpu()? - before;
    // Runs of the last slots end, and are written.
    pass(Duration::from_secs(1));
    let window = Window::of(&scheduler.starts()?, load.interval(), (from, from + length));
    found.median.push(window.lateness.median());
    found.p99.push(window.lateness.quantile(0.99));
    found.lost.push(100.0 * window.lost(load.jobs, slots) as f64 / (load.jobs * slots as u64) as f64);
    found.cpu.push(100.0 * cpu.own / (length as f64 / 1e9));
    found.resident.push(scheduler.program().memory()?.resident);
    Ok(())
}

fn start_all(environment: &[(&str, String)]) -> anyhow::Result<Vec<(Kind, Scheduler)>> {
    let start = |kind| Ok((kind, Scheduler::start(kind, FEW, environment)?));
    let all = Kind::ALL.into_iter().map(start).collect::<anyhow::Result<_>>()?;
    pass(Duration::from_secs(3 * FEW.seconds));
    Ok(all)
}

fn stopped(report: &mut Report) -> anyhow::Result<()> {
    let all = start_all(&[])?;
    all.iter().try_for_each(|(_, scheduler)| scheduler.program().signal(Signal::SIGSTOP))?;
    pass(STOPPED);
    all.iter().try_for_each(|(_, scheduler)| scheduler.program().signal(Signal::SIGCONT))?;
    aftermath(report, &all, "stopped for 7 s", now()?)
}

fn clock_set(report: &mut Report, library: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let offset = folder.path().join("offset");
    let environment = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", offset.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // A clock that is set is the wall clock; the monotonic one goes on.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    for (what, hours) in [("clock set forward 1 h", 1), ("clock set back 1 h", -1)] {
        set(&offset, 0)?;
        let all = start_all(&environment)?;
        set(&offset, hours * 3600)?;
        aftermath(report, &all, what, now()? + hours * HOUR)?;
    }
    Ok(())
}

/// In one step: a reader must never see half of it.
fn set(offset: &Path, seconds: i64) -> anyhow::Result<()> {
    let new = offset.with_extension("new");
    fs::write(&new, format!("{seconds:+}\n"))?;
    fs::rename(new, offset).context("cannot set the clock")
}

/// What runs in the four intervals that follow `since`.
fn aftermath(report: &mut Report, all: &[(Kind, Scheduler)], what: &str, since: i64) -> anyhow::Result<()> {
    pass(Duration::from_secs(4 * FEW.seconds) + Duration::from_millis(500));
    for (kind, scheduler) in all {
        let starts: Vec<Start> = scheduler.starts()?;
        let mut first = [0; FEW.jobs as usize];
        let soon = starts.iter().filter(|start| (since..since + FEW.interval()).contains(&start.at));
        soon.for_each(|start| first[start.job as usize] += 1);
        let later = Window::of(&starts, FEW.interval(), (since + 2 * FEW.interval(), since + 4 * FEW.interval()));
        let name = |figure: &str| format!("{}: {what}: {figure}", kind.name());
        let dead = FEW.jobs as usize - later.starts.len();
        let dead = Figure::one(name("jobs of 100 that do not go on"), "", dead as f64);
        report.add(if *kind == Kind::Ours { dead.at_most(0.0).or_not() } else { dead });
        report.add(Figure::one(
            name("most runs of one job in the interval after"),
            "",
            f64::from(first.into_iter().max().unwrap_or(0)),
        ));
    }
    Ok(())
}

fn faketime(tools: &Path) -> Option<PathBuf> {
    let library = tools.join("lib/libfaketime.so.1");
    library.exists().then_some(library)
}

fn now() -> anyhow::Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}
