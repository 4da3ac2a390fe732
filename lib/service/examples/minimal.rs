//! The smallest server: what a program gets from this library with nothing of its own but one route and a configuration
//! file. The integration tests run it to see what only a process shows: exit codes, signals, systemd.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::{get, post};
use clap::Parser;
use service::{BuildInfo, ConfigError, Landing, Runtime, Server};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Parser)]
#[command(name = "minimal", version, about = "Answers one question")]
struct Flags {
    #[command(flatten)]
    web: service::WebFlags<9799>,

    #[command(flatten)]
    log: service::LogFlags,

    /// File with the answer
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: PathBuf,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let log = flags.log;
    service::run(info(), &log, Runtime::CurrentThread, |stop| serve(flags, stop))
}

/// A program with a package of its own says just `service::build_info!()`.
fn info() -> BuildInfo {
    BuildInfo { name: "minimal", ..service::build_info!() }
}

async fn serve(flags: Flags, stop: CancellationToken) -> anyhow::Result<()> {
    let file = flags.config_file;
    load(file.clone()).await?;
    let stuck = Arc::new(AtomicBool::new(false));
    let stick = {
        let stuck = Arc::clone(&stuck);
        async move || stuck.store(true, Ordering::Relaxed)
    };
    let server = Server::new(info(), &flags.web)?
        .routes(Router::new().route("/answer", get(async || "42\n")).route("/stick", post(stick)))
        .liveness(move || if stuck.load(Ordering::Relaxed) { Err("the work is stuck".to_owned()) } else { Ok(()) })
        .landing(Landing::new("Minimal", "Answers one question").link("/answer", "The answer"))
        .on_reload(move || load(file.clone()));
    server.run(stop).await
}

async fn load(file: PathBuf) -> anyhow::Result<()> {
    let text = tokio::fs::read_to_string(&file)
        .await
        .map_err(|error| ConfigError::new(format_args!("{}: cannot read the file: {error}", file.display())))?;
    let wrong: Vec<_> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| *line != "answer: 42")
        .map(|(at, line)| format!("{}:{}: `{line}` is not `answer: 42`", file.display(), at + 1))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(ConfigError::all(wrong).into()) }
}
