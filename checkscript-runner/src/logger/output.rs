//! Where the lines go: a file, or standard output.
//!
//! What may go wrong, and what is done about it:
//!
//! - *a line is written in part* (a full disk): see `line_file`.
//! - *deleted*, or another file moved over it: nobody could read what is written. The path is opened again and the line
//!   written there. A file that was only renamed stays in use until [`Output::reopen`], as log rotation expects.
//! - *any error but a full disk*: the path is opened again before the next try, which helps after a stale network file
//!   or a file system that came back.
//! - *the path cannot be opened* at the start or at [`Output::reopen`]: what is open, standard output or the file of
//!   before, stays in use, and the path is tried again every second until it is taken.

mod line_file;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use self::line_file::LineFile;
use super::RETRY;
use super::rotation::Rotation;
use super::status::Stream;
use crate::events;
use crate::notice::Notice;

/// An open log.
pub(super) struct Output {
    file: LineFile,
    /// Whether `file` is standard output.
    is_stdout: bool,
    /// Where the log is wanted; none for standard output.
    path: Option<PathBuf>,
    /// The path cannot be opened, and lines go elsewhere.
    away: Option<Away>,
    rotation: Option<Rotation>,
    /// The file is not worth another try: the path is to be opened again.
    stale: bool,
    /// Why the last line could not be written.
    failing: Option<String>,
    /// What is to be told in the log that is in use.
    notices: Vec<Notice>,
}

/// The time without the file that is wanted.
struct Away {
    /// How many lines have gone elsewhere.
    lines: u64,
    retry: Instant,
    error: String,
}

/// A line that has not been written, or not to its end; it is to be given again.
pub(super) struct Unwritable {
    pub(super) error: io::Error,
    /// The write before worked.
    pub(super) is_news: bool,
}

// === impl Output ===

impl Output {
    /// Opens `path`, or standard output where there is none or it cannot be opened.
    pub(super) fn open(path: Option<PathBuf>, rotation: Option<Rotation>) -> io::Result<Self> {
        let mut output = Self {
            file: LineFile::standard_output()?,
            is_stdout: true,
            path,
            away: None,
            rotation,
            stale: false,
            failing: None,
            notices: Vec::new(),
        };
        output.reopen();
        Ok(output)
    }

    /// Opens the path anew. On failure what is open stays in use; that is told, and the path is to be tried again.
    pub(super) fn reopen(&mut self) {
        if let (Err(error), Some(path)) = (self.open_named(), &self.path) {
            self.notices.push(events::log_not_writable(path, &error));
            let lines = self.away.as_ref().map_or(0, |away| away.lines);
            self.away = Some(Away::new(lines, &error));
        }
    }

    /// When the path is to be tried again, if it is.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.away.as_ref().map(|away| away.retry)
    }

    /// Tries the path again: as [`Self::reopen`], but that it fails has been told.
    pub(super) fn retry(&mut self) {
        if let Err(error) = self.open_named() {
            self.away = self.away.take().map(|away| Away::new(away.lines, &error));
        }
    }

    /// Writes one line, line feed included. After an error the same line is to be given again before any other.
    pub(super) fn write(&mut self, line: &[u8]) -> Result<(), Unwritable> {
        match self.attempt(line) {
            Ok(()) => {
                self.failing = None;
                if let Some(away) = &mut self.away {
                    away.lines += 1;
                }
                Ok(())
            }
            Err(error) => {
                self.stale |= !self.is_stdout && !is_full(&error);
                let is_news = self.failing.replace(error.to_string()).is_none();
                Err(Unwritable { error, is_news })
            }
        }
    }

    /// What went wrong or has become right since this was last asked.
    pub(super) fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn stream(&self) -> Stream {
        match (&self.failing, &self.away) {
            (Some(_), _) => Stream::None,
            (None, Some(_)) if self.is_stdout => Stream::Fallback,
            (None, Some(_)) => Stream::Previous,
            (None, None) if self.is_stdout => Stream::StandardOutput,
            (None, None) => Stream::File,
        }
    }

    /// Why the stream is not the one that is wanted.
    pub(super) fn error(&self) -> Option<&str> {
        self.failing.as_deref().or(self.away.as_ref().map(|away| away.error.as_str()))
    }

    fn attempt(&mut self, line: &[u8]) -> io::Result<()> {
        // Before the line is written: a reader that follows the deleted file as well as the new one would see it twice.
        if self.stale || self.is_deleted()? {
            self.stale = true;
            self.open_named()?;
        }
        self.rotate_before(line.len() as u64);
        self.file.append(line)?;
        // Deleted in between: twice for a reader that still has that file rather than never for all others.
        if self.is_deleted()? {
            self.stale = true;
            self.open_named()?;
            self.file.append(line)?;
        }
        Ok(())
    }

    /// Opens the path, if there is one; what is open stays if that fails.
    fn open_named(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = LineFile::open(path)?;
        if let Some(away) = self.away.take() {
            self.notices.push(events::log_opened(path, away.lines));
        }
        (self.file, self.is_stdout, self.stale) = (file, false, false);
        Ok(())
    }

    fn is_deleted(&mut self) -> io::Result<bool> {
        Ok(!self.is_stdout && self.file.is_deleted()?)
    }

    /// Rotates if a line of `length` would make the file too long. Failing to is no reason not to write.
    fn rotate_before(&mut self, length: u64) {
        let (Some(path), Some(rotation)) = (&self.path, &mut self.rotation) else { return };
        if self.file.is_torn() || self.away.is_some() || !rotation.is_due(self.file.size(), length) {
            return;
        }
        match rotation.rotate(path, self.file.as_file()) {
            Ok(None) => (),
            Ok(Some(file)) => self.file = file.into(),
            Err(error) => {
                self.stale = !path.exists();
                self.notices.push(events::log_not_rotated(path, &error));
            }
        }
    }
}

/// Room may come back in the same file.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

// === impl Away ===

impl Away {
    fn new(lines: u64, error: &io::Error) -> Self {
        Self { lines, retry: Instant::now() + RETRY, error: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LINE: &[u8] = b"0123456789\n";

    #[test]
    fn a_path_that_cannot_be_opened_is_told_once_and_counts_what_goes_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut output = Output::open(Some(path.clone()), None).unwrap();
        fs::rename(&path, directory.path().join("moved")).unwrap();
        fs::create_dir(&path).unwrap();
        output.reopen();
        let told = |output: &mut Output| output.notices().into_iter().map(|notice| notice.message).collect::<Vec<_>>();
        assert_eq!(told(&mut output), ["log file is not writable"]);
        output.write(LINE).ok().unwrap();
        output.retry();
        output.write(LINE).ok().unwrap();
        assert_eq!((told(&mut output).len(), output.stream()), (0, Stream::Previous));
        fs::remove_dir(&path).unwrap();
        output.retry();
        let opened = output.notices();
        assert_eq!((opened.len(), &opened[0].fields["lines"]), (1, &2.into()));
        assert_eq!((output.stream(), output.retry_at()), (Stream::File, None));
        output.write(LINE).ok().unwrap();
        assert_eq!(fs::read(&path).unwrap(), LINE);
    }
}
