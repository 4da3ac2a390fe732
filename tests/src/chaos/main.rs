//! Everything twice, as in production, while parts are killed and stopped, networks are cut, clocks are set, disks fill up, logs are
//! rotated and files are spoilt: what breaks when comes from a seed, and an oracle says whether each incident was told, once, with the
//! check's output or the reason why there is none.

mod oracle;
mod plan;
mod run;

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Parser;
use clap::builder::RangedU64ValueParser;
use e2e::{Part, Signals, own, program, tool};
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;

use self::oracle::Verdict;
use self::plan::Plan;
use self::run::{Outcome, Run};

/// Breaks a whole stack by a plan that comes from a seed, and says whether anybody was told wrongly.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Flags {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// How often checks fail and recover in each [default: 2 in each fifth seed, 1 in the others]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    rounds: Option<usize>,
    /// How many seeds at a time
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Print the plan of each seed, and break nothing
    #[arg(long)]
    plan: bool,
    /// Print each step when it is taken
    #[arg(long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let flags = Flags::parse();
    let mut seeds: Vec<_> = (flags.seed..flags.seed.saturating_add(flags.seeds)).collect();
    if flags.plan {
        seeds.iter().for_each(|seed| println!("seed {seed}\n{:#?}", Plan::of(*seed, flags.rounds(*seed))));
        return Ok(ExitCode::SUCCESS);
    }
    // Those that take longest do not come last, alone.
    seeds.sort_by_key(|seed| Reverse(flags.rounds(*seed)));
    println!("{}", versions());
    let (flags, mut signals) = (&flags, Signals::listen()?);
    let runs = stream::iter(seeds)
        .map(|seed| async move { (seed, run(seed, flags).await) })
        .buffer_unordered(flags.jobs.max(1))
        .fold(Total::default(), |total, (seed, result)| async move { total.with(seed, flags.rounds(seed), result) });
    // Runs that are dropped take their processes and disks with them.
    let total = tokio::select! {
        total = runs => total,
        () = signals.any() => anyhow::bail!("stopped by a signal"),
    };
    Ok(if total.conclude(flags.seeds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How often checks fail and recover where nobody says it: twice in each fifth seed, so that `make test` has checks that fail again soon.
fn rounds(seed: u64) -> usize {
    if seed.is_multiple_of(5) { 2 } else { 1 }
}

// === impl Flags ===

impl Flags {
    fn rounds(&self, seed: u64) -> usize {
        self.rounds.unwrap_or_else(|| rounds(seed))
    }
}

/// Carries out the plan of a seed; how it went, and where its logs are if it passed.
async fn run(seed: u64, flags: &Flags) -> anyhow::Result<(Outcome, Option<TempDir>)> {
    let data = tempfile::Builder::new().prefix(&format!("chaos-{seed}-")).tempdir()?;
    let result = async {
        let run = Run::start(seed, flags.rounds(seed), data.path(), flags.verbose).await?;
        run.carry_out(data.path()).await
    };
    match result.await {
        Ok(outcome) if outcome.verdict.failures.is_empty() => {
            remove_folders(data.path())?;
            Ok((outcome, Some(data)))
        }
        result => {
            let kept = data.keep();
            println!("seed {seed}: everything is kept in {}", kept.display());
            result.map(|outcome| (outcome, None))
        }
    }
}

/// Leaves of a run what was told and logged: what the servers keep on the disk is a hundred times as much.
fn remove_folders(data: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// How all runs together went.
#[derive(Debug, Default)]
struct Total {
    passed: u64,
    incidents: usize,
    verdict: Verdict,
    /// What was told and logged in those that passed, as long as all of them together may fail.
    logs: Vec<TempDir>,
}

// === impl Total ===

impl Total {
    /// With one run more, of which it prints how it went.
    fn with(mut self, seed: u64, rounds: usize, result: anyhow::Result<(Outcome, Option<TempDir>)>) -> Self {
        let again = || println!("  again: target/debug/chaos --seed {seed} --seeds 1 --rounds {rounds} --verbose");
        match result {
            Ok((outcome, logs)) => {
                print_outcome(seed, &outcome);
                self.logs.extend(logs);
                match outcome.verdict.failures.is_empty() {
                    true => self.passed += 1,
                    false => again(),
                }
                self.incidents += outcome.incidents;
                self.verdict.add(outcome.verdict);
            }
            Err(error) => {
                println!("seed {seed}: FAILED: {error:#}");
                again();
            }
        }
        self
    }

    /// Says how all of them went; whether well.
    fn conclude(self, seeds: u64) -> bool {
        let failed = seeds - self.passed;
        println!("{} passed, {failed} failed; of those that were judged:", self.passed);
        println!("  {}", of_messages(self.incidents, &self.verdict));
        print_exemptions(&self.verdict);
        let ceilings = self.verdict.ceilings();
        ceilings.iter().for_each(|(what, passed)| println!("  let pass {what}: {passed}"));
        let too_much = self.verdict.too_much();
        too_much.iter().for_each(|what| println!("FAILED: {what}"));
        if !too_much.is_empty() {
            let kept: Vec<PathBuf> = self.logs.into_iter().map(TempDir::keep).collect();
            kept.iter().for_each(|logs| println!("  what was told, let pass and logged is kept in {}", logs.display()));
        }
        failed == 0 && too_much.is_empty()
    }
}

fn print_outcome(seed: u64, Outcome { incidents, faults, verdict }: &Outcome) {
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    println!("seed {seed}: {}; {}", of_messages(*incidents, verdict), faults.join(", "));
    print_exemptions(verdict);
    verdict.failures.iter().for_each(|failure| println!("  FAILED: {failure}"));
}

fn of_messages(incidents: usize, verdict: &Verdict) -> String {
    let (detailed, reasons) = (verdict.detailed, verdict.reasons());
    format!("{incidents} incidents, {detailed} messages with their output, {reasons} with a reason instead")
}

fn print_exemptions(verdict: &Verdict) {
    verdict.reasoned.iter().for_each(|(why, count)| println!("  {count} with a reason: {why}"));
    verdict.excused.iter().for_each(|(why, count)| println!("  {count} let pass: {why}"));
}

/// Of what runs, and on how many processors.
fn versions() -> String {
    let programs =
        [program(Part::Prometheus), program(Part::Alertmanager), tool("redis-server"), own("checkscript-agent")];
    let versions = programs.map(|program| {
        let output =
            Command::new(&program).arg("--version").output().map(|output| [output.stdout, output.stderr].concat());
        let text = String::from_utf8_lossy(&output.unwrap_or_default()).into_owned();
        let first = text.lines().next().unwrap_or_default();
        // What comes after that is of how it was built.
        [" (", " sha="].iter().fold(first, |text, end| text.split(end).next().unwrap_or(text)).to_owned()
    });
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}; {processors} processors", versions.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Exemption;

    /// Three runs that passed, with so many messages that were let pass, and the logs of one.
    fn total(let_pass: usize) -> (Total, PathBuf) {
        let logs = tempfile::tempdir().unwrap();
        let path = logs.path().to_owned();
        let excused = [(Exemption::Alertmanager, let_pass)].into();
        let verdict = Verdict { messages: 60, excused, ..Verdict::default() };
        (Total { passed: 3, incidents: 9, verdict, logs: vec![logs] }, path)
    }

    #[test]
    fn where_more_was_let_pass_than_may_be_all_runs_together_fail_and_their_logs_are_kept() {
        let (well, logs) = total(15);
        assert!(well.conclude(3) && !logs.exists());
        let (too_much, logs) = total(16);
        assert!(!too_much.conclude(3) && logs.exists());
        fs::remove_dir(logs).unwrap();
        assert!(!total(0).0.conclude(4), "one that was not carried out to its end has failed");
    }

    #[test]
    fn of_a_run_that_passed_what_was_told_and_logged_is_left() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir_all(data.path().join("prometheus-0/wal")).unwrap();
        fs::write(data.path().join("told.txt"), "").unwrap();
        remove_folders(data.path()).unwrap();
        let left: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["told.txt"]);
    }
}
