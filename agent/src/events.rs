//! Everything the agent tells of itself: each event counts and, where somebody should know, logs, once.

mod losses;
mod names;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use check_result::log::InvalidLine;
use check_result::perfdata::MOST_VALUES;
use check_result::{CheckKey, CheckState};
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use self::losses::Losses;
use self::names::Names;
use crate::follow::{Polling, Rotation};
use crate::store::Gone;

type Label = Vec<(&'static str, String)>;

/// The agent's counters and gauges. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Metrics>);

/// What a line can be, the values of the label `kind`.
#[derive(Clone, Copy)]
enum Kind {
    Result,
    Client,
    Other,
    Invalid,
    TooLong,
    Superseded,
    Excluded,
    ForeignClient,
}

const KINDS: [&str; 8] =
    ["result", "client", "other", "invalid", "too_long", "superseded", "excluded", "foreign_client"];

#[derive(Debug, Default)]
struct Metrics {
    lines: LineCounters,
    last_result: Gauge<i64, AtomicI64>,
    checks: Gauge,
    output_bytes: Gauge,
    definition_bytes: Gauge,
    forgotten: Counter,
    losses: Losses,
    rotations: Family<Label, Counter>,
    gaps: Counter,
    siblings_unreadable: Counter,
    readable: Family<Label, Gauge>,
    behind: Family<Label, Gauge>,
    modified: Family<Label, Gauge>,
    watched: Gauge,
    polling: Family<Label, Counter>,
    state_writes: Counter,
    state_failures: Counter,
    state_rebuilds: Counter,
    state_bytes: Gauge,
    state_written: Gauge,
    /// What was said of each log last, so that it is said once.
    told: Mutex<HashMap<PathBuf, Told>>,
    names: Names,
    told_invalid: AtomicBool,
    told_too_long: AtomicBool,
    told_foreign: AtomicBool,
    told_perfdata: AtomicBool,
    told_siblings: AtomicBool,
    told_unwritable: AtomicBool,
}

/// The family, and its counters by [`Kind`]: a look-up for every line would be felt when a long log is read.
#[derive(Debug)]
struct LineCounters {
    family: Family<Label, Counter>,
    kinds: [Counter; KINDS.len()],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Missing,
    Readable,
    Unreadable,
}

// === impl LineCounters ===

impl Default for LineCounters {
    fn default() -> Self {
        let family = Family::<Label, Counter>::default();
        let kinds = KINDS.map(|kind| family.get_or_create_owned(&vec![("kind", kind.to_owned())]));
        Self { family, kinds }
    }
}

// === impl Metrics ===

impl Metrics {
    fn register_state(&self, registry: &mut Registry) {
        registry.register("state_writes", "State files written", self.state_writes.clone());
        let failures = "State files that could not be written";
        registry.register("state_write_failures", failures, self.state_failures.clone());
        let rebuilds = "Starts at which the state was rebuilt from the logs, as there was no good state file";
        registry.register("state_rebuilds", rebuilds, self.state_rebuilds.clone());
        registry.register("state_bytes", "Size of the state file written last", self.state_bytes.clone());
        let written = "When a state file was written last, in epoch seconds";
        registry.register("state_written_timestamp_seconds", written, self.state_written.clone());
    }
}

// === impl Events ===

impl Events {
    /// Events whose counters are in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let events = Self::default();
        let metrics = &events.0;
        let registry = registry.sub_registry_with_prefix("checkscript_agent");
        registry.register("log_lines", "Lines of the check logs by what they were", metrics.lines.family.clone());
        registry.register("log_rotations", "Rotations of check logs by how they were seen", metrics.rotations.clone());
        let readable = "Whether the check log can be read: 1 yes, 0 missing or unreadable";
        registry.register("log_readable", readable, metrics.readable.clone());
        let gaps = "Times that the place up to which a log was read was not found again";
        registry.register("log_gaps", gaps, metrics.gaps.clone());
        let siblings = "Rotated logs that could not be read";
        registry.register("log_siblings_unreadable", siblings, metrics.siblings_unreadable.clone());
        let behind = "Bytes of the check log that are not read in whole lines yet";
        registry.register("log_behind_bytes", behind, metrics.behind.clone());
        let modified = "When the last line read of the check log was written, in epoch seconds";
        registry.register("log_last_line_timestamp_seconds", modified, metrics.modified.clone());
        let watched = "Whether the kernel tells of new lines: 1 inotify, 0 the logs are polled";
        registry.register("log_watched", watched, metrics.watched.clone());
        let polling = "Times that the agent went over to polling the logs, by why it did";
        registry.register("log_polling", polling, metrics.polling.clone());
        metrics.register_state(registry);
        let last_result = "When the newest result was logged, in epoch seconds";
        registry.register("last_result_timestamp_seconds", last_result, metrics.last_result.clone());
        registry.register("checks", "Checks whose state is known", metrics.checks.clone());
        registry.register("output_bytes", "Bytes of output that are kept of all checks", metrics.output_bytes.clone());
        let held = "Bytes of memory that the definitions of all checks take, about";
        registry.register("definition_bytes", held, metrics.definition_bytes.clone());
        let forgotten = "Checks taken for removed after a long time without results";
        registry.register("checks_forgotten", forgotten, metrics.forgotten.clone());
        metrics.losses.register(registry);
        events
    }

    /// Events that no registry shows; for tests of other modules.
    #[cfg(test)]
    pub(crate) fn unregistered() -> Self {
        Self::default()
    }

    /// A result was taken.
    pub fn line_result(&self, logged: Timestamp) {
        self.count_line(Kind::Result);
        self.0.last_result.set(logged.as_second());
    }

    /// A start-up line with the client's attributes was taken.
    pub(crate) fn line_client(&self) {
        self.count_line(Kind::Client);
    }

    /// An event that is no result was passed over.
    pub(crate) fn line_other(&self) {
        self.count_line(Kind::Other);
    }

    /// A line was no event of the log.
    pub(crate) fn line_invalid(&self, reason: &InvalidLine) {
        self.count_line(Kind::Invalid);
        if first(&self.0.told_invalid) {
            tracing::warn!(%reason, "A log line was skipped: {reason}; further ones are only counted");
        }
    }

    /// A line was longer than is read.
    pub(crate) fn line_too_long(&self, limit: usize) {
        self.count_line(Kind::TooLong);
        if first(&self.0.told_too_long) {
            tracing::error!(limit, "A log line of more than {limit} bytes was skipped; further ones are only counted");
        }
    }

    /// A check is taken for removed.
    pub(crate) fn check_forgotten(&self, key: &CheckKey, why: Gone) {
        self.0.forgotten.inc();
        let reason = match why {
            Gone::Silent => "it has no results any more",
            Gone::Undefined => "it has not run since its client was restarted",
        };
        tracing::info!(check = key.check, source = key.source, "Check {} is forgotten: {reason}", key.check);
    }

    /// So many checks are known now, and their outputs and definitions hold so much.
    pub(crate) fn checks_known(&self, count: usize, output_bytes: usize, definition_bytes: usize) {
        self.0.checks.set(count as i64);
        self.0.output_bytes.set(output_bytes as i64);
        self.0.definition_bytes.set(definition_bytes as i64);
    }

    /// A log was looked at.
    pub fn log_read(&self, path: &Path, exists: bool) {
        let now = if exists { Told::Readable } else { Told::Missing };
        if self.tell(path, now) {
            match now {
                Told::Missing => {
                    tracing::info!(path = %path.display(), "Log {} does not exist; waiting for it", path.display())
                }
                _ => tracing::info!(path = %path.display(), "Following log {}", path.display()),
            }
        }
    }

    /// A log could not be read; it is tried again.
    pub(crate) fn log_unreadable(&self, path: &Path, error: &std::io::Error) {
        if self.tell(path, Told::Unreadable) {
            tracing::error!(path = %path.display(), %error, "Cannot read log {}: {error}; trying again", path.display());
        }
    }

    /// A log was rotated.
    pub(crate) fn log_rotated(&self, path: &Path, how: Rotation) {
        let word = match how {
            Rotation::Replaced => "replaced",
            Rotation::Truncated => "truncated",
        };
        self.0.rotations.get_or_create(&vec![("how", word.to_owned())]).inc();
        tracing::debug!(path = %path.display(), "Log {} was {word}", path.display());
    }

    /// A result's check is excluded by flags.
    pub(crate) fn line_excluded(&self) {
        self.count_line(Kind::Excluded);
    }

    /// A result's check belongs to another client.
    pub(crate) fn line_foreign(&self, key: &CheckKey, client: &str, owner: &str) {
        self.count_line(Kind::ForeignClient);
        if first(&self.0.told_foreign) {
            tracing::error!(
                check = key.check,
                client,
                owner,
                "Check {} of client {client} is not exported: client {owner} has one of that name; rename one of them, give it \
                 a `source`, or run an agent for each log; further ones are only counted",
                key.check
            );
        }
    }

    /// These are exported with their performance data. What is not exported of it, `checkscript_perfdata_skipped` counts.
    pub(crate) fn perfdata_skipped(&self, states: &[Arc<CheckState>]) {
        if self.0.told_perfdata.load(Ordering::Relaxed) {
            return;
        }
        let Some(state) = states.iter().find(|state| state.perfdata().skipped > 0) else { return };
        if first(&self.0.told_perfdata) {
            let (check, skipped) = (state.latest().name(), state.perfdata().skipped);
            tracing::warn!(
                check,
                skipped,
                "{skipped} values of check {check}'s performance data are not exported: they cannot be read, are named \
                 twice, or are beyond {MOST_VALUES} values; checkscript_perfdata_skipped counts those of each check"
            );
        }
    }

    /// Where a log was read up to is not among its files any more.
    pub(crate) fn log_gap(&self, path: &Path) {
        self.0.gaps.inc();
        tracing::error!(
            path = %path.display(),
            "Log {} was rotated away since it was read; results between may be lost: keep more rotations",
            path.display()
        );
    }

    /// A rotated log cannot be read.
    pub(crate) fn sibling_unreadable(&self, path: &Path, error: &std::io::Error) {
        self.0.siblings_unreadable.inc();
        if first(&self.0.told_siblings) {
            tracing::warn!(path = %path.display(), %error, "Cannot read rotated log {}: {error}; further ones are only counted", path.display());
        }
    }

    /// So much of a log is unread, and it was written to then.
    pub(crate) fn log_progress(&self, path: &Path, behind: u64, modified: Option<i64>) {
        let label = path_label(path);
        self.0.behind.get_or_create(&label).set(behind as i64);
        if let Some(modified) = modified {
            self.0.modified.get_or_create(&label).set(modified);
        }
    }

    /// The kernel tells of new lines.
    pub(crate) fn watching(&self) {
        self.0.watched.set(1);
    }

    /// The kernel does not tell of new lines (any more): the logs are polled.
    pub(crate) fn polling(&self, why: Polling) {
        self.0.watched.set(0);
        self.0.polling.get_or_create(&vec![("reason", why.label().to_owned())]).inc();
        tracing::warn!(why = why.label(), "Polling the logs: {why}");
    }

    /// A state file was read.
    pub(crate) fn state_loaded(&self, path: &Path, checks: usize) {
        tracing::info!(path = %path.display(), checks, "Going on from state file {} with {checks} checks", path.display());
    }

    /// There is no state file yet.
    pub(crate) fn state_missing(&self, path: &Path) {
        self.0.state_rebuilds.inc();
        tracing::info!(path = %path.display(), "No state file {} yet; the state comes from the logs", path.display());
    }

    /// The state file is damaged, or cannot be read.
    pub(crate) fn state_unusable(&self, path: &Path, error: &dyn std::fmt::Display) {
        self.0.state_rebuilds.inc();
        tracing::error!(path = %path.display(), %error, "State file {} is of no use ({error}); the state is rebuilt from the logs", path.display());
    }

    /// Another agent may use the same state file, and would not be noticed.
    pub(crate) fn state_unlocked(&self, path: &Path, error: &std::io::Error) {
        tracing::warn!(path = %path.display(), %error, "Cannot lock state file {}: {error}; trying again when it is written", path.display());
    }

    /// The state file was written.
    pub(crate) fn state_written(&self, path: &Path, bytes: u64, now: Timestamp) {
        self.0.state_writes.inc();
        self.0.state_bytes.set(bytes as i64);
        self.0.state_written.set(now.as_second());
        if self.0.told_unwritable.swap(false, Ordering::Relaxed) {
            tracing::info!(path = %path.display(), "State file {} can be written again", path.display());
        }
    }

    /// The state file could not be written.
    pub(crate) fn state_unwritable(&self, path: &Path, error: &std::io::Error) {
        self.0.state_failures.inc();
        if first(&self.0.told_unwritable) {
            tracing::error!(path = %path.display(), %error, "Cannot write state file {}: {error}; trying again; a restart reads the logs from the last one written", path.display());
        }
    }

    /// Nothing is said any more of a log.
    fn stop_telling(&self, path: &Path) {
        let label = path_label(path);
        for gauge in [&self.0.readable, &self.0.behind, &self.0.modified] {
            gauge.remove(&label);
        }
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    fn count_line(&self, kind: Kind) {
        self.0.lines.kinds[kind as usize].inc();
    }

    /// Notes the state of a log; true if it is news.
    fn tell(&self, path: &Path, now: Told) -> bool {
        self.0.readable.get_or_create(&path_label(path)).set(i64::from(now == Told::Readable));
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(path.to_owned(), now) != Some(now)
    }
}

fn path_label(path: &Path) -> Label {
    vec![("path", path.display().to_string())]
}

fn first(told: &AtomicBool) -> bool {
    !told.swap(true, Ordering::Relaxed)
}
