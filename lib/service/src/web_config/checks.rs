//! What the checks of one file share: where failures are noted, and the files that were read.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::{Failures, Located};

/// The checks of one web config file.
#[derive(Debug)]
pub(super) struct Checks<'a> {
    file: &'a Path,
    failures: &'a Failures,
    /// Every file that was read or should have been.
    stamps: &'a mut Vec<Stamp>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(file: &'a Path, failures: &'a Failures, stamps: &'a mut Vec<Stamp>) -> Self {
        Self { file, failures, stamps }
    }

    /// A failure of a value.
    pub(super) fn fail<T>(&self, field: &str, at: &Located<T>, message: impl std::fmt::Display) {
        self.fail_at(at.line, field, message);
    }

    pub(super) fn fail_at(&self, line: u64, field: &str, message: impl std::fmt::Display) {
        self.failures.add(line, field, message);
    }

    /// Reads a file and remembers its state of before, so that a later change shows.
    pub(super) fn read(&mut self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.stamps.push(Stamp::of(path));
        std::fs::read(path)
    }

    /// A path as written in the file: a relative one is relative to the file's folder.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    path: PathBuf,
    /// Modification time, length, and inode (a renamed file may keep both); none when there is no such file.
    state: Option<(SystemTime, u64, u64)>,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let state = std::fs::metadata(path)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len(), metadata.ino())))
            .ok();
        Self { path: path.to_owned(), state }
    }

    pub(crate) fn is_current(&self) -> bool {
        *self == Self::of(&self.path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
