//! Every notice of the running runner, in sensu-client's words where it has them.

pub(crate) mod sockets;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use check_result::log::Level;
use check_result::{InvalidResult, Object};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::definitions::Check;
use crate::execute::slots::Waited;
use crate::logger::{Lost, Status};
use crate::notice::Notice;

pub(crate) fn scheduling() -> Notice {
    Notice::new(Level::Debug, "scheduling standalone checks")
}

/// A run is asked for.
pub(crate) fn processing(check: &Check, issued: i64) -> Notice {
    Notice::new(Level::Debug, "processing check").with("check", with_issued(check, issued))
}

/// The run begins, unless the previous one is under way.
pub(crate) fn executing(check: &Check, issued: i64) -> Notice {
    Notice::new(Level::Debug, "attempting to execute check command").with("check", with_issued(check, issued))
}

/// `check` is what the check's own run has brought.
pub(crate) fn executing_hook(check: &Object) -> Notice {
    Notice::new(Level::Debug, "attempting to execute check hook").with("check", check.clone())
}

/// A slot has come while the check's previous run is under way; the slot is dropped.
pub(crate) fn in_progress(check: &Check, issued: i64) -> Notice {
    Notice::new(Level::Warn, "previous check command execution in progress").with("check", with_issued(check, issued))
}

/// A slot has come while the check's previous run has not even started; the slot is dropped.
pub(crate) fn waiting(check: &Check, issued: i64) -> Notice {
    Notice::new(Level::Warn, "previous check command execution is waiting for a free slot")
        .with("check", with_issued(check, issued))
}

fn with_issued(check: &Check, issued: i64) -> Object {
    let mut definition = check.definition.clone();
    definition.entry("issued").or_insert(issued.into());
    definition
}

/// A slot has come in one of the windows in which the check is not to run.
pub(crate) fn subdued(check: &Check) -> Notice {
    Notice::new(Level::Info, "check execution was subdued").with("check", check.definition.clone())
}

/// Runs had to wait, or do, because as many processes run as the limit allows. The waits are not part of the results'
/// `duration`.
pub(crate) fn waited(waited: Waited) -> Notice {
    let seconds = |duration: Duration| (duration.as_secs_f64() * 1000.0).round() / 1000.0;
    Notice::new(Level::Info, "check executions waited for a free slot, sensu.spawn.limit processes were running")
        .with("executions", waited.runs)
        .with("waiting", waited.waiting)
        .with("seconds", seconds(waited.total))
        .with("longest", seconds(waited.longest))
}

/// The process was stopped, or the clock set, over more than one slot of these checks.
pub(crate) fn missed(checks: &[Arc<Check>]) -> Notice {
    let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
    Notice::new(Level::Warn, "check executions were missed, the process did not run or the clock was set")
        .with("checks", names)
}

/// A crash has left a run of this check.
pub(crate) fn left_running(key: &str, pid: i32, since: Timestamp) -> Notice {
    Notice::new(Level::Warn, "check execution from before a crash is still running, ending it")
        .with("check", key)
        .with("pid", pid)
        .with("since", since.as_second())
}

/// Neither TERM nor KILL has ended what a crash has left.
pub(crate) fn cannot_be_ended(key: &str, processes: &str) -> Notice {
    Notice::new(
        Level::Error,
        "check execution from before a crash cannot be ended, the check does not run until it has",
    )
    .with("check", key)
    .with("processes", processes)
}

/// From now on a crash may leave runs that nobody knows of.
pub(crate) fn unrecorded(error: &std::io::Error) -> Notice {
    Notice::new(Level::Warn, "running checks cannot be recorded, a crash would leave them unnoticed")
        .with("error", error.to_string())
}

/// The same from the start.
pub(crate) fn no_record(record: &Path, error: &std::io::Error) -> Notice {
    unrecorded(error).with("record", record.to_string_lossy())
}

pub(crate) fn unpublishable(name: Value, error: &InvalidResult) -> Notice {
    Notice::new(Level::Error, "failed to publish check result").with("check", name).with("error", error.to_string())
}

pub(crate) fn configuring_spawn(limit: usize) -> Notice {
    Notice::new(Level::Info, "configuring sensu spawn").with("settings", json!({"limit": limit}))
}

pub(crate) fn extension_directory(directory: &Path) -> Notice {
    Notice::new(Level::Warn, "extensions are not supported, ignoring extension directory")
        .with("directory", directory.to_string_lossy())
}

pub(crate) fn loaded_files_not_written(error: &std::io::Error) -> Notice {
    Notice::new(Level::Warn, "failed to write the list of loaded files, checks do not get SENSU_LOADED_TEMPFILE")
        .with("error", error.to_string())
}

