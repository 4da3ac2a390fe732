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
    /// Oldest first: the file that has the name, behind those that had it before and are not done yet.
    segments: VecDeque<Segment>,
    /// How far everything is done.
    position: Option<Position>,
    first_look: bool,
    /// When the folder was changed last before a search that found nothing, while the name was missing.
    searched: Option<SystemTime>,
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
        Self { path: path.to_owned(), segments: VecDeque::new(), position, first_look: true, searched: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
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
        Ok(Looked { more, ..followed? })
    }

    /// Looks whether the name means another file now, and puts what was written since behind what is open.
    fn follow_name(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<Looked> {
        let named = search::named(&self.path)?;
        let exists = named.is_some();
        let nothing = || Looked { exists, ..Looked::default() };
        if !exists && !self.first_look && self.segments.is_empty() {
            return Ok(nothing());
        }
        let Some(change) = self.change(named)? else { return Ok(nothing()) };
        let changed = folder_changed(&self.path);
        if !exists && self.searched.is_some() && self.searched == changed {
            return Ok(nothing());
        }
        let place = self.segments.iter().rev().find_map(Segment::place).or_else(|| self.position.clone());
        // While files are being renamed there is no order to be seen: the next look will do.
        let Some(found) = search::find(&self.path, place.as_ref())? else { return Ok(nothing()) };
        if !exists && self.waits(&found, place.is_some()) {
            self.searched = changed;
            return Ok(nothing());
        }
        // What is open is read to its end: then only files between it and the name's can be missing.
        if place.is_some() && found.place.is_none() && (self.segments.is_empty() || found.newer.len() > 1) {
            out(Piece::Gap);
        }
        (self.first_look, self.searched) = (false, None);
        let unreadable = self.extend(found, change);
        Ok(Looked { exists, rotated: change.rotation(), unreadable, more: false })
    }

    /// Whether a missing name is only waited for: what its files have become says nothing new.
    fn waits(&self, found: &Found, place_known: bool) -> bool {
        match (&found.place, self.first_look) {
            (Some(_), first_look) => !first_look && found.newer.is_empty(),
            // Whether the place is lost, or the file that has it will have the name again, shows when there is one.
            (None, first_look) => place_known || !first_look,
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
    fn extend(&mut self, found: Found, change: Change) -> Vec<(PathBuf, io::Error)> {
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
        unreadable
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
            let Some(front) = self.segments.front_mut() else { return Ok(false) };
            let read = front.read(&mut budget, done, out);
            let more = read.is_ok() && budget == 0;
            let finished = done && !more;
            if finished {
                front.finish(out);
            }
            if let Some(position) = front.position() {
                self.position = Some(position);
            }
            // A rotated file that cannot be read must not keep us from what was written since.
            if finished || read.is_err() && self.segments.len() > 1 {
                self.segments.pop_front();
            }
            read?;
            if more || !finished {
                return Ok(more);
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
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::Write;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    struct Log {
        folder: TempDir,
        file: LogFile,
    }

    impl Log {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = LogFile::new(&folder.path().join("log"), None);
            Self { folder, file }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn append(&self, name: &str, text: &str) {
            let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        /// The lines that a look finds, joined by spaces, and the rotation it saw.
        fn look(&mut self) -> (String, Option<Rotation>) {
            let mut lines = Vec::new();
            let looked = self.file.look(1 << 20, &mut |piece| match piece {
                Piece::Line(line) => lines.push(String::from_utf8_lossy(line).into_owned()),
                Piece::TooLong => panic!("no line is that long"),
                Piece::Gap => lines.push("GAP".to_owned()),
            });
            (lines.join(" "), looked.unwrap().rotated)
        }
    }

    fn seen(lines: &str) -> (String, Option<Rotation>) {
        (lines.to_owned(), None)
    }

    #[test]
    fn waits_for_the_file_and_for_the_line_feed() {
        let mut log = Log::new();
        assert_eq!(log.look(), seen(""));
        log.append("log", "a\nb");
        assert_eq!(log.look(), seen("a"));
        log.append("log", "c\n");
        assert_eq!(log.look(), seen("bc"));
        assert_eq!(log.look(), seen(""));
    }

    #[test]
    fn a_renamed_file_is_read_on_until_its_writer_has_moved_over() {
        let mut log = Log::new();
        log.append("log", "a\n");
        log.look();
        fs::rename(log.path("log"), log.path("log.1")).unwrap();
        log.append("log.1", "b\n");
        assert_eq!(log.look(), seen("b"));
        // logrotate's `create`: the new file is there, the writer has not reopened yet.
        log.append("log", "");
        log.append("log.1", "c\n");
        assert_eq!(log.look(), ("c".to_owned(), Some(Rotation::Replaced)));
        log.append("log.1", "d\n");
        log.append("log", "e\n");
        assert_eq!(log.look(), seen("d e"));
    }

    #[test]
    fn deleted_and_created_anew() {
        let mut log = Log::new();
        log.append("log", "a\nhalf");
        log.look();
        log.append("other", "b\n");
        fs::rename(log.path("other"), log.path("log")).unwrap();
        assert_eq!(log.look(), ("half b".to_owned(), Some(Rotation::Replaced)));
        fs::remove_file(log.path("log")).unwrap();
        assert_eq!(log.look(), seen(""));
        log.append("log", "c\n");
        assert_eq!(log.look().0, "c");
    }

    #[test]
    fn truncated_in_place_even_when_it_has_grown_again() {
        let mut log = Log::new();
        log.append("log", "first 1\nhalf");
        log.look();
        fs::write(log.path("log"), "x\n").unwrap();
        assert_eq!(log.look(), ("half x".to_owned(), Some(Rotation::Truncated)));
        fs::write(log.path("log"), "second and longer than before\n").unwrap();
        assert_eq!(log.look(), ("second and longer than before".to_owned(), Some(Rotation::Truncated)));
    }

    #[test]
    fn the_first_look_begins_with_the_rotated_sibling() {
        let mut log = Log::new();
        log.append("log.1", "old\n");
        log.append("log", "new\n");
        assert_eq!(log.look(), seen("old new"));
        assert_eq!(log.look(), seen(""));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_retried() {
        let mut log = Log::new();
        fs::create_dir(log.path("log")).unwrap();
        assert!(log.file.look(1, &mut |_| {}).is_err());
        fs::remove_dir(log.path("log")).unwrap();
        log.append("log", "a\n");
        assert_eq!(log.look(), seen("a"));
    }

    impl Log {
        /// The agent was down: another one goes on where it was.
        fn restart(&mut self) {
            let position = self.file.position().cloned();
            self.file = LogFile::new(&self.path("log"), position);
        }
    }

    #[test]
    fn a_place_that_is_lost_is_a_gap_even_where_only_the_name_is_left() {
        let mut log = Log::new();
        log.append("log", "a\n");
        log.look();
        log.restart();
        fs::remove_file(log.path("log")).unwrap();
        // Whether the file comes back is not known yet.
        assert_eq!(log.look(), seen(""));
        log.append("other", "b\n");
        fs::rename(log.path("other"), log.path("log")).unwrap();
        assert_eq!(log.look(), seen("GAP b"));
        assert_eq!(log.look(), seen(""));
    }

    #[test]
    fn the_file_that_was_read_is_found_whatever_the_clock_did() {
        let mut log = Log::new();
        log.append("log", "a\n");
        log.look();
        log.restart();
        log.append("log", "b\n");
        fs::rename(log.path("log"), log.path("log.2")).unwrap();
        log.append("log.1", "c\n");
        log.append("log", "d\n");
        for name in ["log.2", "log.1"] {
            let file = File::options().write(true).open(log.path(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        assert_eq!(log.look(), seen("b c d"));
    }

    #[test]
    fn what_has_become_of_a_missing_log_is_read_while_its_name_is_waited_for() {
        let mut log = Log::new();
        log.append("log", "a\n");
        log.look();
        fs::rename(log.path("log"), log.path("log.2")).unwrap();
        log.append("log.2", "b\n");
        log.append("log.1", "c\n");
        assert_eq!(log.look().0, "b c");
        assert_eq!(log.look(), seen(""));
        log.append("log", "d\n");
        assert_eq!(log.look().0, "d");
    }

    #[test]
    fn a_fifo_in_the_place_of_a_log_or_its_sibling_is_told_and_waited_for_by_nobody() {
        let mut log = Log::new();
        let fifo = |path: PathBuf| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        fifo(log.path("log"));
        assert!(log.file.look(1, &mut |_| {}).is_err());
        fs::remove_file(log.path("log")).unwrap();
        fifo(log.path("log.1"));
        fs::create_dir(log.path("log.2")).unwrap();
        log.append("log.3", "a\n");
        log.append("log", "b\n");
        let mut lines = 0;
        let looked = log.file.look(1 << 20, &mut |_| lines += 1).unwrap();
        let unreadable: Vec<_> = looked.unreadable.into_iter().map(|(path, _)| path).collect();
        assert_eq!((lines, unreadable), (2, vec![log.path("log.1"), log.path("log.2")]));
    }
}
