//! Where the lines go: a file, or standard output.
//!
//! A line is one `write` in append mode. What may go wrong, and what is done about it:
//!
//! - *written in part* (a full disk): the rest follows as soon as there is room. If the file has been changed meanwhile
//!   (truncated, most likely) or is another one, the torn part is ended by a line feed and the line written anew.
//! - *deleted*, or another file moved over it: nobody could read what is written. The path is opened again and the line
//!   written there. A file that was only renamed stays in use until [`Output::reopen`], as log rotation expects.
//! - *any error but a full disk*: the path is opened again before the next try, which helps after a stale network file
//!   or a file system that came back.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::rotation::Rotation;
use crate::events;
use crate::notice::Notice;

/// An open log.
pub(super) struct Output {
    file: File,
    /// Where the file was opened; none for standard output.
    path: Option<PathBuf>,
    rotation: Option<Rotation>,
    /// How long the file is, as far as this process knows. 0 for what is no regular file.
    size: u64,
    torn: Option<Torn>,
    /// The file is not worth another try: the path is to be opened again.
    stale: bool,
    works: bool,
}

/// A line that was written in part.
struct Torn {
    /// How much of the line has been written.
    written: usize,
    /// How long the file was then.
    size: u64,
}

/// What went wrong, to be told in the log that is in use.
pub(super) struct Problem(Notice);

/// A line that has not been written, or not to its end; it is to be given again.
pub(super) struct Unwritable {
    pub(super) error: io::Error,
    /// The write before worked.
    pub(super) is_news: bool,
}

// === impl Output ===

impl Output {
    /// Opens `path`, or standard output where there is none or it cannot be opened.
    pub(super) fn open(path: Option<PathBuf>, rotation: Option<Rotation>) -> io::Result<(Self, Option<Problem>)> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let mut output = Self { file, path: None, rotation, size: 0, torn: None, stale: false, works: true };
        let problem = path.and_then(|path| output.open_path(&path).err().map(|error| Problem::not_open(&path, &error)));
        Ok((output, problem))
    }

    /// Opens the path anew; on failure the present file stays.
    pub(super) fn reopen(&mut self) -> Option<Problem> {
        let path = self.path.clone()?;
        self.open_path(&path).err().map(|error| Problem::not_open(&path, &error))
    }

    /// Writes one line, line feed included. After an error the same line is to be given again before any other.
    pub(super) fn write(&mut self, line: &[u8]) -> Result<Option<Problem>, Unwritable> {
        match self.attempt(line) {
            Ok(problem) => {
                self.works = true;
                Ok(problem)
            }
            Err(error) => {
                self.stale |= self.path.is_some() && !is_full(&error);
                Err(Unwritable { error, is_news: std::mem::replace(&mut self.works, false) })
            }
        }
    }

    fn attempt(&mut self, line: &[u8]) -> io::Result<Option<Problem>> {
        // Before the line is written: a reader that follows the deleted file as well as the new one would see it twice.
        if self.stale || self.is_deleted()? {
            self.stale = true;
            self.open_named()?;
        }
        let problem = self.rotate_before(line.len() as u64);
        self.append(line)?;
        // Deleted in between: twice for a reader that still has that file rather than never for all others.
        if self.is_deleted()? {
            self.stale = true;
            self.open_named()?;
            self.append(line)?;
        }
        Ok(problem)
    }

    fn open_named(&mut self) -> io::Result<()> {
        let path = self.path.clone();
        path.map_or(Ok(()), |path| self.open_path(&path))
    }

    fn open_path(&mut self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        if is_torn(path) {
            file.write_all(b"\n")?;
        }
        self.size = regular_size(&file.metadata()?);
        (self.file, self.path, self.torn, self.stale) = (file, Some(path.to_owned()), None, false);
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut written = self.resume()?;
        while written < line.len() {
            let error = match self.file.write(&line[written..]) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(count) => {
                    written += count;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            if written > 0 {
                self.torn = Some(Torn { written, size: regular_size(&self.file.metadata()?) });
            }
            return Err(error);
        }
        Ok(())
    }

    /// How much of the line is in the file already.
    fn resume(&mut self) -> io::Result<usize> {
        let Some(Torn { written, size }) = self.torn else { return Ok(0) };
        let now = regular_size(&self.file.metadata()?);
        if now == size {
            self.torn = None;
            return Ok(written);
        }
        // Somebody has truncated the file, or has written to it.
        if now > 0 {
            self.file.write_all(b"\n")?;
        }
        self.torn = None;
        Ok(0)
    }

    /// Whether the file has no name any more.
    fn is_deleted(&mut self) -> io::Result<bool> {
        if self.path.is_none() {
            return Ok(false);
        }
        let metadata = self.file.metadata()?;
        self.size = regular_size(&metadata);
        Ok(metadata.is_file() && metadata.nlink() == 0)
    }

    /// Rotates if a line of `length` would make the file too long. Failing to is no reason not to write.
    fn rotate_before(&mut self, length: u64) -> Option<Problem> {
        let (Some(path), Some(rotation)) = (self.path.clone(), &mut self.rotation) else { return None };
        if self.torn.is_some() || !rotation.is_due(self.size, length) {
            return None;
        }
        match rotation.rotate(&path, &self.file) {
            Ok(None) => None,
            Ok(Some(file)) => {
                (self.file, self.size) = (file, 0);
                None
            }
            Err(error) => {
                self.stale = !path.exists();
                Some(Problem(events::log_not_rotated(&path, &error)))
            }
        }
    }
}

/// Whether the file ends within a line, which a crash or a full disk has left.
fn is_torn(path: &Path) -> bool {
    let last_byte = || -> io::Result<Option<u8>> {
        let metadata = fs::metadata(path)?;
        let (true, Some(last)) = (metadata.is_file(), metadata.len().checked_sub(1)) else { return Ok(None) };
        let mut byte = [0];
        File::open(path)?.read_exact_at(&mut byte, last)?;
        Ok(Some(byte[0]))
    };
    // A file that may not be read is written to as it is.
    last_byte().is_ok_and(|byte| byte.is_some_and(|byte| byte != b'\n'))
}

/// What is no regular file, a pipe say, has no size that tells anything.
fn regular_size(metadata: &Metadata) -> u64 {
    if metadata.is_file() { metadata.len() } else { 0 }
}

/// Room may come back in the same file.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

// === impl Problem ===

impl Problem {
    fn not_open(path: &Path, error: &io::Error) -> Self {
        Self(events::log_not_writable(path, error))
    }

    pub(super) fn into_notice(self) -> Notice {
        self.0
    }
}
