//! Everything the agent tells of itself: each event counts and, where somebody should know, logs, once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use check_result::CheckKey;
use check_result::log::InvalidLine;
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::follow::Rotation;

type Label = Vec<(&'static str, String)>;

/// The agent's counters and gauges. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Metrics>);

#[derive(Debug, Default)]
struct Metrics {
    lines: Family<Label, Counter>,
    last_result: Gauge<i64, AtomicI64>,
    checks: Gauge,
    dropped: Counter,
    forgotten: Counter,
    rotations: Family<Label, Counter>,
    readable: Family<Label, Gauge>,
    /// What was said of each log last, so that it is said once.
    told: Mutex<HashMap<PathBuf, Told>>,
    told_invalid: AtomicBool,
    told_too_long: AtomicBool,
    told_dropped: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Missing,
    Readable,
    Unreadable,
}

// === impl Events ===

impl Events {
    /// Events whose counters are in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let events = Self::default();
        let metrics = &events.0;
        let registry = registry.sub_registry_with_prefix("checkscript_agent");
        registry.register("log_lines", "Lines of the check logs by what they were", metrics.lines.clone());
        registry.register("log_rotations", "Rotations of check logs by how they were seen", metrics.rotations.clone());
        let readable = "Whether the check log can be read: 1 yes, 0 missing or unreadable";
        registry.register("log_readable", readable, metrics.readable.clone());
        let last_result = "When the newest result was logged, in epoch seconds";
        registry.register("last_result_timestamp_seconds", last_result, metrics.last_result.clone());
        registry.register("checks", "Checks whose state is known", metrics.checks.clone());
        let dropped = "Results dropped because too many checks are known";
        registry.register("results_dropped", dropped, metrics.dropped.clone());
        let forgotten = "Checks taken for removed after a long time without results";
        registry.register("checks_forgotten", forgotten, metrics.forgotten.clone());
        events
    }

    /// Events that no registry shows; for tests of other modules.
    #[cfg(test)]
    pub(crate) fn unregistered() -> Self {
        Self::default()
    }

    /// A result was taken.
    pub(crate) fn line_result(&self, logged: Timestamp) {
        self.count_line("result");
        self.0.last_result.set(logged.as_second());
    }

    /// A start-up line with the client's attributes was taken.
    pub(crate) fn line_client(&self) {
        self.count_line("client");
    }

    /// An event that is no result was passed over.
    pub(crate) fn line_other(&self) {
        self.count_line("other");
    }

    /// A line was no event of the log.
    pub(crate) fn line_invalid(&self, reason: &InvalidLine) {
        self.count_line("invalid");
        if first(&self.0.told_invalid) {
            tracing::warn!(%reason, "A log line was skipped: {reason}; further ones are only counted");
        }
    }

    /// A line was longer than is read.
    pub(crate) fn line_too_long(&self, limit: usize) {
        self.count_line("too_long");
        if first(&self.0.told_too_long) {
            tracing::error!(limit, "A log line of more than {limit} bytes was skipped; further ones are only counted");
        }
    }

    /// A result of a new check was dropped.
    pub(crate) fn check_over_limit(&self, key: &CheckKey, limit: usize) {
        self.0.dropped.inc();
        if first(&self.0.told_dropped) {
            tracing::error!(
                check = key.check,
                limit,
                "Check {} is not exported: {limit} checks are known already; raise --check.limit",
                key.check
            );
        }
    }

    /// A check had no result for so long that it is taken for removed.
    pub(crate) fn check_forgotten(&self, key: &CheckKey) {
        self.0.forgotten.inc();
        tracing::info!(
            check = key.check,
            source = key.source,
            "Check {} is forgotten: it has no results any more",
            key.check
        );
    }

    /// So many checks are known now.
    pub(crate) fn checks_known(&self, count: usize) {
        self.0.checks.set(count as i64);
    }

    /// A log was looked at.
    pub(crate) fn log_read(&self, path: &Path, exists: bool) {
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

    fn count_line(&self, what: &str) {
        self.0.lines.get_or_create(&vec![("kind", what.to_owned())]).inc();
    }

    /// Notes the state of a log; true if it is news.
    fn tell(&self, path: &Path, now: Told) -> bool {
        let label = vec![("path", path.display().to_string())];
        self.0.readable.get_or_create(&label).set(i64::from(now == Told::Readable));
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(path.to_owned(), now) != Some(now)
    }
}

fn first(told: &AtomicBool) -> bool {
    !told.swap(true, Ordering::Relaxed)
}
