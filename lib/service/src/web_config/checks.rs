//! Collecting failures and the files that were read.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_saphyr::Spanned;

/// The failures of one web config file.
#[derive(Debug)]
pub(super) struct Checks {
    file: PathBuf,
    failures: Vec<String>,
    /// Every file that was read or should have been.
    stamps: Vec<Stamp>,
}

impl Checks {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), failures: Vec::new(), stamps: Vec::new() }
    }

    /// A failure of a value.
    pub(super) fn fail<T>(&mut self, field: &str, at: &Spanned<T>, message: impl std::fmt::Display) {
        self.fail_at(at.referenced.line(), field, message);
    }

    pub(super) fn fail_at(&mut self, line: u64, field: &str, message: impl std::fmt::Display) {
        self.failures.push(format!("{}:{line}: {field}: {message}", self.file.display()));
    }

    /// A failure of the file as a whole.
    pub(super) fn fail_file(&mut self, message: impl std::fmt::Display) {
        self.failures.push(format!("{}: {message}", self.file.display()));
    }

    /// A failure at a line, in no particular field.
    pub(super) fn fail_line(&mut self, line: u64, message: impl std::fmt::Display) {
        self.failures.push(format!("{}:{line}: {message}", self.file.display()));
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

    pub(super) fn into_parts(self) -> (Vec<String>, Vec<Stamp>) {
        (self.failures, self.stamps)
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    /// Modification time, length, and inode (a renamed file may keep both); none when there is no such file.
    state: Option<(SystemTime, u64, u64)>,
}

impl Stamp {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let state = std::fs::metadata(path)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len(), metadata.ino())))
            .ok();
        Self { path: path.to_owned(), state }
    }

    pub(super) fn is_current(&self) -> bool {
        *self == Self::of(&self.path)
    }
}
