//! Everything twice, as in production, while parts are killed and stopped, networks are cut, clocks are set, disks fill up, logs are
//! rotated and files are spoilt: what breaks when comes from a seed, and an oracle says whether each incident was told, once, with the
//! check's output or the reason why there is none.

mod oracle;
mod plan;
mod run;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use e2e::Signals;
use futures_util::{StreamExt as _, stream};

use self::oracle::Verdict;
use self::plan::Plan;
use self::run::Run;

/// Breaks a whole stack by a plan that comes from a seed, and says whether anybody was told wrongly.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Flags {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// How often checks fail and recover in each
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// How many at a time
    #[arg(long, default_value_t = 2)]
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
        seeds.for_each(|seed| println!("seed {seed}\n{:#?}", Plan::of(seed, flags.rounds, true)));
        return Ok(ExitCode::SUCCESS);
    }
    let (flags, mut signals) = (&flags, Signals::listen()?);
    let runs = stream::iter(seeds)
        .map(|seed| async move { (seed, run(seed, flags).await) })
        .buffer_unordered(flags.jobs.max(1))
        .fold(0, |failed, (seed, result)| async move { failed + u64::from(!told_well(seed, &result)) });
    // Runs that are dropped take their processes and disks with them.
    let failed = tokio::select! {
        failed = runs => failed,
        () = signals.any() => anyhow::bail!("stopped by a signal"),
    };
    println!("{} passed, {failed} failed", flags.seeds - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run(seed: u64, flags: &Flags) -> anyhow::Result<(Plan, Verdict)> {
    let data = tempfile::Builder::new().prefix(&format!("chaos-{seed}-")).tempdir()?;
    let result = async {
        let run = Run::start(seed, flags.rounds, data.path(), flags.verbose).await?;
        run.carry_out(data.path()).await
    };
    let result = result.await;
    let well = result.as_ref().is_ok_and(|(_, verdict)| verdict.failures.is_empty());
    if well {
        return result;
    }
    let kept = data.keep();
    result.with_context(|| format!("everything is kept in {}", kept.display())).inspect(|_| {
        println!("seed {seed}: everything is kept in {}", kept.display());
    })
}

/// Prints how a run went; whether nothing went wrong.
fn told_well(seed: u64, result: &anyhow::Result<(Plan, Verdict)>) -> bool {
    let (plan, verdict) = match result {
        Ok(result) => result,
        Err(error) => {
            println!("seed {seed}: FAILED: {error:#}\n  again: target/debug/chaos --seed {seed} --seeds 1 --verbose");
            return false;
        }
    };
    let Verdict { detailed, reasoned, held_up, doubled, failures } = verdict;
    let faults: Vec<_> = plan.phases.iter().flat_map(|phase| phase.faults()).map(|fault| fault.to_string()).collect();
    let incidents = plan.incidents.len();
    println!(
        "seed {seed}: {incidents} incidents, {detailed} messages with their output, {reasoned} with a reason instead; {}",
        faults.join(", ")
    );
    doubled.iter().for_each(|(why, count)| println!("  {count} came twice: {why}"));
    if *held_up > 0 {
        println!("  {held_up} of checks that the machine held up");
    }
    failures.iter().for_each(|failure| println!("  FAILED: {failure}"));
    failures.is_empty()
}
