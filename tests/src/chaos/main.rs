//! Everything twice, as in production, while parts are killed and stopped, networks are cut, clocks are set, disks fill up, logs are
//! rotated and files are spoilt: what breaks when comes from a seed, and an oracle says whether each incident was told, once, with the
//! check's output or the reason why there is none.

mod oracle;
mod plan;
mod run;

use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Parser;
use e2e::{Part, Signals, own, program, tool};
use futures_util::{StreamExt as _, stream};

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
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// How often checks fail and recover in each
    #[arg(long, default_value_t = 1)]
    rounds: usize,
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
    let seeds = flags.seed..flags.seed.saturating_add(flags.seeds);
    if flags.plan {
        seeds.for_each(|seed| println!("seed {seed}\n{:#?}", Plan::of(seed, flags.rounds)));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", versions());
    let (flags, mut signals) = (&flags, Signals::listen()?);
    let runs = stream::iter(seeds)
        .map(|seed| async move { (seed, run(seed, flags).await) })
        .buffer_unordered(flags.jobs.max(1))
        .fold(Total::default(), |total, (seed, result)| async move { total.with(seed, result) });
    // Runs that are dropped take their processes and disks with them.
    let total = tokio::select! {
        total = runs => total,
        () = signals.any() => anyhow::bail!("stopped by a signal"),
    };
    let failed = flags.seeds - total.passed;
    let (of_pair, out_of_step) = (total.verdict.of_pair(), total.verdict.out_of_step());
    println!("{} passed, {failed} failed; of those that were judged:", total.passed);
    println!("  {}", of_messages(total.incidents, &total.verdict));
    print_exemptions(&total.verdict);
    println!("  let pass though nothing was broken: {of_pair}");
    println!("  let pass out of step: {out_of_step}");
    Ok(if failed == 0 && !of_pair.is_too_much() && !out_of_step.is_too_much() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn run(seed: u64, flags: &Flags) -> anyhow::Result<Outcome> {
    let data = tempfile::Builder::new().prefix(&format!("chaos-{seed}-")).tempdir()?;
    let result = async {
        let run = Run::start(seed, flags.rounds, data.path(), flags.verbose).await?;
        run.carry_out(data.path()).await
    };
    let result = result.await;
    let well = result.as_ref().is_ok_and(|outcome| outcome.verdict.failures.is_empty());
    if well {
        return result;
    }
    let kept = data.keep();
    result.with_context(|| format!("everything is kept in {}", kept.display())).inspect(|_| {
        println!("seed {seed}: everything is kept in {}", kept.display());
    })
}

/// How all runs together went.
#[derive(Debug, Default)]
struct Total {
    passed: u64,
    incidents: usize,
    verdict: Verdict,
}

// === impl Total ===

impl Total {
    /// With one run more, of which it prints how it went.
    fn with(mut self, seed: u64, result: anyhow::Result<Outcome>) -> Self {
        match result {
            Ok(outcome) => {
                print_outcome(seed, &outcome);
                self.passed += u64::from(outcome.verdict.failures.is_empty());
                self.incidents += outcome.incidents;
                self.verdict.add(outcome.verdict);
            }
            Err(error) => {
                println!(
                    "seed {seed}: FAILED: {error:#}\n  again: target/debug/chaos --seed {seed} --seeds 1 --verbose"
                );
            }
        }
        self
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