/// Processes of a check are left that cannot be killed, and there is no result to say so.
pub(crate) fn left_behind(name: Value, processes: &str) -> Notice {
    Notice::new(Level::Error, "processes of a check could not be killed")
        .with("check", name)
        .with("processes", processes)
}

pub(crate) fn orphans_not_adopted(error: &std::io::Error) -> Notice {
    Notice::new(Level::Warn, "failed to become the parent of orphans, checks that daemonise are followed less far")
        .with("error", error.to_string())
}

pub(crate) fn printing_settings() -> Notice {
    Notice::new(Level::Warn, "outputting compiled configuration and exiting")
}

pub(crate) fn not_running() -> Notice {
    Notice::new(Level::Fatal, "SENSU NOT RUNNING!")
}

pub(crate) fn pid_file(file: &Path, error: &std::io::Error) -> Notice {
    Notice::new(Level::Fatal, "could not write to pid file")
        .with("pid_file", file.to_string_lossy())
        .with("error", error.to_string())
}

/// It holds the record of what is under way, and runs the same checks.
pub(crate) fn already_running(record: &Path) -> Notice {
    Notice::new(
        Level::Fatal,
        "another runner uses the same pid file or log, stop it or give this one a pid file and log of its own",
    )
    .with("record", record.to_string_lossy())
}

pub(crate) fn received_signal(name: &str) -> Notice {
    Notice::new(Level::Warn, "received signal").with("signal", name)
}

pub(crate) fn reloading() -> Notice {
    Notice::new(Level::Warn, "reloading configuration")
}

pub(crate) fn reloaded(checks: usize) -> Notice {
    Notice::new(Level::Warn, "reloaded configuration").with("checks", checks)
}

pub(crate) fn reload_failed() -> Notice {
    Notice::new(Level::Error, "failed to reload configuration, the previous one stays in use")
}

/// What no input may bring about.
pub(crate) fn scheduler_ended() -> Notice {
    Notice::new(Level::Fatal, "the scheduler has ended unexpectedly, exiting")
}

/// Nobody can read it in the log; it is for standard error.
pub(crate) fn log_ended() -> Notice {
    Notice::new(Level::Fatal, "the log's thread has ended unexpectedly, exiting")
}

pub(crate) fn stopping() -> Notice {
    Notice::new(Level::Warn, "stopping")
}

pub(crate) fn completing(keys: &[String]) -> Notice {
    Notice::new(Level::Info, "completing checks in progress").with("checks_in_progress", keys.to_vec())
}

/// The grace period is over, or a second signal has come: these checks have no result.
pub(crate) fn killing(keys: &[String]) -> Notice {
    Notice::new(Level::Error, "killing checks in progress").with("checks_in_progress", keys.to_vec())
}

pub(crate) fn closing_sockets() -> Notice {
    Notice::new(Level::Info, "closing client sockets")
}

pub(crate) fn stopped() -> Notice {
    Notice::new(Level::Warn, "stopping reactor")
}

pub(crate) fn log_not_writable(file: &Path, error: &std::io::Error) -> Notice {
    Notice::new(Level::Error, "log file is not writable")
        .with("log_file", file.to_string_lossy())
        .with("error", error.to_string())
}

/// The log file that could not be opened is in use now; so many lines have gone to standard output or into the file of
/// before.
pub(crate) fn log_opened(file: &Path, lines: u64) -> Notice {
    Notice::new(Level::Warn, "log file is in use, earlier lines went elsewhere")
        .with("log_file", file.to_string_lossy())
        .with("lines", lines)
}

/// What an operator gets who asks with `TRAP`.
pub(crate) fn log_status(status: &Status) -> Notice {
    Notice::new(Level::Debug, "log status")
        .with("stream", status.stream.word())
        .with("log_file", status.file.as_deref().map(|file| file.to_string_lossy().into_owned()))
        .with("error", status.error.as_deref())
        .with("lines_lost", status.lost.lines)
        .with("results_lost", status.lost.results)
}

pub(crate) fn log_not_rotated(file: &Path, error: &std::io::Error) -> Notice {
    Notice::new(Level::Error, "log file cannot be rotated, it goes on growing")
        .with("log_file", file.to_string_lossy())
        .with("error", error.to_string())
}

/// Lines fell over the bound of the buffer while the log could not be written.
pub(crate) fn lines_lost(lost: Lost) -> Notice {
    Notice::new(Level::Error, "log lines were lost while the log could not be written")
        .with("lines", lost.lines)
        .with("results", lost.results)
}

pub(crate) fn manager_not_told(error: &std::io::Error) -> Notice {
    Notice::new(Level::Warn, "failed to notify the service manager").with("error", error.to_string())
}
