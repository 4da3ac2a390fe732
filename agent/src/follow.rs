//! Following the logs: new lines, in order, each once, through rotations and restarts.
//!
//! A [`Follower`] owns a set of patterns (paths or globs) and looks at all their files when it is asked to; it knows no
//! clock and no thread. [`mod@file`] follows one name through rotation, [`search`] finds what its files have become,
//! [`siblings`] names them in order, [`segment`] reads one file, plain or gzip, [`lines`] cuts bytes into lines of bounded
//! length, [`watch`] says when to look.

mod file;
mod lines;
mod search;
mod segment;
mod siblings;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub use file::Rotation;
pub use segment::Position;
pub(crate) use watch::{Reason, Watch};

use crate::events::Events;
use file::LogFile;
use lines::Piece;

/// How much of each log one look reads at most, in bytes: what is read becomes visible, and a stop is seen, after that.
const BUDGET: u64 = 32 << 20;

/// Takes what is read.
pub trait Sink {
    /// A line of `log`, without its line feed.
    fn line(&mut self, log: &Arc<Path>, line: &[u8]);

    /// The place where `log` was read up to is gone; lines that were read before may follow.
    fn gap(&mut self, log: &Arc<Path>);
}

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
    /// In the order in which they are read: those written last come last.
    logs: Vec<(Arc<Path>, LogFile)>,
    /// Where the logs were read up to, before the first look.
    saved: BTreeMap<PathBuf, Position>,
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
    fn is_glob(&self) -> bool {
        self.0.contains(['*', '?', '['])
    }

    /// Where its files are: of a glob, the deepest directory that has no wildcard.
    fn directory(&self) -> PathBuf {
        let plain = Path::new(&self.0)
            .components()
            .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']));
        let plain: PathBuf = plain.collect();
        match (self.is_glob(), plain.as_os_str().is_empty()) {
            (false, _) => directory(&plain),
            (true, true) => PathBuf::from("."),
            (true, false) => plain,
        }
    }

    /// The files meant now. A plain path is meant whether it exists or not: it is waited for.
    fn files(&self) -> Vec<PathBuf> {
        if !self.is_glob() {
            return vec![PathBuf::from(&self.0)];
        }
        let found = glob::glob(&self.0).into_iter().flatten();
        found.filter_map(Result::ok).filter(|path| path.is_file()).collect()
    }
}

// === impl Follower ===

impl Follower {
    /// Follows what `patterns` name, from where `saved` says that they were read up to; nothing is opened yet.
    pub fn new(patterns: Vec<LogPattern>, saved: BTreeMap<PathBuf, Position>, events: Events) -> Self {
        Self { patterns, logs: Vec::new(), saved, events }
    }

    /// Looks at every log and hands what is new to `sink`; true if there is more to read already.
    ///
    /// The first look at a log of which no place is known begins with its rotated siblings, so that what was logged before a
    /// start is known after it.
    pub fn look(&mut self, sink: &mut dyn Sink) -> bool {
        self.find_logs();
        let events = &self.events;
        let mut more = false;
        for (log, file) in &mut self.logs {
            let looked = file.look(BUDGET, &mut |piece| match piece {
                Piece::Line(bytes) => sink.line(log, bytes),
                Piece::TooLong => events.line_too_long(lines::MAX),
                Piece::Gap => {
                    events.log_gap(log);
                    sink.gap(log);
                }
            });
            more |= matches!(&looked, Ok(file::Looked { more: true, .. }));
            report(events, file, looked);
        }
        more
    }

    /// How far each log's lines were all handed out.
    pub fn positions(&self) -> impl Iterator<Item = (&Path, &Position)> {
        let read = self.logs.iter().filter_map(|(log, file)| Some((&**log, file.position()?)));
        read.chain(self.saved.iter().map(|(log, position)| (&**log, position)))
    }

    /// The directories in which something happens when a log is written or rotated, those that exist or not.
    pub(crate) fn directories(&self) -> BTreeSet<PathBuf> {
        let of_patterns = self.patterns.iter().map(LogPattern::directory);
        of_patterns.chain(self.logs.iter().map(|(log, _)| directory(log))).collect()
    }

    /// Whether `name` in a directory may be a log, or concerns one.
    pub(crate) fn concerns(&self, name: &str) -> bool {
        let of_log =
            |log: &Path| log.file_name().is_some_and(|log| log.to_str().is_some_and(|log| name.starts_with(stem(log))));
        self.patterns.iter().any(|pattern| pattern.is_glob() || of_log(Path::new(&pattern.0)))
            || self.logs.iter().any(|(log, _)| of_log(log))
    }

    fn find_logs(&mut self) {
        let named: BTreeSet<_> = self.patterns.iter().flat_map(LogPattern::files).collect();
        // What a glob does not find any more was deleted; dated names would pile up.
        let waits = |log: &Path| self.patterns.iter().any(|pattern| Path::new(&pattern.0) == log);
        let events = &self.events;
        self.logs.retain(|(log, file)| {
            let keep = named.contains(&**log) || waits(log) || file.behind() > 0;
            if !keep {
                events.log_gone(log);
            }
            keep
        });
        let is_new = |log: &PathBuf| !self.logs.iter().any(|(known, _)| **known == **log) && !is_rotated(log, &named);
        let mut new: Vec<_> = named.iter().filter(|log| is_new(log)).cloned().collect();
        new.sort_by_key(|log| {
            log.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
        });
        for log in new {
            let file = LogFile::new(&log, self.saved.remove(&log));
            self.logs.push((Arc::from(log), file));
        }
        // Of logs that are there no more the place is of no use.
        self.saved.clear();
    }
}

/// Whether a glob has found a log's rotated sibling beside the log: it is read with the log.
fn is_rotated(path: &Path, named: &BTreeSet<PathBuf>) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    named.iter().filter(|other| other.parent() == path.parent()).any(|other| match (name(path), name(other)) {
        (Some(name), Some(base)) => siblings::is_sibling(&name, &base),
        _ => false,
    })
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What a log's own name and its rotated siblings' begin with.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn report(events: &Events, file: &LogFile, looked: std::io::Result<file::Looked>) {
    let path = file.path();
    match looked {
        Ok(looked) => {
            events.log_read(path, looked.exists);
            if let Some(how) = looked.rotated {
                events.log_rotated(path, how);
            }
            for (sibling, error) in &looked.unreadable {
                events.sibling_unreadable(sibling, error);
            }
        }
        Err(error) => events.log_unreadable(path, &error),
    }
    events.log_progress(path, file.behind(), file.modified());
}
