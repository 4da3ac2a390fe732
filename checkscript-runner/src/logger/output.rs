//! Where the lines go: a file, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::events;
use crate::notice::Notice;

/// An open log. A line is one `write`; one that was cut short is continued where it stopped.
pub(super) struct Output<W = File> {
    file: W,
    path: Option<PathBuf>,
    /// How much of the line under way has been written.
    written: usize,
    works: bool,
}

/// A log file that cannot be opened.
pub(super) struct NotOpened {
    path: PathBuf,
    error: io::Error,
}

/// A line that has not been written, or not to its end; it is to be given again.
pub(super) struct Unwritable {
    pub(super) error: io::Error,
    /// The write before worked.
    pub(super) is_news: bool,
}

// === impl Output ===

impl Output {
    pub(super) fn open(path: Option<PathBuf>) -> io::Result<(Self, Option<NotOpened>)> {
        let standard = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let mut output = Self::new(standard, path);
        let problem = output.reopen();
        Ok((output, problem))
    }

    /// Opens the path anew; on failure the present file stays.
    pub(super) fn reopen(&mut self) -> Option<NotOpened> {
        let path = self.path.as_ref()?;
        match OpenOptions::new().append(true).create(true).open(path) {
            Ok(file) => {
                self.file = file;
                self.written = 0;
                None
            }
            Err(error) => Some(NotOpened { path: path.clone(), error }),
        }
    }
}

impl<W: Write> Output<W> {
    fn new(file: W, path: Option<PathBuf>) -> Self {
        Self { file, path, written: 0, works: true }
    }

    pub(super) fn write(&mut self, line: &[u8]) -> Result<(), Unwritable> {
        while self.written < line.len() {
            match self.file.write(&line[self.written..]) {
                Ok(0) => return Err(self.failed(io::ErrorKind::WriteZero.into())),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(self.failed(error)),
            }
        }
        self.written = 0;
        self.works = true;
        Ok(())
    }

    fn failed(&mut self, error: io::Error) -> Unwritable {
        Unwritable { error, is_news: std::mem::replace(&mut self.works, false) }
    }
}

// === impl NotOpened ===

impl NotOpened {
    pub(super) fn notice(&self) -> Notice {
        events::log_not_writable(&self.path, &self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that has room for so many bytes, which no real file of a test can be made to have.
    struct Disk {
        content: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.content.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_cut_by_a_full_disk_is_completed_and_never_glued() {
        let mut output = Output::new(Disk { content: Vec::new(), room: 5 }, None);
        let told = |result: Result<(), Unwritable>| result.map_err(|unwritable| unwritable.is_news);
        assert_eq!(told(output.write(b"first\n")), Err(true));
        assert_eq!(told(output.write(b"first\n")), Err(false), "the failure is told once");
        output.file.room = 100;
        assert_eq!(told(output.write(b"first\n")), Ok(()));
        assert_eq!(told(output.write(b"second\n")), Ok(()));
        assert_eq!(output.file.content, b"first\nsecond\n");
    }
}
