//! `make demo`: the whole path of a failing check, step by step, on this machine.
//!
//! Starts the stack of `examples/quickstart/`, and a second cluster for web-ui to show beside it, makes a check go OK → CRITICAL
//! → OK and shows what each part makes of it, the received mail and Slack message included. Then it stays up until Ctrl-C; with `--once` it ends by itself, with 0 only if all
//! of it was seen.

mod steps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Parser;
use e2e::{Part, Ports, Signals, Stack};
use futures_util::future::try_join;
use steps::Show;
use tokio::time::timeout;

/// How long the parts may take to stop before they are killed.
const STOP: Duration = Duration::from_secs(30);

/// The second cluster, and the folder of its data.
const SECOND: &str = "second";

#[derive(Parser)]
#[command(about = "A check fails and recovers; shows what each part makes of it")]
struct Flags {
    /// End after the last step instead of staying up
    #[arg(long)]
    once: bool,
    /// Folder for configs, logs and data; emptied first
    #[arg(long, default_value = ".demo")]
    data: PathBuf,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let runtime = tokio::runtime::Runtime::new().expect("this system gives a process threads and a poller");
    match runtime.block_on(run(&flags)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error:#}\nLogs of every part are in {}.", flags.data.display());
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let data = empty(&flags.data)?;
    let mut show = Show::start();
    // A stack that is dropped while it starts takes its processes with it.
    let mut stacks = tokio::select! {
        started = start(&data) => started?,
        () = signals.any() => bail!("stopped by a signal before anything was seen"),
    };
    let seen = tokio::select! {
        seen = demo(flags, &mut show, &stacks) => seen,
        () = signals.any() => match flags.once {
            true => Err(anyhow!("stopped by a signal before all of it was seen")),
            false => Ok(()),
        },
    };
    println!();
    let stopping = async { try_join(stacks.0.stop_all(), stacks.1.stop_all()).await.map(drop) };
    let stopped = timeout(STOP, stopping).await.unwrap_or_else(|_| Err(anyhow!("not every part stopped in time")));
    seen.and(stopped)?;
    show.step("Every part stopped cleanly; everything that was started has ended.");
    Ok(())
}

/// The stack whose check fails and recovers, and one that is a second cluster: all of its parts but a web-ui, since one shows both.
async fn start(data: &Path) -> anyhow::Result<(Stack, Stack)> {
    let stack = Stack::start(data, Ports::preferred()?).await?;
    let (folder, parts) = (data.join(SECOND), Part::ALL.into_iter().filter(|part| *part != Part::WebUi));
    // Afterwards, so that the ports of the first are taken.
    let second = Stack::start_only(&parts.collect::<Vec<_>>(), &folder, Ports::free()?).await?;
    second.set_demo_check(1, "DEMO WARNING: the second cluster has a trouble of its own")?;
    stack.show_beside(SECOND, &second)?;
    Ok((stack, second))
}

/// The steps; without `--once` it does not end by itself.
async fn demo(flags: &Flags, show: &mut Show, (stack, second): &(Stack, Stack)) -> anyhow::Result<()> {
    steps::all(show, stack).await?;
    if flags.once {
        show.step("All of it was seen.");
        return Ok(());
    }
    let data = stack.data().display();
    println!("\nThe stack stays up; Ctrl-C ends it.\n");
    println!("  web-ui              {}   (alerts, nodes, checks of both clusters: begin here)", stack.url(Part::WebUi));
    println!("  Prometheus          {}", stack.url(Part::Prometheus));
    println!("  Alertmanager        {}   (API; Debian ships it without its pages)", stack.url(Part::Alertmanager));
    println!("  alertmanager-proxy  {}   (the same API, and /metrics)", stack.url(Part::Proxy));
    println!("  checkscript-agent   {}   (the node's checks)", stack.url(Part::Agent));
    println!("  mail, Slack sinks   {}", stack.sinks());
    println!("  second cluster      {}   (its Prometheus)", second.url(Part::Prometheus));
    println!("  configs and logs    {data}");
    println!("\nMake the check fail again: printf '2\\nDEMO CRITICAL: by hand\\n' > {data}/demo-check");
    steps::tell_messages(stack).await
}

/// An empty folder of that name; only one that an earlier demo made is emptied.
fn empty(folder: &PathBuf) -> anyhow::Result<PathBuf> {
    const MARK: &str = "made-by-demo";
    if folder.exists() {
        let ours = folder.join(MARK).exists();
        anyhow::ensure!(ours, "{} exists and was not made by the demo; name another --data", folder.display());
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(folder.join(MARK), "")?;
    folder.canonicalize().context("the folder was just made")
}
