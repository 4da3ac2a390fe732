//! `run NAME`: one run by hand, by the executor that the scheduler has.

use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use check_result::log::{Level, write_payload};
use check_result::{CheckResult, Object, Status};
use jiff::Timestamp;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::Format;
use crate::console::{complain, print_raw};
use crate::definitions::{Check, Definitions, LOADED_FILES_VARIABLE, Sources, Tree, load_tree, write_loaded_files_in};
use crate::execute::Executor;
use crate::notice::{Notice, Sink};

/// UNKNOWN, as a check that cannot be run has it.
const UNKNOWN: u8 = 3;
/// A shell's status of a program that a signal ended, without the signal's number.
const SIGNALLED: u8 = 128;
/// How many names of others are suggested, and how like they must be.
const SUGGESTIONS: usize = 5;
const LIKENESS: f64 = 0.75;

/// Exits with the check's status; whatever keeps it from being known is UNKNOWN too.
pub(super) fn run(sources: &Sources, name: &str, format: Format) -> ExitCode {
    let status = status(sources, name, format).unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        UNKNOWN
    });
    status.into()
}

fn status(sources: &Sources, name: &str, format: Format) -> anyhow::Result<u8> {
    let (loaded, tree) = load_tree(sources);
    let Some(definitions) = super::valid(loaded.definitions) else { return Ok(UNKNOWN) };
    let check = match find(&definitions, &tree, name) {
        Ok(check) => check,
        Err(text) => {
            complain(&text);
            return Ok(UNKNOWN);
        }
    };
    if check.subdue.as_ref().is_some_and(|subdue| subdue.covers(Timestamp::now())) {
        complain(&format!("{} is subdued now, its schedule would leave this run out", check.name));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the async runtime")?;
    Ok(match runtime.block_on(execute(&definitions, check, &loaded.files))? {
        Ending::Result(result) => {
            show(&result, format)?;
            u8::try_from(result.exit_code()).unwrap_or(UNKNOWN)
        }
        Ending::None => UNKNOWN,
        Ending::Stopped(name, number) => {
            complain(&format!("stopped by {name}, the check's processes are killed"));
            SIGNALLED + number
        }
    })
}

/// The check that runs here under the name, or why there is none. Results may call several alike; the keys that their
/// definitions stand under tell them apart.
fn find(definitions: &Definitions, tree: &Tree, name: &str) -> Result<Arc<Check>, String> {
    let by = |is: &dyn Fn(&Check) -> bool| definitions.checks.iter().filter(|check| is(check)).collect::<Vec<_>>();
    let exact = by(&|check| check.key == name);
    let named = if exact.is_empty() { by(&|check| check.name == name) } else { exact };
    if let [check] = named.as_slice() {
        return Ok(Arc::clone(check));
    }
    match tree.check(name) {
        Some(check) => Ok(Arc::new(check)),
        None if named.is_empty() => Err(not_found(definitions, tree, name)),
        None => {
            let is_meant = |key: &&String| tree.check(key).is_some_and(|check| named.iter().any(|one| ***one == check));
            let keys: Vec<_> =
                tree.object("checks").into_iter().flat_map(Object::keys).filter(is_meant).map(String::as_str).collect();
            Err(format!("there are several checks {name}, say which one: {}", keys.join(", ")))
        }
    }
}

fn not_found(definitions: &Definitions, tree: &Tree, name: &str) -> String {
    if let Some(definition) = tree.object("checks").and_then(|checks| checks.get(name)?.as_object()) {
        let reason = super::why_not_run(definition, tree.absence(definition)).unwrap_or_default();
        return format!("check {name} does not run on {}: {reason}", definitions.client.name);
    }
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

async fn execute(definitions: &Definitions, check: Arc<Check>, files: &[PathBuf]) -> anyhow::Result<Ending> {
    let stop = stop_signal().context("cannot listen for signals")?;
    let (results, mut result) = mpsc::channel(1);
    let executor = Executor::new(1, Arc::new(Taker(results)));
    if let Err(error) = executor.adopt_orphans() {
        complain(&format!("what the check leaves behind is not followed: {error}"));
    }
    let list = FileList::new(files).context("cannot write the list of loaded files")?;
    executor.export(LOADED_FILES_VARIABLE, &list.file);
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

/// The list of loaded files that a command finds by its environment, in a directory of its own: the usual one may be the
/// running runner's. Gone when dropped.
struct FileList {
    directory: PathBuf,
    file: PathBuf,
}

// === impl FileList ===

impl FileList {
    fn new(files: &[PathBuf]) -> io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("checkscript-runner.{}", std::process::id()));
        // It must be new: the name is no secret, and the directory for temporary files is everyone's.
        DirBuilder::new().mode(0o755).create(&directory)?;
        let file = write_loaded_files_in(&directory, files)?;
        Ok(Self { directory, file })
    }
}

impl Drop for FileList {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
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
            complain(&notice.to_string());
        }
    }
}

fn show(result: &CheckResult, format: Format) -> anyhow::Result<()> {
    let mut out = Vec::new();
    match format {
        Format::Text => {
            out.extend_from_slice(result.output().as_bytes());
            print_raw(&out)?;
            if !out.is_empty() && !out.ends_with(b"\n") && io::stdout().is_terminal() {
                io::stderr().write_all(b"\n").ok();
            }
            hook(result).iter().for_each(|line| complain(line));
            complain(&summary(result));
        }
        Format::Json => {
            write_payload(&mut out, result);
            out.push(b'\n');
            print_raw(&out)?;
        }
    }
    Ok(())
}

/// What the hook said, if one ran.
fn hook(result: &CheckResult) -> Vec<String> {
    let mut hooks = result.check().get("hooks").and_then(Value::as_object).into_iter().flatten();
    let Some((key, hook)) = hooks.find(|(_, hook)| hook.get("executed").is_some()) else { return Vec::new() };
    let output = hook.get("output").and_then(Value::as_str).unwrap_or_default();
    let lines = output.lines().map(|line| format!("hook {key}: {line}"));
    lines.chain([format!("hook {key}: exit status {}", hook["status"])]).collect()
}

fn summary(result: &CheckResult) -> String {
    let word = Status::from_exit_code(result.exit_code()).word();
    let source = result.source().map(|source| format!(" of {source}"));
    let duration = result.duration().map_or_else(|| ", not run".to_owned(), |seconds| format!(" after {seconds:.3} s"));
    let mapped = result.check().get("exit_status").filter(|_| result.is_mapped());
    let mapped = mapped.map(|own| format!(" (mapped from {own})")).unwrap_or_default();
    let (name, source, status) = (result.name(), source.unwrap_or_default(), result.exit_code());
    format!("{name}{source} is {word}, exit status {status}{mapped}{duration}")
}
