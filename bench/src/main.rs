//! Measures the runner, the agents and the gateway, each beside what it is compared with, the proxy in a storm, web-ui before
//! 20,000 nodes and the rules over 200,000 checks, in one run; and a whole cluster.
//!
//! A bench ([`benches`]) starts the release binaries that stand beside this one and looks at them from outside: through `/proc`, their
//! log, their port. What is compared is measured in turns (A B A B), so that other work on the machine falls on both; of repeats the
//! median counts, and ratios are made within a repeat. A target that is missed is told, and is no failure: machines differ. Those of the soak,
//! the resends and the fleet are failures, since growth is growth on any machine, and what is lost is lost.
//!
//! What was measured can be kept, compared with what was kept, and shown in the documentation ([`commands`]).

mod agent;
mod bare;
mod baseline;
mod benches;
mod commands;
mod compare;
mod dashboard;
mod grid;
mod http;
mod idle;
mod log_lines;
mod nodes;
mod page;
mod pictures;
mod program;
mod prometheus;
mod proxy;
mod pushes;
mod recorded;
mod report;
mod rest;
mod runner;
mod schedulers;
mod sender;
mod serve;
mod server;
mod stats;
mod table;
mod text_nodes;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};

use crate::benches::fleet::FleetSettings;
use crate::commands::Command;
use crate::report::Report;

/// Measures each program beside what it is compared with, and a whole cluster. Prints a table a bench, and writes it as JSON.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,

    /// Benches to run [default: all but soak, resends and fleet, of which a target that is missed is exit status 1]
    benches: Vec<Bench>,

    #[command(flatten)]
    settings: Settings,
}

/// What benches share.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// Where the JSON goes
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,

    /// Where scripts/tools.sh has put libfaketime, scripts/bench-tools.sh mtail and node-exporter
    #[arg(long, value_name = "FOLDER", default_value = "target/tools")]
    tools: PathBuf,

    /// How often a figure is measured; long benches do with less, 3 at most or 1
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    repeats: usize,

    /// Size of the log that the agent has to read
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000_000)]
    log_bytes: u64,

    /// How long the soak and the resends take; at least 3
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    minutes: usize,

    #[command(flatten)]
    fleet: FleetSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Bench {
    Spawn,
    Throughput,
    Lateness,
    Schedulers,
    CatchUp,
    Memory,
    Scrape,
    Storm,
    Pushgateway,
    PushAgent,
    WebUi,
    Rules,
    Soak,
    Resends,
    Fleet,
}

// === impl Bench ===

impl Bench {
    const SHORT: [Self; 12] = [
        Self::Spawn,
        Self::Throughput,
        Self::Lateness,
        Self::Schedulers,
        Self::CatchUp,
        Self::Memory,
        Self::Scrape,
        Self::Storm,
        Self::Pushgateway,
        Self::PushAgent,
        Self::WebUi,
        Self::Rules,
    ];

    fn run(self, settings: &Settings) -> anyhow::Result<Vec<Report>> {
        let report = match self {
            Self::Spawn => benches::spawn::run(settings),
            Self::Throughput => benches::throughput::run(settings),
            Self::Lateness => benches::lateness::run(settings),
            Self::Schedulers => benches::schedulers::run(settings),
            Self::CatchUp => benches::catch_up::run(settings),
            Self::Memory => benches::memory::run(settings),
            Self::Scrape => benches::scrape::run(settings),
            Self::Storm => benches::storm::run(settings),
            Self::Pushgateway => benches::pushgateway::run(settings),
            Self::PushAgent => benches::push_agent::run(settings),
            Self::WebUi => benches::web_ui::run(settings),
            Self::Rules => benches::rules::run(settings),
            Self::Soak => benches::soak::run(settings),
            Self::Resends => benches::resends::run(settings),
            Self::Fleet => return benches::fleet::run(settings),
        };
        Ok(vec![report?])
    }
}

fn main() -> ExitCode {
    let Options { command, benches, settings } = Options::parse();
    let done = match command {
        Some(command) => command.run(),
        None => measure(&benches, &settings),
    };
    // Not the status that says that something became worse.
    done.unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::from(2)
    })
}

fn measure(benches: &[Bench], settings: &Settings) -> anyhow::Result<ExitCode> {
    let benches = if benches.is_empty() { &Bench::SHORT } else { benches };
    // Each connection of a server that plays a part is one.
    service::raise_open_files().context("cannot raise the limit of open files")?;
    std::fs::create_dir_all(&settings.out).with_context(|| format!("cannot make {}", settings.out.display()))?;
    let (versions, mut missed) = (versions::ask(&settings.tools), Vec::new());
    for bench in benches {
        rest::wait()?;
        for report in bench.run(settings).with_context(|| format!("{bench:?}"))? {
            let report = report.with_versions(&versions);
            report.publish(&settings.out)?;
            missed.extend(report.missed().map(|figure| (*bench, figure)));
        }
    }
    let mut failed = false;
    for (bench, figure) in missed {
        eprintln!("missed: {figure}");
        failed |= !Bench::SHORT.contains(&bench);
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
