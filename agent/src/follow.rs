//! Following the logs: new lines, in order, each once, through rotations.
//!
//! A [`Follower`] owns a set of patterns (paths or globs) and looks at all their files when it is asked to; it knows no
//! clock and no thread. `file` follows one name through rotation by rename, delete and copytruncate, `lines` cuts bytes into
//! lines of bounded length.

mod file;
mod lines;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use file::Rotation;

use crate::events::Events;
use file::LogFile;
use lines::Piece;

/// A path or a glob that says which logs to follow.
#[derive(Clone, Debug)]
pub struct LogPattern(String);

/// A pattern that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is no file or glob: {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: String,
}

/// Follows every log that its patterns name.
#[derive(Debug)]
pub struct Follower {
    patterns: Vec<LogPattern>,
    files: BTreeMap<PathBuf, LogFile>,
    events: Events,
}

// === impl LogPattern ===

impl std::str::FromStr for LogPattern {
    type Err = BadPattern;

    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        let bad = |reason: String| BadPattern { pattern: pattern.to_owned(), reason };
        if pattern.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        glob::Pattern::new(pattern).map_err(|error| bad(error.to_string()))?;
        Ok(Self(pattern.to_owned()))
    }
}

impl LogPattern {
    /// The files meant now. A plain path is meant whether it exists or not: it is waited for.
    fn files(&self) -> Vec<PathBuf> {
        if !self.0.contains(['*', '?', '[']) {
            return vec![PathBuf::from(&self.0)];
        }
        let found = glob::glob(&self.0).into_iter().flatten();
        found.filter_map(Result::ok).filter(|path| path.is_file()).collect()
    }
}

// === impl Follower ===

impl Follower {
    /// Follows what `patterns` name; nothing is opened yet.
    pub fn new(patterns: Vec<LogPattern>, events: Events) -> Self {
        Self { patterns, files: BTreeMap::new(), events }
    }

    /// Looks at every file and hands each whole new line to `line`, without its line feed. The first look at a file
    /// starts with its newest rotated sibling (`FILE.1`), so that a rotation just before a start loses nothing.
    pub fn look(&mut self, mut line: impl FnMut(&[u8])) {
        for path in self.patterns.iter().flat_map(LogPattern::files) {
            self.files.entry(path).or_insert_with_key(|path| LogFile::new(path));
        }
        let events = &self.events;
        for file in self.files.values_mut() {
            let looked = file.look(&mut |piece| match piece {
                Piece::Line(bytes) => line(bytes),
                Piece::TooLong => events.line_too_long(lines::MAX),
            });
            report(events, file.path(), looked);
        }
    }
}

fn report(events: &Events, path: &Path, looked: std::io::Result<file::Looked>) {
    match looked {
        Ok(looked) => {
            events.log_read(path, looked.exists);
            if let Some(how) = looked.rotated {
                events.log_rotated(path, how);
            }
        }
        Err(error) => events.log_unreadable(path, &error),
    }
}
