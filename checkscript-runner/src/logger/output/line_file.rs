//! An open file, or standard output, that whole lines are appended to.
//!
//! A line is one `write` in append mode. If it is written in part (a full disk) the rest follows as soon as there is
//! room. If the file has been changed meanwhile (truncated, most likely) the torn part is ended by a line feed and the
//! line written anew.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::foreign_links;

/// The file and how it ends.
pub(super) struct LineFile {
    file: File,
    /// How long it is, as far as this process knows. 0 for what is no regular file.
    size: u64,
    torn: Option<Torn>,
}

/// A line that was written in part.
#[derive(Clone, Copy)]
struct Torn {
    /// How much of the line has been written.
    written: usize,
    /// Where in the file that part ends; none where the file is no regular one.
    end: Option<u64>,
}

// === impl LineFile ===

impl LineFile {
    pub(super) fn standard_output() -> io::Result<Self> {
        Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?).into())
    }

    /// Opens or creates `path`. What a crash or a full disk has left of a line at the end is ended.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = open_at_once(path)?;
        if ends_in_line(path) {
            file.write_all(b"\n")?;
        }
        let size = regular_size(&file.metadata()?);
        Ok(Self { size, ..file.into() })
    }

    pub(super) fn as_file(&self) -> &File {
        &self.file
    }

    /// How long it was when [`Self::is_deleted`] last looked. 0 for what is no regular file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether the last line has been written in part.
    pub(super) fn is_torn(&self) -> bool {
        self.torn.is_some()
    }

    /// Whether the file has no name any more.
    pub(super) fn is_deleted(&mut self) -> io::Result<bool> {
        let metadata = self.file.metadata()?;
        self.size = regular_size(&metadata);
        Ok(metadata.is_file() && metadata.nlink() == 0)
    }

    /// Writes a line. After an error the same line is to be given again.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
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
}

/// A new file, or one that is written to as it is.
impl From<File> for LineFile {
    fn from(file: File) -> Self {
        Self { file, size: 0, torn: None }
    }
}

/// Does not wait for a reader, which a pipe may never get. Once it is open lines do wait for one that is slow.
fn open_at_once(path: &Path) -> io::Result<File> {
    let file = foreign_links::open(OpenOptions::new().append(true).create(true), path)?;
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
}

/// Whether the file ends within a line, which a crash or a full disk has left.
fn ends_in_line(path: &Path) -> bool {
    let last_byte = || -> io::Result<Option<u8>> {
        let file = foreign_links::open(OpenOptions::new().read(true), path)?;
        let metadata = file.metadata()?;
        let (true, Some(last)) = (metadata.is_file(), metadata.len().checked_sub(1)) else { return Ok(None) };
        let mut byte = [0];
        file.read_exact_at(&mut byte, last)?;
        Ok(Some(byte[0]))
    };
    // A file that may not be read is written to as it is.
    last_byte().is_ok_and(|byte| byte.is_some_and(|byte| byte != b'\n'))
}

/// What is no regular file, a pipe say, has no size that tells anything.
fn regular_size(metadata: &Metadata) -> u64 {
    if metadata.is_file() { metadata.len() } else { 0 }
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
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    use std::path::PathBuf;
    use std::thread;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    const LINE: &[u8] = b"0123456789\n";

    /// A log in which four bytes of a line stand behind another line.
    fn torn() -> (tempfile::TempDir, PathBuf, LineFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = LineFile::open(&path).unwrap();
        log.append(b"before\n").unwrap();
        log.file.write_all(&LINE[..4]).unwrap();
        log.torn = Some(Torn { written: 4, end: log.position().unwrap() });
        (directory, path, log)
    }

    #[test]
    fn a_torn_line_is_completed_where_its_part_is_the_end() {
        let (_directory, path, mut log) = torn();
        log.append(LINE).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "before\n0123456789\n");
    }

    #[test]
    fn a_torn_line_is_written_anew_where_its_part_is_gone_or_is_not_the_end() {
        let (_directory, path, mut log) = torn();
        log.file.set_len(0).unwrap();
        log.append(LINE).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "0123456789\n");

        let (_directory, path, mut log) = torn();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"other").unwrap();
        log.append(LINE).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "before\n0123other\n0123456789\n");
    }

    /// A retry that fails must not take the length that it finds for the end of the part.
    #[test]
    fn a_part_that_is_truncated_while_a_retry_fails_is_not_completed() {
        let (_directory, path, mut log) = torn();
        let file = std::mem::replace(&mut log.file, File::open(&path).unwrap());
        assert!(log.append(LINE).is_err(), "not open for writing");
        file.set_len(0).unwrap();
        log.file = file;
        log.append(LINE).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "0123456789\n");
    }

    /// What the file looks like when it is truncated between the look at its length and the write.
    #[test]
    fn a_rest_without_its_head_is_followed_by_the_whole_line() {
        let (_directory, path, mut log) = torn();
        let part = log.torn.unwrap();
        log.file.set_len(0).unwrap();
        log.torn = Some(Torn { end: None, ..part });
        log.append(LINE).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "456789\n0123456789\n");
    }

    #[test]
    fn root_writes_through_no_link_in_a_directory_of_others() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("log"));
        std::os::unix::fs::symlink("target", &link).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o770)).unwrap();
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!((LineFile::open(&link).is_err(), target.exists()), (is_root, !is_root));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o750)).unwrap();
        LineFile::open(&link).unwrap().append(LINE).unwrap();
        assert_eq!(fs::read(target).unwrap(), LINE);
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_refused_at_once_and_a_slow_reader_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let refusal = LineFile::open(&path).err().unwrap();
        assert_eq!(refusal.to_string(), "a pipe that nobody reads, or a socket");

        let mut reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
        let mut log = LineFile::open(&path).unwrap();
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        // More than a pipe holds.
        let line = vec![b'x'; 1 << 20];
        let read = thread::spawn(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| bytes)
        });
        log.append(&line).unwrap();
        drop(log);
        assert_eq!(read.join().unwrap().unwrap().len(), line.len());
    }
}
