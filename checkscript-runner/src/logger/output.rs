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
//! - *the path cannot be opened* at the start or at [`Output::reopen`]: what is open, standard output or the file of
//!   before, stays in use, and the path is tried again every second until it is taken.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::RETRY;
use super::rotation::Rotation;
use super::status::Stream;
use crate::events;
use crate::notice::Notice;

/// An open log.
pub(super) struct Output {
    file: File,
    /// Whether `file` is standard output.
    is_stdout: bool,
    /// Where the log is wanted; none for standard output.
    path: Option<PathBuf>,
    /// The path cannot be opened, and lines go elsewhere.
    away: Option<Away>,
    rotation: Option<Rotation>,
    /// How long the file is, as far as this process knows. 0 for what is no regular file.
    size: u64,
    torn: Option<Torn>,
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

/// A line that was written in part.
#[derive(Clone, Copy)]
struct Torn {
    /// How much of the line has been written.
    written: usize,
    /// Where in the file that part ends; none where the file is no regular one.
    end: Option<u64>,
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
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let mut output = Self {
            file,
            is_stdout: true,
            path,
            away: None,
            rotation,
            size: 0,
            torn: None,
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
        self.append(line)?;
        // Deleted in between: twice for a reader that still has that file rather than never for all others.
        if self.is_deleted()? {
            self.stale = true;
            self.open_named()?;
            self.append(line)?;
        }
        Ok(())
    }

    /// Opens the path, if there is one; what is open stays if that fails.
    fn open_named(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        if is_torn(path) {
            file.write_all(b"\n")?;
        }
        self.size = regular_size(&file.metadata()?);
        if let Some(away) = self.away.take() {
            self.notices.push(events::log_opened(path, away.lines));
        }
        (self.file, self.is_stdout, self.torn, self.stale) = (file, false, None, false);
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.leave_changed()?;
        loop {
            let torn = self.torn;
            let written = torn.map_or(0, |torn| torn.written);
            let count = match self.file.write(&line[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if torn.is_none() && count == line.len() {
                return Ok(());
            }
            let now = Torn { written: written + count, end: self.position()? };
            self.torn = Some(now);
            if torn.is_some_and(|torn| !torn.is_followed_by(count, now)) {
                // Changed since it was looked at: what has just been written has lost its head.
                self.end_torn(now.written == line.len())?;
            } else if now.written == line.len() {
                self.torn = None;
                return Ok(());
            }
        }
    }

    /// Somebody has truncated a file that ends in a torn line, or has written to it: the line is to be written anew.
    fn leave_changed(&mut self) -> io::Result<()> {
        let Some(Torn { end: Some(end), .. }) = self.torn else { return Ok(()) };
        let now = regular_size(&self.file.metadata()?);
        if now == end { Ok(()) } else { self.end_torn(now == 0) }
    }

    /// Gives up a torn line, by a line feed unless the file is at the beginning of a line.
    fn end_torn(&mut self, is_ended: bool) -> io::Result<()> {
        if !is_ended {
            self.file.write_all(b"\n")?;
        }
        self.torn = None;
        Ok(())
    }

    /// Where the last write has ended. The file's length would not tell: it may have been truncated since.
    fn position(&mut self) -> io::Result<Option<u64>> {
        if self.file.metadata()?.is_file() { self.file.stream_position().map(Some) } else { Ok(None) }
    }

    /// Whether the file has no name any more.
    fn is_deleted(&mut self) -> io::Result<bool> {
        if self.is_stdout {
            return Ok(false);
        }
        let metadata = self.file.metadata()?;
        self.size = regular_size(&metadata);
        Ok(metadata.is_file() && metadata.nlink() == 0)
    }

    /// Rotates if a line of `length` would make the file too long. Failing to is no reason not to write.
    fn rotate_before(&mut self, length: u64) {
        let (Some(path), Some(rotation)) = (&self.path, &mut self.rotation) else { return };
        if self.torn.is_some() || self.away.is_some() || !rotation.is_due(self.size, length) {
            return;
        }
        match rotation.rotate(path, &self.file) {
            Ok(None) => (),
            Ok(Some(file)) => (self.file, self.size) = (file, 0),
            Err(error) => {
                self.stale = !path.exists();
                self.notices.push(events::log_not_rotated(path, &error));
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

// === impl Away ===

impl Away {
    fn new(lines: u64, error: &io::Error) -> Self {
        Self { lines, retry: Instant::now() + RETRY, error: error.to_string() }
    }
}

// === impl Torn ===

impl Torn {
    /// Whether the `count` bytes that a write has added, `now` the end, stand right behind this part.
    fn is_followed_by(self, count: usize, now: Self) -> bool {
        self.end.map(|end| end + count as u64) == now.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"0123456789\n";

    /// A log in which four bytes of a line stand behind another line.
    fn torn() -> (tempfile::TempDir, PathBuf, Output) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut output = Output::open(Some(path.clone()), None).unwrap();
        output.write(b"before\n").ok().unwrap();
        output.file.write_all(&LINE[..4]).unwrap();
        output.torn = Some(Torn { written: 4, end: output.position().unwrap() });
        (directory, path, output)
    }

    #[test]
    fn a_torn_line_is_completed_where_its_part_is_the_end() {
        let (_directory, path, mut output) = torn();
        output.write(LINE).ok().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "before\n0123456789\n");
    }

    #[test]
    fn a_torn_line_is_written_anew_where_its_part_is_gone_or_is_not_the_end() {
        let (_directory, path, mut output) = torn();
        output.file.set_len(0).unwrap();
        output.write(LINE).ok().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "0123456789\n");

        let (_directory, path, mut output) = torn();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"other").unwrap();
        output.write(LINE).ok().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "before\n0123other\n0123456789\n");
    }

    /// A retry that fails must not take the length that it finds for the end of the part.
    #[test]
    fn a_part_that_is_truncated_while_a_retry_fails_is_not_completed() {
        let (_directory, path, mut output) = torn();
        let log = std::mem::replace(&mut output.file, File::open(&path).unwrap());
        assert!(output.append(LINE).is_err(), "not open for writing");
        log.set_len(0).unwrap();
        output.file = log;
        output.append(LINE).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "0123456789\n");
    }

    /// What the file looks like when it is truncated between the look at its length and the write.
    #[test]
    fn a_rest_without_its_head_is_followed_by_the_whole_line() {
        let (_directory, path, mut output) = torn();
        let part = output.torn.unwrap();
        output.file.set_len(0).unwrap();
        output.torn = Some(Torn { end: None, ..part });
        output.append(LINE).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "456789\n0123456789\n");
    }

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
