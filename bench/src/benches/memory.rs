//! What the agent takes when nothing happens: memory with 100 and 1,000 checks whose history is full, and CPU.

use std::time::Duration;

use crate::Settings;
use crate::agent::Agent;
use crate::http::Fetcher;
use crate::log_lines::{Log, LogLines};
use crate::program::{Cpu, pass};
use crate::report::{Figure, Report};

const IDLE: Duration = Duration::from_secs(30);
/// Repeats of so long.
const MOST: usize = 3;
/// Enough for 21 results and 20 older changes of status, with lines that are no results between them.
const RUNS: u64 = 150;
/// More than a line of any kind.
const LINE: u64 = 450;

/// An agent that has read a log with so many checks, and the log.
pub(crate) fn agent_with(checks: u64, settings: &Settings) -> anyhow::Result<(Agent, Log)> {
    let path = settings.out.join(format!("memory-{checks}.log"));
    let log = LogLines { checks, runs_a_status: 3 }.write(path, checks * RUNS * LINE)?;
    let agent = Agent::start(&log.path)?;
    agent.wait_for_lines(&Fetcher::new()?, log.lines)?;
    Ok((agent, log))
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("memory")?.of(&["checkscript-agent"]);
    let runs = (0..settings.repeats.min(MOST)).map(|_| measure(settings));
    report.add_runs(&runs.collect::<anyhow::Result<Vec<_>>>()?);
    Ok(report)
}

/// With agents of its own.
fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let ((small, _log), (large, _large_log)) = (agent_with(100, settings)?, agent_with(1000, settings)?);
    let before = [small.program.cpu()?, large.program.cpu()?];
    pass(IDLE);
    let share =
        |before: Cpu, agent: &Agent| anyhow::Ok(100.0 * (agent.program.cpu()? - before).own / IDLE.as_secs_f64());
    Ok(vec![
        Figure::one("resident, 100 checks", "MiB", small.program.memory()?.resident).at_most(12.0),
        Figure::one("resident, 1,000 checks", "MiB", large.program.memory()?.resident).at_most(40.0),
        // A tick of the processor's clock is a third of what is wanted.
        Figure::one("idle CPU, 100 checks", "% of a core", share(before[0], &small)?).at_most(0.1).or_not(),
        Figure::one("idle CPU, 1,000 checks", "% of a core", share(before[1], &large)?).at_most(0.1).or_not(),
    ])
}
