//! Following the logs: new lines, in order, each once, through rotations and restarts.
//!
//! A [`Follower`] looks at all logs when it is asked to; it has no thread. [`pattern`] is what the operator says, [`names`] which
//! logs that means now, [`places`] where reading of others goes on should they come back. [`mod@file`] follows one name
//! through rotation, [`search`] finds what its files have become, [`siblings`] names them in order, [`segment`] reads one file,
//! plain or gzip, [`lines`] cuts bytes into lines of bounded length, [`watch`] says when to look.

mod file;
mod lines;
mod names;
mod pattern;
mod places;
mod search;
mod segment;
mod siblings;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use file::Rotation;
pub use pattern::{BadPattern, LogPattern};
pub use segment::Position;
pub(crate) use watch::{Polling, Reason, Watch};

use check_result::log::LONGEST_LINE;

use crate::events::Events;
use file::LogFile;
use lines::Piece;
use names::{Followed, Names};

/// How much of each log one look reads at most, in bytes: what is read becomes visible, and a stop is seen, after that.
const BUDGET: u64 = 32 << 20;

/// How many symbolic links to symbolic links are followed, as by Linux.
const MAX_LINKS: usize = 40;

/// Takes what is read.
pub trait Sink {
    /// A line of `log`, without its line feed.
    fn line(&mut self, log: &Arc<Path>, line: &[u8]);

    /// The place where `log` was read up to is gone; lines that were read before may follow.
    fn gap(&mut self, log: &Arc<Path>);

    /// `log` is read to its end as it is now.
    fn caught_up(&mut self, log: &Arc<Path>);
}

/// Follows every log that its patterns name.
#[derive(Debug)]
pub struct Follower {
    names: Names,
    events: Events,
}

// === impl Follower ===

impl Follower {
    /// Follows what `patterns` name, from where `saved` says that they were read up to; nothing is opened yet.
    pub fn new(patterns: Vec<LogPattern>, saved: BTreeMap<PathBuf, Position>, events: Events) -> Self {
        Self { names: Names::new(patterns, saved, events.clone()), events }
    }

    /// Looks at every log and hands what is new to `sink`; true if there is more to read already.
    ///
    /// The first look at a log of which no place is known begins with its rotated siblings, so that what was logged before a
    /// start is known after it.
    pub fn look(&mut self, sink: &mut dyn Sink) -> bool {
        self.look_at(Instant::now(), sink)
    }

    fn look_at(&mut self, now: Instant, sink: &mut dyn Sink) -> bool {
        self.names.update(now);
        let events = &self.events;
        let mut more = false;
        for Followed { log, file, .. } in self.names.followed_mut() {
            let looked = file.look(BUDGET, &mut |piece| match piece {
                Piece::Line(bytes) => sink.line(log, bytes),
                Piece::TooLong => events.line_too_long(LONGEST_LINE),
                Piece::Gap => {
                    events.log_gap(log);
                    sink.gap(log);
                }
            });
            match &looked {
                Ok(file::Looked { more: true, .. }) => more = true,
                Ok(_) => sink.caught_up(log),
                Err(_) => {}
            }
            report(events, file, looked);
        }
        more
    }

    /// How far each log's lines were all handed out.
    pub fn positions(&self) -> impl Iterator<Item = (&Path, &Position)> {
        self.names.positions()
    }

    /// The directories in which something happens when a log is written or rotated, those that exist or not.
    pub(crate) fn directories(&self) -> BTreeSet<PathBuf> {
        let of_patterns = self.names.patterns().iter().map(LogPattern::directory);
        let of_logs = self.names.followed().iter().flat_map(Followed::paths).map(directory);
        of_patterns.chain(of_logs).collect()
    }

    /// Whether `name` in a directory may be a log, or concerns one.
    pub(crate) fn concerns(&self, name: &str) -> bool {
        let of_log =
            |log: &Path| log.file_name().is_some_and(|log| log.to_str().is_some_and(|log| name.starts_with(stem(log))));
        self.names.patterns().iter().any(|pattern| pattern.is_glob() || of_log(pattern.as_path()))
            || self.names.followed().iter().flat_map(Followed::paths).any(of_log)
    }
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What `path` means where it is a symbolic link, be it to a file that is missing just now.
fn target(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = target.read_link() else { break };
        target = directory(&target).join(next);
    }
    target
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

#[cfg(test)]
mod tests;
