//! `make demo`: the whole path of a failing check, step by step, on this machine.
//!
//! Starts the stack of `examples/quickstart/`, makes a check go OK → CRITICAL → OK and shows what each part makes of it, the
//! received mail and Slack message included. Then it stays up until Ctrl-C; with `--once` it ends by itself, with 0 only if all
//! of it was seen.

mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use e2e::{Part, Ports, Stack};
use tokio::signal::unix::{SignalKind, signal};

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
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // Whatever ends first; the stack is dropped with its future, and with it every process.
    tokio::select! {
        ended = demo(flags) => ended,
        _ = interrupt.recv() => stopped(),
        _ = terminate.recv() => stopped(),
    }
}

fn stopped() -> anyhow::Result<()> {
    println!("\nStopped; everything that was started has ended.");
    Ok(())
}

async fn demo(flags: &Flags) -> anyhow::Result<()> {
    let data = empty(&flags.data)?;
    let mut show = steps::Show::start();
    let mut stack = Stack::start(&data, Ports::preferred()?).await?;
    steps::all(&mut show, &stack).await?;
    if flags.once {
        stack.stop_all().await?;
        show.step("Every part stopped cleanly. All of it was seen.");
        return Ok(());
    }
    println!("\nThe stack stays up; Ctrl-C ends it.\n");
    println!("  Prometheus          {}", stack.url(Part::Prometheus));
    println!("  Alertmanager        {}   (API; Debian ships it without its pages)", stack.url(Part::Alertmanager));
    println!("  alertmanager-proxy  {}   (the same API, and /metrics)", stack.url(Part::Proxy));
    println!("  checkscript-agent   {}   (checks: /api/v1/checks)", stack.url(Part::Agent));
    println!("  configs and logs    {}", data.display());
    println!(
        "\nMake the check fail again: printf '2\\nDEMO CRITICAL: by hand\\n' > {}",
        data.join("demo-check").display()
    );
    steps::tell_messages(&stack).await;
    Ok(())
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
