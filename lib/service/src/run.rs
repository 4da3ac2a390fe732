//! The life of a program: logging, runtime, signals, exit code.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::ConfigError;
use crate::flags::LogFlags;
use crate::info::BuildInfo;
use crate::log;

/// Exit code of a program that could not do its work.
const FAILED: u8 = 1;
/// Exit code for flags or configuration that cannot be used; clap's for bad flags is the same.
const BAD_CONFIG: u8 = 2;

/// Which tokio runtime a program runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// One thread: for programs that share a node with its real work.
    CurrentThread,
    /// One worker a core: for programs that serve many.
    MultiThread,
}

/// Runs a program to its end and gives its exit code: 0 after a clean stop, 2 when a [`ConfigError`] is (the root of) what
/// ended it, 1 for every other failure. Failures are printed once to the standard error.
///
/// The token that `program` receives is cancelled by SIGTERM and SIGINT. SIGHUP never ends the program; a
/// [`Server`](crate::Server) with a reload hook takes it as the order to reload.
pub fn run<P, F>(info: BuildInfo, flags: &LogFlags, runtime: Runtime, program: P) -> ExitCode
where
    P: FnOnce(CancellationToken) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    log::init(flags);
    match block_on(info, runtime, program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(info, &error),
    }
}

fn block_on<P, F>(info: BuildInfo, runtime: Runtime, program: P) -> anyhow::Result<()>
where
    P: FnOnce(CancellationToken) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let mut builder = match runtime {
        Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Runtime::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        let signals = Signals::install().context("cannot install signal handlers")?;
        let stop = CancellationToken::new();
        tracing::info!(version = info.version, revision = info.revision, "Starting {} {}", info.name, info.version);
        let mut program = std::pin::pin!(program(stop.clone()));
        let result = tokio::select! {
            ended = &mut program => ended,
            () = signals.stop(&stop) => program.await,
        };
        if result.is_ok() {
            tracing::info!("Stopped {}", info.name);
        }
        result
    });
    // Work on blocking threads (a DNS look-up, a password check) must not hold up an ended program.
    runtime.shutdown_background();
    result
}

fn report(info: BuildInfo, error: &anyhow::Error) -> ExitCode {
    match error.chain().find_map(|cause| cause.downcast_ref::<ConfigError>()) {
        Some(config) => {
            for failure in config.failures() {
                eprintln!("{}: {failure}", info.name);
            }
            ExitCode::from(BAD_CONFIG)
        }
        None => {
            eprintln!("{}: {error:#}", info.name);
            ExitCode::from(FAILED)
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Never read: that a handler exists is what keeps SIGHUP from ending a program without a reload hook.
    _hangup: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to stop and cancels the token.
    async fn stop(mut self, stop: &CancellationToken) {
        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "Stopping: received {name}");
        stop.cancel();
    }
}
