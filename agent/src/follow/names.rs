//! Which logs are followed: what the patterns name, each file once, and for a while what a glob does not find any more.
//!
//! Between the renaming of a log and the moment at which its writer opens it anew, a glob finds no log, but perhaps the renamed file.
//! The log is followed all the same, as one that was named would be, for [`MISSING`] after the last bytes came; its place is
//! kept longer ([`places`](super::places)). A file under several names (spellings, symbolic and hard links) is followed
//! under the first of them.

use std::cmp::Reverse;
use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::file::LogFile;
use super::pattern::LogPattern;
use super::places::Places;
use super::segment::Position;
use super::{directory, search, siblings};
use crate::events::Events;

/// How long a log is followed that no glob finds, from its last bytes on: the file that is open then keeps its blocks on the disk.
const MISSING: Duration = Duration::from_secs(600);
/// How many of them are.
const MAX_MISSING: usize = 16;

/// The logs that are followed.
#[derive(Debug)]
pub(super) struct Names {
    patterns: Vec<LogPattern>,
    /// In the order in which they are read: those written last come last.
    logs: Vec<Followed>,
    places: Places,
    events: Events,
    first_look: bool,
}

/// A log that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) log: Arc<Path>,
    pub(super) file: LogFile,
    /// Without symbolic links and `..`.
    canonical: PathBuf,
    /// Set while no pattern names it.
    missing: Option<Missing>,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    /// How far it was read then.
    read: (Option<Position>, u64),
}

// === impl Names ===

impl Names {
    pub(super) fn new(patterns: Vec<LogPattern>, saved: BTreeMap<PathBuf, Position>, events: Events) -> Self {
        let places = Places::new(saved, Instant::now());
        Self { patterns, logs: Vec::new(), places, events, first_look: true }
    }

    pub(super) fn patterns(&self) -> &[LogPattern] {
        &self.patterns
    }

    pub(super) fn followed(&self) -> &[Followed] {
        &self.logs
    }

    pub(super) fn followed_mut(&mut self) -> &mut [Followed] {
        &mut self.logs
    }

    /// How far each log was read, also those that are not followed now.
    pub(super) fn positions(&self) -> impl Iterator<Item = (&Path, &Position)> {
        let read = self.logs.iter().filter_map(|followed| Some((&*followed.log, followed.file.position()?)));
        read.chain(self.places.iter())
    }

    /// Looks for new logs and drops those that are gone.
    pub(super) fn update(&mut self, now: Instant) {
        let mut names: BTreeSet<_> = self.patterns.iter().flat_map(LogPattern::files).collect();
        self.drop_missing(&names, now);
        names.extend(self.logs.iter().map(|followed| followed.log.to_path_buf()));
        if std::mem::take(&mut self.first_look) {
            // What was renamed while nobody looked is missing only just now.
            let known = self.places.iter().map(|(log, _)| log);
            let meant = known.filter(|log| self.patterns.iter().any(|pattern| pattern.matches(log)));
            names.extend(meant.map(Path::to_owned));
        }
        let is_new =
            |log: &&PathBuf| !self.logs.iter().any(|known| *known.log == ***log) && !self.is_passed_over(log, &names);
        let mut new: Vec<_> = names.iter().filter(is_new).collect();
        if !new.is_empty() {
            new.sort_by_cached_key(|log| age(log));
            new.into_iter().for_each(|log| self.follow(log, now));
            self.logs.sort_by_cached_key(|followed| age(&followed.log));
        }
        self.drop_same();
        self.places.bound(now);
    }

    fn follow(&mut self, log: &Path, now: Instant) {
        let canonical = canonical(log);
        if let Some(same) = self.logs.iter().find(|followed| followed.canonical == canonical) {
            return self.events.log_same(log, &same.log);
        }
        self.take_siblings(log, now);
        let file = LogFile::new(log, self.places.take(log));
        self.logs.push(Followed { log: Arc::from(log), file, canonical, missing: None });
    }

