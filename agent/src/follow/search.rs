//! What a log's files have become: where reading stopped, and what was written since.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::segment::{self, Identity, Position, Segment};
use super::siblings;

/// How many bytes of rotated siblings are read where nothing is known of a log, the newest first, gzip counted as what
/// [`GZIP_RATIO`] makes of it: half a second's worth.
const REBUILD: u64 = 256 << 20;
const GZIP_RATIO: u64 = 10;

/// How often a look at the siblings is repeated when they are being rotated meanwhile.
const TRIES: usize = 8;

/// The files that a log has become.
pub(super) struct Found {
    /// Where reading stopped, brought there; none if it is not among them.
    pub(super) place: Option<Segment>,
    /// What was written since, oldest first, the name's file last.
    pub(super) newer: Vec<Segment>,
    pub(super) unreadable: Vec<(PathBuf, io::Error)>,
}

/// Looks for `place` among the file `path` and its siblings, beside `target` where it is a link to that. None: they
/// were rotated again meanwhile.
pub(super) fn find(path: &Path, target: &Path, place: Option<&Position>) -> io::Result<Option<Found>> {
    for _ in 0..TRIES {
        let mut paths = vec![path.to_owned()];
        paths.extend(siblings::newest_first(target).or_else(none_if_missing)?);
        if target != path {
            paths.extend(siblings::newest_first(path).or_else(none_if_missing)?);
        }
        let found = Search::new(place).over(&paths)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// One way through the files of a log, newest first.
struct Search<'a> {
    place: Option<&'a Position>,
    rest: u64,
    newer: Vec<Newer>,
    /// What each path was when it was looked at.
    seen: Vec<(PathBuf, Option<Identity>)>,
    unreadable: Vec<(PathBuf, io::Error)>,
}

/// A file that does not hold the place, at its start.
struct Newer {
    segment: Segment,
    /// By its time of modification it was written before the place.
    dated_before: bool,
}

// === impl Search ===

impl<'a> Search<'a> {
    fn new(place: Option<&'a Position>) -> Self {
        Self { place, rest: REBUILD, newer: Vec::new(), seen: Vec::new(), unreadable: Vec::new() }
    }

    /// None if the files were renamed meanwhile.
    fn over(mut self, paths: &[PathBuf]) -> io::Result<Option<Found>> {
        let mut place = None;
        for (index, path) in paths.iter().enumerate() {
            match self.look_into(path) {
                Ok(None) => {}
                Ok(found) => {
                    place = found;
                    break;
                }
                Err(error) if index == 0 => return Err(error),
                // One sibling that cannot be read, or is damaged, must not hide the others.
                Err(error) => self.unreadable.push((path.clone(), error)),
            }
        }
        // Where the place is found, order says what is newer, whatever the clock did; else only times can.
        let found = place.is_some();
        let newer = self.newer.into_iter().rev().filter(|newer| found || !newer.dated_before);
        let newer = newer.map(|newer| newer.segment).collect();
        let unchanged = self.seen.iter().all(|(path, identity)| matches!(named(path), Ok(now) if now == *identity));
        Ok(unchanged.then_some(Found { place, newer, unreadable: self.unreadable }))
    }

    /// The file, if it holds the place; else it is noted as a newer one, if it can be.
    fn look_into(&mut self, path: &Path) -> io::Result<Option<Segment>> {
        let Some((mut segment, dated_before)) = self.open(path)? else { return Ok(None) };
        if let Some(place) = self.place
            && segment.resume(place)?
        {
            return Ok(Some(segment));
        }
        self.newer.push(Newer { segment, dated_before });
        Ok(None)
    }

    /// None: it does not exist, or nothing in it can matter. With it, whether it is dated before the place.
    fn open(&mut self, path: &Path) -> io::Result<Option<(Segment, bool)>> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.seen.push((path.to_owned(), None));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let (is_name, identity) = (self.seen.is_empty(), Some(segment::identity(&metadata)));
        let is_seen = self.seen.iter().any(|(_, seen)| *seen == identity);
        self.seen.push((path.to_owned(), identity));
        if is_seen || !is_name && self.rest == 0 {
            return Ok(None);
        }
        let segment = Segment::open(path)?;
        if self.place.is_none() && !is_name {
            let ratio = if segment.is_compressed() { GZIP_RATIO } else { 1 };
            self.rest = self.rest.saturating_sub(metadata.len().saturating_mul(ratio));
        }
        // A second of tolerance: compressing keeps whole seconds only.
        let dated_before = self.place.is_some_and(|place| metadata.mtime() + 1 < place.modified);
        Ok(Some((segment, dated_before && !is_name)))
    }
}

/// The file that `path` means now.
pub(super) fn named(path: &Path) -> io::Result<Option<Identity>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(segment::identity(&metadata))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn none_if_missing<T>(error: io::Error) -> io::Result<Vec<T>> {
    if error.kind() == ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
}
