//! One log followed by its name.
//!
//! What a name points to changes under a reader in several ways:
//!
//! - *rename* or *delete and create*: the name has another inode. The old one is read on until a newer one holds a line,
//!   because a writer goes on writing into the renamed file until it is told to reopen.
//! - *copytruncate*: the same inode, shorter than what was read, or with another beginning. Reading goes on in the copy, which
//!   is among the rotated siblings, and then at the file's start.
//! - *gone*: no such name. The old inode is read on, and what has become of it; the name is waited for.
//!
//! In every case [`search`] looks for the place where reading stopped among the rotated siblings, plain or gzip, and everything
//! newer is read behind it, in order: so several rotations between two looks lose nothing, nor do those that happen while nobody
//! looks, if the place is known from a state file. Lines written between the copy and the truncation of a copytruncate are lost
//! to every reader; rename loses nothing.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::lines::Piece;
use super::search::{self, Found};
use super::segment::{Identity, Position, Segment};

/// Follows one name.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    /// What the name means, where it is a symbolic link: there, the file is rotated.
    target: PathBuf,
    /// Oldest first: the file that has the name, behind those that had it before and are not done yet.
    segments: VecDeque<Segment>,
    /// How far everything is done.
    position: Option<Position>,
    first_look: bool,
    /// When the folder was changed last before the latest search, while the name is missing.
    searched: Option<SystemTime>,
    /// Rotated siblings that could not be read, to be told by the next look that succeeds.
    unreadable: Vec<(PathBuf, io::Error)>,
}

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Whether the name exists.
    pub(super) exists: bool,
    /// How the file was rotated since the last look, if it was.
    pub(super) rotated: Option<Rotation>,
    /// Whether there was more to read than the budget allowed.
    pub(super) more: bool,
    /// Rotated siblings that cannot be read.
    pub(super) unreadable: Vec<(PathBuf, io::Error)>,
}

/// How a log was rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Another file has the name.
    Replaced,
    /// The file was emptied in place.
    Truncated,
}

/// What has happened to the file that had the name.
#[derive(Clone, Copy, Default)]
struct Change {
    /// Another file has the name.
    replaced: bool,
    /// It was emptied in place.
    truncated: bool,
    /// It was empty, and has bytes now.
    begun: bool,
}

// === impl LogFile ===

