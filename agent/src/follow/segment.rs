//! One open file of a log: the one that has the log's name, or a rotated one, plain or gzip.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::MultiGzDecoder;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use super::lines::{Lines, Piece};
use super::siblings;

/// How many bytes of a file's beginning tell it from others: the first line's time stamp, to the microsecond, is in them.
const HEAD: usize = 1024;

/// How many of them do so: a time stamp has come by then. Shorter beginnings tell a file only with its inode.
const TELLING: usize = 64;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// How far a log was read: a file, told by its inode or, where it was copied or compressed since, by its beginning; and how many
/// bytes of it are done, whole lines only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    device: u64,
    inode: u64,
    offset: u64,
    /// Length and CRC-32 of the file's beginning.
    head: (u64, u32),
    /// When the file was last written to, as far as was seen, in epoch seconds.
    pub(super) modified: i64,
}

#[derive(Debug)]
pub(super) struct Segment {
    /// What the file was called when it was opened.
    path: PathBuf,
    source: Source,
    identity: Identity,
    /// Bytes read, after decompression.
    read: u64,
    head: Vec<u8>,
    lines: Lines,
    modified: i64,
    /// When the file was last written to before it was opened, to the nanosecond.
    modified_at_open: (i64, i64),
}

enum Source {
    Plain(File),
    Gzip(Box<MultiGzDecoder<File>>),
    /// What is left cannot be read any more: the file was emptied in place.
    Lost,
}

// === impl Position ===

impl Position {
    pub(super) fn identity(&self) -> Identity {
        (self.device, self.inode)
    }
}

// === impl Segment ===

