//! The file itself, before the library has it: to the library one that has lost everything is a new one.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{StoreError, copy_of};

/// What the library's files begin with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// Opens the file, or makes it where there was never one, readable to nobody else.
pub(super) fn open(path: &Path) -> Result<File, StoreError> {
    let copied = copy_of(path).exists();
    let file = match options().open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && copied => {
            return Err(StoreError::damaged(path, "it is gone, but not its copy".to_owned()));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => options().create_new(true).open(path),
        other => return checked(path, other.map_err(|error| cannot_open(path, &error))?, copied),
    };
    file.map_err(|error| cannot_open(path, &error))
}

/// Opens the file that there was before.
pub(super) fn reopen(path: &Path) -> Result<File, StoreError> {
    let file = options().create(false).open(path).map_err(|error| cannot_open(path, &error))?;
    checked(path, file, true)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Refuses what the library would overwrite, or call by the wrong name.
fn checked(path: &Path, file: File, had_groups: bool) -> Result<File, StoreError> {
    let mut start = [0; MAGIC.len()];
    let length = file.read_at(&mut start, 0).map_err(|error| cannot_open(path, &error))?;
    let start = &start[..length];
    if start.is_empty() && had_groups {
        return Err(StoreError::damaged(path, "it is empty".to_owned()));
    }
    if start.is_empty() {
        tracing::warn!(file = %path.display(), "The storage {} is an empty file: starting with no groups", path.display());
    }
    // Zeros are what a file system leaves of something.
    if !MAGIC.starts_with(start) && start.iter().any(|&byte| byte != 0) {
        return Err(StoreError::foreign(path));
    }
    Ok(file)
}

fn cannot_open(path: &Path, error: &Error) -> StoreError {
    StoreError::Open { path: path.to_owned(), reason: error.to_string() }
}

// === impl StoreError ===

impl StoreError {
    /// A file that is damaged, and what can be done.
    pub(super) fn damaged(path: &Path, reason: String) -> Self {
        let (copy, shown) = (copy_of(path), path.display());
        let away = path.exists().then(|| format!("mv {shown} {shown}.damaged"));
        let copied = copy.exists().then(|| copy.display());
        let old = copied.as_ref().map(|copy| format!("mv {copy} {copy}.old"));
        let without = away.into_iter().chain(old).collect::<Vec<_>>().join(" && ");
        let ways = match copied {
            Some(copy) => {
                format!("Either go back to its last copy (mv {copy} {shown}), or start without what it had ({without})")
            }
            None => format!("There is no copy of it. To start without what it had: {without}"),
        };
        Self::Damaged { path: path.to_owned(), reason, ways }
    }

    fn foreign(path: &Path) -> Self {
        let (copy, shown) = (copy_of(path), path.display());
        let mut ways =
            format!("Name another file with --persistence.file, or move this one away (mv {shown} {shown}.old)");
        if copy.exists() {
            ways.push_str(&format!(" and go back to the last copy of a store (mv {} {shown})", copy.display()));
        }
        Self::Foreign { path: path.to_owned(), ways }
    }
}
