//! The schedulers side by side: the runner's own and tokio-cron-scheduler's two kinds of jobs, all starting the same command in
//! the same way.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::grid::Start;
use crate::program::{Program, beside, ending_with_us, existing};
use crate::runner::{Runner, every, phase};

/// Who schedules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// The runner: interval checks.
    Ours,
    /// tokio-cron-scheduler's cron jobs.
    Cron,
    /// tokio-cron-scheduler's repeated jobs.
    Repeated,
}

/// What is to be scheduled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) jobs: u64,
    pub(crate) seconds: u64,
}

/// A scheduler at work.
#[derive(Debug)]
pub(crate) struct Scheduler {
    load: Load,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Ours(Runner),
    Other { program: Program, out: PathBuf, _folder: TempDir },
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Cron, Self::Repeated];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "checkscript-runner",
            Self::Cron => "tokio-cron-scheduler, cron",
            Self::Repeated => "tokio-cron-scheduler, repeated",
        }
    }
}

// === impl Load ===

impl Load {
    /// The interval in nanoseconds.
    pub(crate) fn interval(self) -> i64 {
        i64::try_from(self.seconds).unwrap_or(i64::MAX / 1_000_000_000) * 1_000_000_000
    }
}

// === impl Scheduler ===

impl Scheduler {
    pub(crate) fn start(kind: Kind, load: Load, environment: &[(&str, String)]) -> anyhow::Result<Self> {
        let stamp = beside("stamp")?.display().to_string();
        let work = match kind {
            Kind::Ours => Work::Ours(Runner::start_with(checks(load, &stamp), environment)?),
            Kind::Cron => other("cron", load, &stamp, environment)?,
            Kind::Repeated => other("repeated", load, &stamp, environment)?,
        };
        Ok(Self { load, work })
    }

    pub(crate) fn program(&self) -> &Program {
        match &self.work {
            Work::Ours(runner) => &runner.program,
            Work::Other { program, .. } => program,
        }
    }

    /// Every start so far.
    pub(crate) fn starts(&self) -> anyhow::Result<Vec<Start>> {
        match &self.work {
            Work::Ours(runner) => our_starts(runner, self.load),
            Work::Other { out, .. } => other_starts(&fs::read_to_string(out)?),
        }
    }
}

fn checks(load: Load, command: &str) -> Map<String, Value> {
    every(load.seconds, usize::try_from(load.jobs).unwrap_or(usize::MAX), command)
}

fn other(kind: &str, load: Load, command: &str, environment: &[(&str, String)]) -> anyhow::Result<Work> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let program = existing(&beside("bench")?.with_file_name("examples").join("tokio_cron_scheduler"))?;
    let mut program = ending_with_us(program);
    program.args([kind, &load.jobs.to_string(), &load.seconds.to_string(), command]);
    program.envs(environment.iter().map(|(name, value)| (name, value)));
    program.stdin(Stdio::null()).stdout(fs::File::create(&out)?);
    Ok(Work::Other { program: Program::start(&mut program)?, out, _folder: folder })
}

fn our_starts(runner: &Runner, load: Load) -> anyhow::Result<Vec<Start>> {
    let runs = runner.logged_so_far()?.runs;
    let start = |run: &crate::runner::Run| {
        let job = run.name.strip_prefix('c').and_then(|job| job.parse().ok()).context("not a check of a bench")?;
        let at = run.output.trim_end().parse().with_context(|| format!("not a time: {}", run.output))?;
        Ok(Start { job, grid: phase(&run.name, load.interval()), at })
    };
    runs.iter().map(start).collect()
}

fn other_starts(out: &str) -> anyhow::Result<Vec<Start>> {
    let mut grids = std::collections::HashMap::new();
    let mut starts = Vec::new();
    for line in out.lines() {
        let mut words = line.split(' ');
        let (Some(what), Some(job), Some(time)) = (words.next(), words.next(), words.next()) else { continue };
        let (job, at): (u64, i64) = (job.parse()?, time.parse()?);
        match what {
            "grid" => drop(grids.insert(job, at)),
            _ => starts.push(Start { job, grid: grids.get(&job).copied().unwrap_or(0), at }),
        }
    }
    Ok(starts)
}
