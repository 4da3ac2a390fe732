//! pushgateway-agent before pushgateway-ex, beside checkscript-runner with the same checks: what pushing costs, and what happens to results while the
//! gateway is away.
//!
//! Of each check the newest result waits. So the gateway is away until each of the results that wait has been replaced once: longer makes the queue
//! no larger. How many are drained a second is counted from the first push that the gateway takes when it is back; until then the agent waits for up to
//! a minute, which is no part of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Settings;
use crate::http::Fetcher;
use crate::program::{beside, ending_with_us, pass};
use crate::pushes::{Gateway, Pusher};
use crate::report::{Figure, Report};
use crate::runner::{Runner, every};
use crate::server::{Patience, free_address, ready, sum};

/// 300 results a second.
const CHECKS: usize = 3_000;
const INTERVAL: u64 = 10;
/// As long as what a check of a disk says.
const COMMAND: &str =
    "echo 'OK: 17% of /srv used, 83% left, inodes 4% | used=17%;80;90;0;100 inodes=4%;80;90;0;100'; exit 0";
const MOST: usize = 3;
/// Each check has run once after it.
const SETTLING: Duration = Duration::from_secs(INTERVAL + 2);
const COUNTED: Duration = Duration::from_secs(INTERVAL);
/// Looks at a queue, which is drained in some tenths of a second; for twice the longest wait between two tries of the agent.
const PATIENCE: Patience = Patience { look: Duration::from_millis(2), most: Duration::from_secs(120) };
/// Fewer wait than come while results are gathered: nothing is left of what waited.
const DRAINED: f64 = (CHECKS as u64 / INTERVAL) as f64;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("push-agent")?.of(&["checkscript-runner", "pushgateway-agent", "pushgateway-ex"]);
    let runs = (0..settings.repeats.min(MOST)).map(|_| measure(settings));
    report.add_runs(&runs.collect::<anyhow::Result<Vec<_>>>()?);
    Ok(report)
}

fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let runner = Runner::start(every(INTERVAL, CHECKS, COMMAND))?;
    pass(SETTLING);
    let (alone, alone_resident) = (cpu_of_1000(&runner)?, runner.program.memory()?.resident);
    runner.program.stop()?;
    let mut pushing = Pushing::start(settings)?;
    PATIENCE.until("each check has been pushed", || Ok(pushing.metric("results_pushed_total")? >= CHECKS as f64))?;
    let (before, pushed) = (pushing.gateway_cpu()?, pushing.metric("results_pushed_total")?);
    let own = cpu_of_1000(&pushing.agent)?;
    let (after, pushed) = (pushing.gateway_cpu()?, pushing.metric("results_pushed_total")? - pushed);
    let gateway = (after - before) * 1000.0 / pushed;
    let resident = pushing.agent.program.memory()?.resident;
    let (kilobytes, away_resident) = pushing.take_gateway_away()?;
    let (waited, drained) = pushing.bring_gateway_back()?;
    let figure = |name: &str, unit, value| Figure::one(name, unit, value);
    let lost = pushing.metric("results_dropped_total")?;
    pushing.stop()?;
    Ok(vec![
        Figure::given("checks", "", CHECKS as f64),
        Figure::given("interval", "s", INTERVAL as f64),
        figure("checkscript-runner, CPU of 1,000 results", "s", alone),
        figure("pushgateway-agent, CPU of 1,000 results", "s", own).lower(),
        figure("pushgateway-agent to checkscript-runner", "x", own / alone).ratio().lower(),
        figure("pushgateway-ex, CPU of 1,000 results", "s", gateway).lower(),
        figure("checkscript-runner, resident", "MiB", alone_resident),
        figure("pushgateway-agent, resident", "MiB", resident).lower(),
        figure("gateway away: queue on the disk, for each 1,000 results", "kB", kilobytes).lower(),
        figure("gateway away: pushgateway-agent, resident", "MiB", away_resident).lower(),
        figure("gateway back: until the agent tries again", "s", waited),
        figure("gateway back: results drained", "/s", drained).higher(),
        figure("results that the agent dropped", "", lost).at_most(0.0).or_not(),
    ])
}

