//! What is told of logs by their names, once of each.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Events, Kind};

/// So many names are told of at most, each event by itself.
const MAX: usize = 1000;

/// The names that were told of.
#[derive(Debug, Default)]
pub(super) struct Names {
    same: Once,
    passed_over: Once,
    superseded: Once,
}

#[derive(Debug, Default)]
struct Once(Mutex<HashSet<PathBuf>>);

// === impl Once ===

impl Once {
    fn is_first(&self, path: &Path) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !told.contains(path) && told.len() < MAX && told.insert(path.to_owned())
    }
}

// === impl Events ===

impl Events {
    /// A log that a glob had found has been missing for a while.
    pub(crate) fn log_gone(&self, path: &Path) {
        self.stop_telling(path);
        tracing::info!(path = %path.display(), "Log {} was deleted", path.display());
    }

    /// A file that a glob finds is a rotated file of another log, and read with that.
    pub(crate) fn log_passed_over(&self, path: &Path, by: &Path) {
        if self.0.names.passed_over.is_first(path) {
            tracing::info!(
                path = %path.display(),
                log = %by.display(),
                "File {} is read with log {}, of which it is a rotated file by its name; name it itself if it is not",
                path.display(),
                by.display()
            );
        }
    }

    /// So is one that was followed by itself so far.
    pub(crate) fn log_taken(&self, path: &Path, by: &Path) {
        self.stop_telling(path);
        self.log_passed_over(path, by);
    }

    /// A log is the same file as another one that is followed.
    pub(crate) fn log_same(&self, path: &Path, followed: &Path) {
        self.stop_telling(path);
        if self.0.names.same.is_first(path) {
            tracing::warn!(
                path = %path.display(),
                "Log {} is not followed: it is the same file as {}, which is",
                path.display(),
                followed.display()
            );
        }
    }

    /// A result of `log` is not newer than what is known from another log, or from before a gap.
    pub(crate) fn line_superseded(&self, log: &Path) {
        self.count_line(Kind::Superseded);
        if self.0.names.superseded.is_first(log) {
            tracing::info!(
                path = %log.display(),
                "A result in log {} was passed over: one of the same check that is as new was read before, in another \
                 log or before a gap; further ones are only counted",
                log.display()
            );
        }
    }
}