impl Segment {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // To open a FIFO would wait for its writer, or let it go on.
        regular(&std::fs::metadata(path)?)?;
        // Nor does it wait for one that has come here just now.
        let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        let metadata = file.metadata()?;
        regular(&metadata)?;
        let mut magic = [0; 2];
        let source = match file.read_exact_at(&mut magic, 0) {
            Ok(()) if magic == GZIP_MAGIC => Source::Gzip(Box::new(MultiGzDecoder::new(file))),
            _ if compressed_otherwise(path) => {
                return Err(io::Error::new(ErrorKind::Unsupported, "of compressed logs only gzip is read"));
            }
            _ => Source::Plain(file),
        };
        let identity = identity(&metadata);
        let modified_at_open = (metadata.mtime(), metadata.mtime_nsec());
        let modified = metadata.mtime();
        let (path, head, lines) = (path.to_owned(), Vec::new(), Lines::default());
        Ok(Self { path, source, identity, read: 0, head, lines, modified, modified_at_open })
    }

    /// What the file was called when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    pub(super) fn is_compressed(&self) -> bool {
        matches!(self.source, Source::Gzip(_))
    }

    /// When the file was last written to, as far as was seen, in epoch seconds.
    pub(super) fn modified(&self) -> i64 {
        self.modified
    }

    /// How far the file is read in whole lines; none before the first.
    pub(super) fn position(&self) -> Option<Position> {
        self.at(self.read - self.lines.pending())
    }

    /// How far the file is read, be it within a line; none at its very beginning.
    pub(super) fn place(&self) -> Option<Position> {
        self.at(self.read)
    }

    fn at(&self, offset: u64) -> Option<Position> {
        let (device, inode) = self.identity;
        let head = (self.head.len() as u64, crc(&self.head));
        (offset > 0).then_some(Position { device, inode, offset, head, modified: self.modified })
    }

    /// Bytes that are there and not read in whole lines yet; unknown, and 0, of compressed files.
    pub(super) fn behind(&self) -> u64 {
        let size = match &self.source {
            Source::Plain(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Source::Gzip(_) | Source::Lost => return 0,
        };
        (size + self.lines.pending()).saturating_sub(self.read)
    }

    /// Whether anything was written to it.
    pub(super) fn has_bytes(&self) -> bool {
        match &self.source {
            Source::Plain(file) => file.metadata().is_ok_and(|metadata| metadata.len() > 0),
            Source::Gzip(_) | Source::Lost => true,
        }
    }

    /// Whether the file was emptied in place since it was read: it is shorter, or begins with something else.
    pub(super) fn is_truncated(&self) -> io::Result<bool> {
        let Source::Plain(file) = &self.source else { return Ok(false) };
        let size = file.metadata()?.len();
        Ok(size < self.read || !begins_with(file, &self.head)?)
    }

    /// Whether it was empty so far and was written to since. What was written may have been copied and truncated away already.
    pub(super) fn is_begun(&self) -> io::Result<bool> {
        let Source::Plain(file) = &self.source else { return Ok(false) };
        let metadata = file.metadata()?;
        Ok(self.read == 0 && (metadata.mtime(), metadata.mtime_nsec()) != self.modified_at_open)
    }

    /// Goes on in the copy that was made of the file before it was emptied, which [`Segment::resume`] has brought to the same
    /// place. Without one, what is unread is lost; the line begun is all that is left.
    pub(super) fn go_on_in(&mut self, copy: Option<Self>) {
        (self.source, self.identity) = match copy {
            Some(Self { path, source, identity, .. }) => {
                self.path = path;
                (source, identity)
            }
            None => (Source::Lost, (0, 0)),
        };
    }

    /// Whether `other`, just opened, is this file under another name, or a compressed copy of it.
    pub(super) fn is_same(&self, other: &mut Self) -> bool {
        if self.identity == other.identity {
            return true;
        }
        let (Ok(own), Ok(others)) = (self.beginning(), other.beginning_of_new()) else { return false };
        let len = own.len().min(others.len());
        len >= TELLING && own[..len] == others[..len]
    }

    /// The first [`HEAD`] bytes as they are now, or as they were read.
    fn beginning(&self) -> io::Result<Vec<u8>> {
        match &self.source {
            Source::Plain(file) => beginning(file),
            Source::Gzip(_) | Source::Lost => Ok(self.head.clone()),
        }
    }

    /// The first [`HEAD`] bytes of a file that was not read yet.
    fn beginning_of_new(&mut self) -> io::Result<Vec<u8>> {
        let Source::Gzip(decoder) = &mut self.source else { return self.beginning() };
        let mut head = Vec::new();
        let read = decoder.take(HEAD as u64).read_to_end(&mut head);
        self.source.rewind()?;
        read.map(|_| head)
    }

    /// Brings a file just opened to `at`; false, at its beginning as it was, if it is another file.
    pub(super) fn resume(&mut self, at: &Position) -> io::Result<bool> {
        let len = usize::try_from(at.head.0).unwrap_or(HEAD).min(HEAD);
        if self.identity != (at.device, at.inode) && len < TELLING {
            return Ok(false);
        }
        if let Source::Plain(file) = &self.source
            && file.metadata()?.len() < at.offset
        {
            return Ok(false);
        }
        let head = self.beginning_of_new()?;
        let same = head.len() >= len && crc(&head[..len]) == at.head.1;
        if same {
            self.skip_to(at.offset)?;
        }
        Ok(same)
    }

    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        while self.read < offset && (self.is_compressed() || self.head.len() < HEAD) {
            let most = usize::try_from(offset - self.read).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.source.read(&mut buffer[..most], self.read)?;
            if count == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "it is shorter than what was read of it"));
            }
            self.note_head(&buffer[..count]);
            self.read += count as u64;
        }
        self.read = offset;
        Ok(())
    }

    /// Reads up to the end, at most about `budget` bytes, which are taken from it. A file is begun only when its beginning tells
    /// it from others, unless it is `complete`.
    pub(super) fn read(&mut self, budget: &mut u64, complete: bool, out: &mut dyn FnMut(Piece<'_>)) -> io::Result<()> {
        if let Source::Plain(file) = &self.source {
            let metadata = file.metadata()?;
            self.modified = metadata.mtime();
            if metadata.len() <= self.read {
                return Ok(());
            }
            let is_telling = |head: &[u8]| head.len() >= TELLING || head.contains(&b'\n');
            if self.read == 0 && !complete && !is_telling(&beginning(file)?) {
                return Ok(());
            }
        }
        let mut buffer = vec![0; 64 << 10];
        while *budget > 0 {
            let count = match self.source.read(&mut buffer, self.read) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &buffer[..count];
            self.note_head(bytes);
            self.lines.push(bytes, out);
            self.read += count as u64;
            *budget = budget.saturating_sub(count as u64);
        }
        Ok(())
    }

    /// Hands out a last line without its line feed: nothing will follow it.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        self.lines.flush(out);
    }

    fn note_head(&mut self, bytes: &[u8]) {
        let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
    }
}

// === impl Source ===

impl Source {
    fn read(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, at),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Lost => Ok(0),
        }
    }

    /// A decoder only goes forward: to begin again, another one is made.
    fn rewind(&mut self) -> io::Result<()> {
        if let Self::Gzip(decoder) = self {
            let mut file = decoder.get_ref();
            file.rewind()?;
            **decoder = MultiGzDecoder::new(file.try_clone()?);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
            Self::Lost => "Lost",
        })
    }
}

pub(super) fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

fn compressed_otherwise(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    siblings::COMPRESSED.iter().any(|end| *end != ".gz" && name.ends_with(end))
}

fn begins_with(file: &File, head: &[u8]) -> io::Result<bool> {
    Ok(beginning(file)?.starts_with(head))
}

fn beginning(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match file.read_at(&mut head[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(filled);
    Ok(head)
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