/// Seconds of CPU of the program itself for 1,000 results.
fn cpu_of_1000(runner: &Runner) -> anyhow::Result<f64> {
    let from = runner.mark()?;
    pass(COUNTED);
    let to = runner.mark()?;
    let results = runner.logged(from, to)?.runs.len();
    anyhow::ensure!(results > 0, "there was no result in {} s", COUNTED.as_secs());
    Ok((to.cpu - from.cpu).own * 1000.0 / results as f64)
}

/// An agent that pushes, and its gateway.
struct Pushing {
    agent: Runner,
    /// Of its metrics.
    base: String,
    fetcher: Fetcher,
    pusher: Pusher,
    address: String,
    /// None while it is away.
    gateway: Option<Gateway>,
    folder: TempDir,
}

// === impl Pushing ===

impl Pushing {
    fn start(settings: &Settings) -> anyhow::Result<Self> {
        // Queue and store are on a disk; what is below /tmp may be memory.
        let folder = tempfile::tempdir_in(&settings.out)?;
        let (fetcher, pusher) = (Fetcher::new()?, Pusher::new()?);
        let (address, own) = (free_address()?, free_address()?);
        let gateway = Gateway::ours_at(&address, Some(&folder.path().join("store")), &[], &pusher)?;
        let mut command = ending_with_us(beside("pushgateway-agent")?);
        command.arg(format!("--push.gateway={}", gateway.base)).arg(format!("--web.listen-address={own}"));
        command.arg(format!("--push.queue.file={}", queue(&folder).display()));
        let agent = Runner::start_as(command, every(INTERVAL, CHECKS, COMMAND))?;
        let base = ready(&own, &fetcher)?;
        Ok(Self { agent, base, fetcher, pusher, address, gateway: Some(gateway), folder })
    }

    /// The sum of a family of the agent's.
    fn metric(&self, family: &str) -> anyhow::Result<f64> {
        sum(&self.fetcher, &self.base, &format!("pushgateway_agent_{family}"), "")
    }

    /// Seconds so far.
    fn gateway_cpu(&self) -> anyhow::Result<f64> {
        self.gateway.as_ref().map_or(Ok(0.0), |gateway| Ok(gateway.program.cpu()?.own))
    }

    /// Stops it until each result that waits has been replaced; the kilobytes of the queue's file for 1,000 results, and the agent's MiB resident.
    fn take_gateway_away(&mut self) -> anyhow::Result<(f64, f64)> {
        self.gateway.take().map_or(Ok(()), Gateway::stop)?;
        let replaced = self.metric("results_superseded_total")?;
        PATIENCE.until("all results wait, and have been replaced", || {
            Ok(self.metric("results_superseded_total")? - replaced >= CHECKS as f64)
        })?;
        let waiting = self.metric("results_pending")?;
        let size = std::fs::metadata(queue(&self.folder))?.len();
        Ok((size as f64 / waiting, self.agent.program.memory()?.resident))
    }

    /// Starts it again; the seconds until the agent tries, and how many results a second it is given then.
    fn bring_gateway_back(&mut self) -> anyhow::Result<(f64, f64)> {
        let before = self.metric("results_pushed_total")?;
        let store = self.folder.path().join("store");
        self.gateway = Some(Gateway::ours_at(&self.address, Some(&store), &[], &self.pusher)?);
        let back = Instant::now();
        PATIENCE.until("the agent pushes again", || Ok(self.metric("results_pushed_total")? > before))?;
        let (began, first) = (Instant::now(), self.metric("results_pushed_total")?);
        PATIENCE.until("nothing waits", || Ok(self.metric("results_pending")? < DRAINED))?;
        let drained = self.metric("results_pushed_total")? - first;
        Ok(((began - back).as_secs_f64(), drained / began.elapsed().as_secs_f64()))
    }

    fn stop(self) -> anyhow::Result<()> {
        self.agent.program.stop()?;
        self.gateway.map_or(Ok(()), Gateway::stop)
    }
}

fn queue(folder: &TempDir) -> PathBuf {
    folder.path().join("queue")
}
