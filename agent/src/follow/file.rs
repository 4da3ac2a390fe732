//! One log followed by its name.
//!
//! What a name points to changes under a reader in three ways, and each has its own sign:
//!
//! - *rename* or *delete and create*: the name has another inode. The old one is read on until the new one holds a line,
//!   because a writer goes on writing into the renamed file until it is told to reopen.
//! - *copytruncate*: the same inode, smaller than what was read; or, when the writer was quick, as large again but with
//!   another beginning, which is why the head of the file is remembered.
//! - *gone*: no such name. The old inode is read on; the name is waited for.
//!
//! Lines written between the copy and the truncation of a copytruncate are lost to every reader; rename loses nothing.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::lines::{Lines, Piece};

/// How many bytes of a file's beginning tell it from what replaced it in place: a time stamp to the microsecond is in them.
const HEAD: usize = 128;

/// Follows one name.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    current: Option<Open>,
    /// The file that had the name before, while its writer may still use it.
    previous: Option<Open>,
    /// Whether the rotated sibling is still to be read.
    first_look: bool,
}

/// What one look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looked {
    /// Whether the name exists.
    pub(super) exists: bool,
    /// How the file was rotated since the last look, if it was.
    pub(super) rotated: Option<Rotation>,
}

/// How a log was rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Another file has the name.
    Replaced,
    /// The file was emptied in place.
    Truncated,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    read: u64,
    head: Vec<u8>,
    lines: Lines,
}

// === impl LogFile ===

impl LogFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), current: None, previous: None, first_look: true }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is new.
    pub(super) fn look(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<Looked> {
        if std::mem::take(&mut self.first_look) {
            self.read_sibling(out)?;
        }
        let previous = self.previous.as_mut().map_or(Ok(false), |previous| previous.read_new(out));
        let truncated = match &mut self.current {
            Some(current) => current.read_new(out)?,
            None => false,
        };
        let replaced = self.follow_name(out)?;
        let rotated = match (replaced, truncated) {
            (Some(true), _) => Some(Rotation::Replaced),
            (_, true) => Some(Rotation::Truncated),
            _ => None,
        };
        // What has gone wrong with the old file is told, but it does not keep us from the new one.
        previous.map(|_| Looked { exists: replaced.is_some(), rotated })
    }

    /// Opens what the name points to if that is another file than before. `None`: no such name; else whether a file was replaced.
    fn follow_name(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<Option<bool>> {
        let named = match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => identity(&metadata),
            // Opening a FIFO would block, a directory cannot be read.
            Ok(_) => return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let known = self.current.as_ref().map(|current| current.identity);
        if known != Some(named) {
            let opened = Open::path(&self.path)?;
            // A third file within two looks: the oldest will get no more lines that anybody waits for.
            if let Some(mut oldest) = std::mem::replace(&mut self.previous, self.current.replace(opened)) {
                oldest.lines.flush(out);
            }
        }
        let current = self.current.as_mut().expect("it was opened above or before");
        // The order matters: bytes in the new file mean that the writer has left the old one, whose last lines are there then.
        if current.file.metadata()?.len() > 0
            && let Some(mut previous) = self.previous.take()
        {
            previous.read_new(out)?;
            previous.lines.flush(out);
        }
        current.read_new(out)?;
        Ok(Some(known.is_some_and(|known| known != named)))
    }

    fn read_sibling(&self, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(".1");
        match Open::path(Path::new(&name)) {
            Ok(mut sibling) => {
                sibling.read_new(out)?;
                sibling.lines.flush(out);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

// === impl Open ===

impl Open {
    fn path(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let identity = identity(&file.metadata()?);
        Ok(Self { file, identity, read: 0, head: Vec::new(), lines: Lines::default() })
    }

    /// Reads up to the end; true if the file was truncated since the last time.
    fn read_new(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        if size == self.read {
            return Ok(false);
        }
        let truncated = size < self.read || !self.has_head()?;
        if truncated {
            self.lines.flush(out);
            self.read = 0;
            self.head.clear();
        }
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match self.file.read_at(&mut buffer, self.read) {
                Ok(0) => return Ok(truncated),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &buffer[..count];
            let missing = HEAD.saturating_sub(self.head.len()).min(count);
            self.head.extend_from_slice(&bytes[..missing]);
            self.lines.push(bytes, out);
            self.read += count as u64;
        }
    }

    /// Whether the file still begins as it did.
    fn has_head(&self) -> io::Result<bool> {
        let mut head = vec![0; self.head.len()];
        match self.file.read_exact_at(&mut head, 0) {
            Ok(()) => Ok(head == self.head),
            // Truncated while we looked.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use tempfile::TempDir;

    use super::*;

    struct Log {
        folder: TempDir,
        file: LogFile,
    }

    impl Log {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = LogFile::new(&folder.path().join("log"));
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
            let looked = self.file.look(&mut |piece| match piece {
                Piece::Line(line) => lines.push(String::from_utf8_lossy(line).into_owned()),
                Piece::TooLong => panic!("no line is that long"),
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
        assert!(log.file.look(&mut |_| {}).is_err());
        fs::remove_dir(log.path("log")).unwrap();
        log.append("log", "a\n");
        assert_eq!(log.look(), seen("a"));
    }
}
