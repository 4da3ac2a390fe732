//! The groups on disk: one redb file, a record a group and one for each check ([`table`]). [`shared`] is the other place where they
//! may be.
//!
//! A commit is atomic and, with [`Sync::Always`], on the disk before it returns. The file is checked whole when it is opened, and one
//! that is damaged is refused: starting empty would silently lose what clients were promised. Beside it a copy is made now and then
//! ([`copy`]), which is what to go back to.

mod file;
mod packed;
pub mod record;
pub mod shared;
mod table;

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageError};
use service::panic_message;

pub use self::table::Change;
use self::table::{Content, write};
use crate::groups::Group;

/// How long after a failure it is tried again to make durable what is stored.
const AGAIN: Duration = Duration::from_secs(1);
/// Memory for pages of the file. It is read once, and written to in places.
const CACHE: usize = 16 << 20;

/// When a change is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before it is answered.
    Always,
    /// At the latest after this time.
    Interval(Duration),
}

/// Why the file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened or made.
    #[error("cannot open the storage {path}: {reason}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is damaged, or has lost everything.
    #[error("the storage {path} is damaged ({reason}). Nothing was changed. {ways}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What can be done.
        ways: String,
    },
    /// It is something else.
    #[error("{path} is not a store of pushgateway-ex. Nothing was changed. {ways}", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What can be done.
        ways: String,
    },
    /// There is no room.
    #[error("the storage {path} cannot grow: {reason}", path = path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What there is not enough of.
        reason: String,
    },
    /// It cannot be written.
    #[error("cannot write the storage {path}: {reason}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The open file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// None after a failure: it is opened again for the next change.
    database: Option<Database>,
    sync: Sync,
    /// When what is stored has to be durable that is not yet.
    due: Option<Instant>,
    left_out: usize,
}

/// The copy beside a file.
#[must_use]
pub fn copy_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".copy");
    name.into()
}

/// A copy that is not finished yet. What is left of one that fails would take room from the store, perhaps the last there is.
struct Unfinished<'a>(&'a Path);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // One that was finished has another name now.
        let _ = std::fs::remove_file(self.0);
    }
}

/// Makes the copy of the file `path`, of `groups` as they were at one moment: whole, then in the place of the one before.
///
/// # Errors
/// See [`StoreError`].
pub fn copy<'a>(path: &Path, groups: impl Iterator<Item = &'a Group>) -> Result<(), StoreError> {
    let copy = copy_of(path);
    let mut unfinished = copy.clone().into_os_string();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let _unfinished = Unfinished(&unfinished);
    let wrong = |error: std::io::Error| StoreError::Write { path: copy.clone(), reason: error.to_string() };
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(wrong(error)),
        _ => {}
    }
    let (mut store, _) = Store::open(&unfinished, Sync::Always)?;
    store.save(groups.map(Change::whole))?;
    store.close()?;
    std::fs::rename(&unfinished, &copy).map_err(wrong)
}

// === impl Store ===

impl Store {
    /// Opens the file, or makes it, and reads everything in it. What an older version wrote is brought to the form of now, and what it
    /// took of check results that have too many JSON values is deleted: see [`left_out`](Self::left_out).
    ///
    /// # Errors
    /// When it cannot be opened, is in use, or is damaged; or cannot be written, where there is something to bring to that form.
    pub fn open(path: &Path, sync: Sync) -> Result<(Self, Vec<Group>), StoreError> {
        let (database, Content { groups, changed, left_out }) = read(path)?;
        let mut store = Self { path: path.to_owned(), database: Some(database), sync, due: None, left_out };
        if !changed.is_empty() {
            let now: HashMap<_, _> = groups.iter().map(|group| (&group.key, group)).collect();
            store.save(changed.iter().map(|key| Change { key, before: None, now: now.get(key).copied() }))?;
        }
        Ok((store, groups))
    }

    /// How many check results were deleted when the file was opened, since they have more JSON values than are taken.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// When [`save`](Self::save) is to be called next, if only without a change: something is stored that is not durable yet.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Makes changes: all of them or, if it fails, none. What was stored before and is not durable yet may be lost then as well.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save<'a>(&mut self, changes: impl Iterator<Item = Change<'a>>) -> Result<(), StoreError> {
        let now = match self.sync {
            Sync::Always => true,
            Sync::Interval(_) => self.due.is_some_and(|due| due <= Instant::now()),
        };
        if let Err(error) = self.write(changes, now) {
            self.due = self.due.and_then(|_| Instant::now().checked_add(AGAIN));
            return Err(error);
        }
        self.due = match self.sync {
            Sync::Interval(interval) if !now => self.due.or_else(|| Instant::now().checked_add(interval)),
            _ => None,
        };
        Ok(())
    }

    fn write<'a>(&mut self, changes: impl Iterator<Item = Change<'a>>, sync: bool) -> Result<(), StoreError> {
        // Once it has failed, redb wants to be opened again.
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path, file::reopen(&self.path)?)?,
        };
        write(&database, changes, sync).map_err(|error| self.failure(error))?;
        self.database = Some(database);
        Ok(())
    }

    /// Makes everything durable and closes the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn close(mut self) -> Result<(), StoreError> {
        match self.database.take() {
            Some(database) => write(&database, std::iter::empty(), true).map_err(|error| self.failure(error)),
            None => Ok(()),
        }
    }

    fn failure(&self, error: redb::Error) -> StoreError {
        let path = self.path.clone();
        match error {
            redb::Error::Io(error) if is_full(error.kind()) => StoreError::Full { path, reason: error.to_string() },
            other => StoreError::Write { path, reason: other.to_string() },
        }
    }
}

/// The disk, the user's share of it, or what the process may have.
fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// Other bytes than there should be, or too few of them. Any other failure says nothing about what is in the file.
fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

/// Opens the file, and reads what is in it. Of some bytes that it has not written redb does not say so, but panics.
fn read(path: &Path) -> Result<(Database, Content), StoreError> {
    let damaged = |reason: String| StoreError::damaged(path, reason);
    let read = catch_unwind(|| {
        let mut database = open(path, file::open(path)?)?;
        database.check_integrity().map_err(|error| damaged(error.to_string()))?;
        let content = Content::read(&database).map_err(damaged)?;
        Ok((database, content))
    });
    read.unwrap_or_else(|panic| Err(damaged(format!("redb panicked: {}", panic_message(&*panic)))))
}

fn open(path: &Path, file: File) -> Result<Database, StoreError> {
    let database =
        FileBackend::new(file).and_then(|file| Database::builder().set_cache_size(CACHE).create_with_backend(file));
    database.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => {
            StoreError::Open { path: path.to_owned(), reason: "another process has it open".to_owned() }
        }
        DatabaseError::Storage(StorageError::Io(error)) if is_full(error.kind()) => {
            StoreError::Full { path: path.to_owned(), reason: error.to_string() }
        }
        DatabaseError::Storage(StorageError::Io(error)) if !is_damage(error.kind()) => {
            StoreError::Open { path: path.to_owned(), reason: error.to_string() }
        }
        other => StoreError::damaged(path, other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_copy_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store");
        std::fs::create_dir_all(copy_of(&file).join("taken")).unwrap();
        let error = copy(&file, std::iter::empty()).unwrap_err().to_string();
        assert!(error.contains("store.copy"), "{error}");
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["store.copy"]);
    }
}