impl LogFile {
    /// A log that was read up to `position`; `None`: nothing is known of it.
    pub(super) fn new(path: &Path, position: Option<Position>) -> Self {
        Self {
            path: path.to_owned(),
            target: super::target(path),
            segments: VecDeque::new(),
            position,
            first_look: true,
            searched: None,
            unreadable: Vec::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file is that has the name.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// How far every line is done; reading can go on there after a restart.
    pub(super) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Bytes that are there and not read in whole lines.
    pub(super) fn behind(&self) -> u64 {
        self.segments.iter().map(Segment::behind).sum()
    }

    /// When the newest of its files that is being read was last written to, in epoch seconds.
    pub(super) fn modified(&self) -> Option<i64> {
        self.segments.back().map(Segment::modified)
    }

    /// Reads what is new, at most about `budget` bytes.
    pub(super) fn look(&mut self, budget: u64, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<Looked> {
        let followed = self.follow_name(out);
        // What is wrong with the name does not keep us from what is open.
        let more = self.read(budget, out)?;
        let followed = followed?;
        Ok(Looked { more, unreadable: std::mem::take(&mut self.unreadable), ..followed })
    }

    /// Looks whether the name means another file now, and puts what was written since behind what is open.
    fn follow_name(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<Looked> {
        self.target = super::target(&self.path);
        let named = search::named(&self.path)?;
        let exists = named.is_some();
        let nothing = || Looked { exists, ..Looked::default() };
        if !exists && !self.first_look && self.segments.is_empty() {
            return Ok(nothing());
        }
        let Some(change) = self.change(named)? else { return Ok(nothing()) };
        let changed = folder_changed(&self.target);
        if !exists && self.searched.is_some() && self.searched == changed {
            return Ok(nothing());
        }
        let place = self.segments.iter().rev().find_map(Segment::place).or_else(|| self.position.clone());
        // While files are being renamed there is no order to be seen: the next look will do.
        let Some(found) = search::find(&self.path, &self.target, place.as_ref())? else { return Ok(nothing()) };
        if !exists && self.waits(&found, place.is_some()) {
            self.searched = changed;
            return Ok(nothing());
        }
        // What is open is read to its end: then only files between it and the name's can be missing.
        if place.is_some() && found.place.is_none() && (self.segments.is_empty() || found.newer.len() > 1) {
            out(Piece::Gap);
        }
        (self.first_look, self.searched) = (false, changed.filter(|_| !exists));
        self.extend(found, change);
        Ok(Looked { rotated: change.rotation(), ..nothing() })
    }

    /// Whether a missing name is only waited for: what its files have become says nothing new.
    fn waits(&self, found: &Found, place_known: bool) -> bool {
        match (&found.place, self.first_look) {
            (Some(_), first_look) => !first_look && found.newer.is_empty(),
            // Whether the place is lost, or the file that has it will have the name again, shows when there is one.
            // Where nothing was read yet there is none to be lost: what is there may be a copy of what the open file
            // held before.
            (None, _) => place_known,
        }
    }

    /// What has happened to the file that had the name; none: nothing.
    fn change(&self, named: Option<Identity>) -> io::Result<Option<Change>> {
        let Some(current) = self.segments.back() else { return Ok(Some(Change::default())) };
        let replaced = named != Some(current.identity());
        let truncated = current.is_truncated()?;
        let begun = !replaced && current.is_begun()?;
        Ok((replaced || truncated || begun).then_some(Change { replaced, truncated, begun }))
    }

    /// Puts what was found behind what is open.
    fn extend(&mut self, found: Found, change: Change) {
        let Found { place, newer, unreadable } = found;
        match self.segments.back_mut() {
            Some(current) if change.truncated => current.go_on_in(place),
            // A file of which nothing was read is opened again, behind what may have been copied from it.
            Some(_) if change.begun => drop(self.segments.pop_back()),
            Some(_) => {}
            None => self.segments.extend(place),
        }
        // What is open already stays open, in the order of now.
        let newer: Vec<_> = newer.into_iter().map(|new| self.open_already(new)).collect();
        self.segments.extend(newer);
        self.unreadable.extend(unreadable);
    }

    fn open_already(&mut self, mut new: Segment) -> Segment {
        let known = self.segments.iter().position(|open| open.is_same(&mut new));
        known.and_then(|index| self.segments.remove(index)).unwrap_or(new)
    }

    /// Reads the files in order. A file is done when a newer one holds bytes: its writer has moved over.
    fn read(&mut self, mut budget: u64, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<bool> {
        loop {
            // The order matters: what the writer left in the old file is there once the newer one has bytes.
            let done = self.segments.iter().skip(1).any(Segment::has_bytes);
            let is_last = self.segments.len() == 1;
            let Some(front) = self.segments.front_mut() else { return Ok(false) };
            let read = front.read(&mut budget, done, out);
            if let Some(position) = front.position() {
                self.position = Some(position);
            }
            match read {
                // A rotated file that cannot be read must not keep us from what was written since.
                Err(error) if !is_last || front.path() != self.path => {
                    self.unreadable.push((front.path().to_owned(), error));
                    self.segments.pop_front();
                }
                Err(error) => return Err(error),
                Ok(()) if budget == 0 || !done => return Ok(budget == 0),
                Ok(()) => {
                    front.finish(out);
                    self.segments.pop_front();
                }
            }
        }
    }
}

// === impl Change ===

impl Change {
    fn rotation(self) -> Option<Rotation> {
        let truncated = self.truncated.then_some(Rotation::Truncated);
        if self.replaced { Some(Rotation::Replaced) } else { truncated }
    }
}

/// When a file was created, renamed or deleted last beside `path`.
fn folder_changed(path: &Path) -> Option<SystemTime> {
    super::directory(path).metadata().and_then(|folder| folder.modified()).ok()
}

#[cfg(test)]
mod tests;
