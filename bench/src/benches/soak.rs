//! 500 checks at 1 s, for minutes: nothing may grow and no phase may slip.
//!
//! Every twentieth check tells when it ran; the others are trivial. Each sample empties the log, as rotation by truncation does. The first
//! minute is for warming up: what is compared is the medians of the minute after it and of the last one.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Settings;
use crate::grid::{Start, Window};
use crate::program::{beside, pass};
use crate::report::{Figure, Report};
use crate::runner::{Runner, every, phase};
use crate::stats::Samples;

use super::spawn::COMMAND;

const CHECKS: usize = 500;
const STAMPED: usize = 20;
const SECOND: i64 = 1_000_000_000;
const EVERY: Duration = Duration::from_secs(10);
/// Samples that make a minute.
const MINUTE: usize = 6;

#[derive(Default)]
struct Watched {
    resident: Vec<f64>,
    descriptors: Vec<f64>,
    lateness: Vec<f64>,
    zombies: BTreeSet<i32>,
    /// Zombies that were there in two samples in a row: nobody waits for them any more.
    stuck: usize,
    runs: usize,
    lost: usize,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("soak")?.of(&["checkscript-runner"]);
    let mut checks = every(1, CHECKS, COMMAND);
    let stamp = beside("stamp")?.display().to_string();
    checks.values_mut().step_by(STAMPED).for_each(|check| check["command"] = stamp.as_str().into());
    let runner = Runner::start(checks)?;
    let mut watched = Watched::default();
    let minutes = settings.minutes.max(3);
    report.add(Figure::given("minutes", "", minutes as f64));
    for _ in 0..minutes * MINUTE {
        pass(EVERY);
        watched.sample(&runner)?;
        if let (Some(resident), Some(late)) = (watched.resident.last(), watched.lateness.last()) {
            eprintln!("{} runs, {resident:.1} MiB, {late:.1} ms late", watched.runs);
        }
    }
    watched.tell(&mut report);
    Ok(report)
}

// === impl Watched ===

impl Watched {
    fn sample(&mut self, runner: &Runner) -> anyhow::Result<()> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
        let logged = runner.logged_so_far()?;
        runner.truncate_log()?;
        self.runs += logged.runs.len();
        self.lost += logged.skipped + logged.missed;
        let start = |run: &crate::runner::Run| {
            Some(Start { job: 0, grid: phase(&run.name, SECOND), at: run.output.trim_end().parse().ok()? })
        };
        let starts: Vec<Start> = logged.runs.iter().filter_map(start).collect();
        self.lateness.push(Window::of(&starts, SECOND, (0, now)).lateness.median());
        self.resident.push(runner.program.memory()?.resident);
        self.descriptors.push(runner.program.descriptors()? as f64);
        let zombies = runner.program.zombies()?;
        self.stuck += zombies.intersection(&self.zombies).count();
        self.zombies = zombies;
        Ok(())
    }

    fn tell(self, report: &mut Report) {
        let Self { resident, descriptors, lateness, stuck, runs, lost, .. } = self;
        report.add(Figure::one("runs", "", runs as f64));
        let all = |name, unit, values: &[f64]| Figure::new(name, unit, &Samples::from(values));
        report.add(all("resident", "MiB", &resident).at_most(25.0));
        report.add(Figure::one("resident, growth", "MiB", growth(&resident)).at_most(1.0).or_not());
        report.add(all("descriptors", "", &descriptors));
        // Two for each run that is under way when the sample is taken, give or take a few.
        report.add(Figure::one("descriptors, growth", "", growth(&descriptors)).at_most(10.0).or_not());
        report.add(Figure::one("zombies that stay", "", stuck as f64).at_most(0.0).or_not());
        report.add(all("late p50", "ms", &lateness).lower());
        report.add(Figure::one("late p50, growth", "ms", growth(&lateness)).at_most(10.0).or_not());
        let lost = 1000.0 * lost as f64 / runs as f64;
        report.add(Figure::one("slots without a run, of 1,000", "", lost).at_most(1.0).or_not());
    }
}

/// From the second minute to the last.
fn growth(samples: &[f64]) -> f64 {
    let median = |of: &[f64]| Samples::from(of).median();
    median(&samples[samples.len() - MINUTE..]) - median(&samples[MINUTE..2 * MINUTE])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_leaves_the_first_minute_out() {
        let mut samples = vec![1.0; MINUTE];
        samples.extend([5.0; MINUTE]);
        samples.extend([7.0; MINUTE]);
        assert_eq!(growth(&samples), 2.0);
    }
}