    /// Drops what no pattern names any more, after a while.
    fn drop_missing(&mut self, named: &BTreeSet<PathBuf>, now: Instant) {
        self.logs.iter_mut().for_each(|followed| followed.note_missing(named, now));
        let mut missing: Vec<_> = self.logs.iter().filter_map(Followed::missing_since).collect();
        missing.sort_unstable_by(|a, b| b.cmp(a));
        let oldest = missing.get(MAX_MISSING).copied();
        let is_over = |since: Instant| now.saturating_duration_since(since) >= MISSING || Some(since) <= oldest;
        for gone in self.logs.extract_if(.., |followed| followed.missing_since().is_some_and(is_over)) {
            self.events.log_gone(&gone.log);
            if let Some(position) = gone.file.position() {
                self.places.keep(&gone.log, position.clone(), now);
            }
        }
    }

    /// Rotated files of `log` that were followed by themselves, as a glob had found them while the log was missing, are read with
    /// the log from now on.
    fn take_siblings(&mut self, log: &Path, now: Instant) {
        let is_literal = |path: &Path| self.patterns.iter().any(|pattern| pattern.names(path));
        let is_taken = |followed: &mut Followed| is_rotated_of(&followed.log, log) && !is_literal(&followed.log);
        let taken: Vec<_> = self.logs.extract_if(.., is_taken).collect();
        if taken.is_empty() {
            return;
        }
        taken.iter().for_each(|sibling| self.events.log_taken(&sibling.log, log));
        let newest_first = siblings::newest_first(log).unwrap_or_default();
        let place = |path: &PathBuf| taken.iter().find(|sibling| *sibling.log == **path)?.file.position();
        if let Some(position) = newest_first.iter().find_map(place) {
            self.places.keep(log, position.clone(), now);
        }
    }

    /// Whether a glob has found a log's rotated sibling beside the log: it is read with the log. A file that was named
    /// itself is followed, whatever its name looks like.
    fn is_passed_over(&self, path: &Path, names: &BTreeSet<PathBuf>) -> bool {
        let Some(log) = names.iter().find(|log| is_rotated_of(path, log)) else { return false };
        let is_literal = self.patterns.iter().any(|pattern| pattern.names(path));
        if !is_literal {
            self.events.log_passed_over(path, log);
        }
        !is_literal
    }

    /// Of several names of one file follows the first.
    fn drop_same(&mut self) {
        let mut files: HashMap<_, Arc<Path>> = HashMap::new();
        let events = &self.events;
        self.logs.retain(|Followed { log, .. }| {
            let Ok(Some(identity)) = search::named(log) else { return true };
            match files.entry(identity) {
                Entry::Occupied(first) => {
                    events.log_same(log, first.get());
                    false
                }
                Entry::Vacant(free) => {
                    free.insert(Arc::clone(log));
                    true
                }
            }
        });
    }
}

// === impl Followed ===

impl Followed {
    /// Its name, and where its file is if that is a symbolic link.
    pub(super) fn paths(&self) -> [&Path; 2] {
        [&self.log, self.file.target()]
    }

    fn missing_since(&self) -> Option<Instant> {
        self.missing.as_ref().map(|missing| missing.since)
    }

    fn note_missing(&mut self, named: &BTreeSet<PathBuf>, now: Instant) {
        if named.contains(&*self.log) {
            self.missing = None;
            return;
        }
        let read = (self.file.position().cloned(), self.file.behind());
        if self.missing.as_ref().is_none_or(|missing| missing.read != read) {
            self.missing = Some(Missing { since: now, read });
        }
    }
}

fn is_rotated_of(path: &Path, log: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    path.parent() == log.parent()
        && name(path).zip(name(log)).is_some_and(|(name, base)| siblings::is_sibling(&name, &base))
}

/// What orders logs by when they were written last; of two of one moment, the one with the greater number is older.
fn age(log: &Path) -> (SystemTime, Reverse<Option<u32>>) {
    let modified = log.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    (modified, Reverse(siblings::number(log)))
}

/// Without symbolic links and `..`, as far as the path exists.
fn canonical(path: &Path) -> PathBuf {
    let missing = || {
        let folder = directory(path).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(missing).unwrap_or_else(|| path.to_owned())
}
