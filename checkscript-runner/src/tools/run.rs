//! `run NAME`: one run by hand, by the executor that the scheduler has.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use check_result::log::{Level, write_payload};
use check_result::{CheckResult, Status};
use jiff::Timestamp;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::Format;
use crate::definitions::{Check, Definitions, Sources};
use crate::execute::Executor;
use crate::notice::{Notice, Sink};

/// UNKNOWN, as a check that cannot be run has it.
const UNKNOWN: u8 = 3;
/// A shell's status of a program that a signal ended, without the signal's number.
const SIGNALLED: u8 = 128;
/// How many names of others are suggested, and how like they must be.
const SUGGESTIONS: usize = 5;
const LIKENESS: f64 = 0.75;

/// Exits with the check's status.
pub(super) fn run(sources: &Sources, name: &str, format: Format) -> anyhow::Result<ExitCode> {
    let Some(definitions) = super::valid(sources) else { return Ok(UNKNOWN.into()) };
    let check = match find(&definitions, name) {
        Ok(check) => Arc::clone(check),
        Err(text) => {
            super::complain(&text);
            return Ok(UNKNOWN.into());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the async runtime")?;
    Ok(match runtime.block_on(execute(&definitions, check))? {
        Ending::Result(result) => {
            show(&result, format)?;
            u8::try_from(result.exit_code()).unwrap_or(UNKNOWN)
        }
        Ending::None => UNKNOWN,
        Ending::Stopped(name, number) => {
            super::complain(&format!("stopped by {name}, the check's processes are killed"));
            SIGNALLED + number
        }
    }
    .into())
}

/// The check that runs here under the name, or why there is none.
fn find<'a>(definitions: &'a Definitions, name: &str) -> Result<&'a Arc<Check>, String> {
    let checks = &definitions.checks;
    let named: Vec<_> = checks.iter().filter(|check| check.name == name || check.key == name).collect();
    match (named.as_slice(), named.iter().find(|check| check.key == name)) {
        ([check], _) | (_, Some(check)) => Ok(check),
        ([], _) => Err(not_found(definitions, name)),
        (several, _) => {
            let keys: Vec<_> = several.iter().map(|check| check.key.as_str()).collect();
            Err(format!("there are several checks {name}, say which one: {}", keys.join(", ")))
        }
    }
}

fn not_found(definitions: &Definitions, name: &str) -> String {
    let likeness = |check: &Arc<Check>| strsim::jaro_winkler(&check.name, name);
    let mut close: Vec<_> = definitions.checks.iter().filter(|check| likeness(check) >= LIKENESS).collect();
    close.sort_by(|one, other| likeness(other).total_cmp(&likeness(one)));
    let names: Vec<_> = close.iter().take(SUGGESTIONS).map(|check| check.name.as_str()).collect();
    let hint = match names.as_slice() {
        [] => "`checkscript-runner list` shows which checks do".to_owned(),
        names => format!("did you mean {}?", names.join(", ")),
    };
    format!("no check {name} runs on {}; {hint}", definitions.client.name)
}

/// What came of the run.
enum Ending {
    Result(Box<CheckResult>),
    /// There is no result, for a reason that has been told.
    None,
    /// A signal by its name and number: the check's processes are killed.
    Stopped(&'static str, u8),
}

async fn execute(definitions: &Definitions, check: Arc<Check>) -> anyhow::Result<Ending> {
    let stop = stop_signal().context("cannot listen for signals")?;
    let (results, mut result) = mpsc::channel(1);
    let executor = Executor::new(1, Arc::new(Taker(results)));
    executor.start(&definitions.client, check, Timestamp::now().as_second());
    // The result comes first: a process that not even KILL ends is not waited for.
    tokio::select! {
        biased;
        Some(result) = result.recv() => Ok(Ending::Result(Box::new(result))),
        () = executor.finish() => Ok(Ending::None),
        (name, number) = stop => {
            executor.kill();
            executor.finish().await;
            Ok(Ending::Stopped(name, number))
        }
    }
}

/// The first signal that asks to end. The check's process group is not the terminal's: it has to be told.
fn stop_signal() -> io::Result<impl Future<Output = (&'static str, u8)>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => ("INT", 2),
            _ = terminate.recv() => ("TERM", 15),
            _ = hangup.recv() => ("HUP", 1),
        }
    })
}

/// Hands the result on; everything else is told at once.
struct Taker(mpsc::Sender<CheckResult>);

impl Sink for Taker {
    fn publish(&self, result: &CheckResult) {
        // One run has one result, so there is room; a receiver that has gone does not want it.
        self.0.try_send(result.clone()).ok();
    }

    fn notice(&self, notice: &Notice) {
        if notice.level >= Level::Warn {
            super::complain(&format!("{}: {}", notice.message, Value::Object(notice.fields.clone())));
        }
    }
}

fn show(result: &CheckResult, format: Format) -> anyhow::Result<()> {
    let mut out = Vec::new();
    match format {
        Format::Text => {
            out.extend_from_slice(result.output().as_bytes());
            super::print_raw(&out)?;
            if !out.is_empty() && !out.ends_with(b"\n") && io::stdout().is_terminal() {
                eprintln!();
            }
            super::complain(&summary(result));
        }
        Format::Json => {
            write_payload(&mut out, result);
            out.push(b'\n');
            super::print_raw(&out)?;
        }
    }
    Ok(())
}

fn summary(result: &CheckResult) -> String {
    let word = Status::from_exit_code(result.exit_code()).word();
    let source = result.source().map(|source| format!(" of {source}"));
    let duration = result.duration().map_or_else(|| ", not run".to_owned(), |seconds| format!(" after {seconds:.3} s"));
    format!("{}{} is {word}, exit status {}{duration}", result.name(), source.unwrap_or_default(), result.exit_code())
}
