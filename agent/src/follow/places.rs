//! Places in logs that are not followed now: those of the state file before the first look, and of logs that a glob has not found
//! for a while.
//!
//! A log that comes back goes on there, and so does its file where a glob finds it under another name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::search;
use super::segment::{Position, Segment};

/// How long a place is kept, and how many are: dated names would pile up.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
const MAX: usize = 256;

/// Places by the names of their logs.
#[derive(Debug)]
pub(super) struct Places(BTreeMap<PathBuf, (Position, Instant)>);

// === impl Places ===

impl Places {
    pub(super) fn new(saved: BTreeMap<PathBuf, Position>, now: Instant) -> Self {
        Self(saved.into_iter().map(|(log, position)| (log, (position, now))).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, &Position)> {
        self.0.iter().map(|(log, (position, _))| (log.as_path(), position))
    }

    pub(super) fn keep(&mut self, log: &Path, position: Position, now: Instant) {
        self.0.insert(log.to_owned(), (position, now));
    }

    /// The place of `log`, or of the log that its file was.
    pub(super) fn take(&mut self, log: &Path) -> Option<Position> {
        let name = if self.0.contains_key(log) { log.to_owned() } else { self.former_name(log)? };
        self.0.remove(&name).map(|(position, _)| position)
    }

    /// Drops what is too old, and of too many the oldest.
    pub(super) fn bound(&mut self, now: Instant) {
        self.0.retain(|_, (_, since)| now.saturating_duration_since(*since) < KEEP);
        let excess = self.0.len().saturating_sub(MAX);
        if excess > 0 {
            let mut ages: Vec<_> = self.0.iter().map(|(log, (_, since))| (*since, log.clone())).collect();
            ages.sort();
            for (_, log) in &ages[..excess] {
                self.0.remove(log);
            }
        }
    }

    /// The name that the file had which is `log` now: the inode tells, and the beginning whether it is still the same file.
    fn former_name(&self, log: &Path) -> Option<PathBuf> {
        let identity = search::named(log).ok()??;
        let mut same = self.0.iter().filter(|(_, (position, _))| position.identity() == identity);
        let is_there = |position| Segment::open(log).and_then(|mut segment| segment.resume(position)).unwrap_or(false);
        same.find(|(_, (position, _))| is_there(position)).map(|(name, _)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(folder: &Path, name: &str) -> Position {
        let path = folder.join(name);
        std::fs::write(&path, format!("{name}, a line that is long enough to tell this file from every other one\n"))
            .unwrap();
        let mut segment = Segment::open(&path).unwrap();
        segment.read(&mut 1000, true, &mut |_| {}).unwrap();
        segment.position().unwrap()
    }

    #[test]
    fn a_place_is_found_by_name_or_by_what_its_file_is_called_now() {
        let (folder, now) = (tempfile::tempdir().unwrap(), Instant::now());
        let [a, b] = ["a", "b"].map(|name| position(folder.path(), name));
        let path = |name: &str| folder.path().join(name);
        let mut places = Places::new([(path("a"), a.clone()), (path("b"), b)].into(), now);
        assert_eq!(places.take(&path("a")), Some(a.clone()));
        assert_eq!(places.take(&path("a")), None);
        places.keep(&path("a"), a.clone(), now);
        std::fs::rename(path("a"), path("a.old")).unwrap();
        // The inode alone says nothing: it is given away again.
        std::fs::write(
            path("b"),
            "another beginning, the inode is the same, and it is as long as the one before it was\n",
        )
        .unwrap();
        std::fs::rename(path("b"), path("b.old")).unwrap();
        assert_eq!(["a.old", "b.old"].map(|name| places.take(&path(name))), [Some(a), None]);
    }

    #[test]
    fn places_are_bounded_by_age_and_number() {
        let (folder, now) = (tempfile::tempdir().unwrap(), Instant::now());
        let place = position(folder.path(), "a");
        let mut places = Places::new([(PathBuf::from("first"), place.clone())].into(), now);
        let later = now + KEEP / 2;
        (0..MAX).for_each(|n| places.keep(Path::new(&n.to_string()), place.clone(), later));
        places.bound(later);
        assert!(places.iter().count() == MAX && places.iter().all(|(log, _)| log != "first"));
        places.bound(now + KEEP);
        assert_eq!(places.iter().count(), MAX);
        places.bound(later + KEEP);
        assert_eq!(places.iter().count(), 0);
    }
}
