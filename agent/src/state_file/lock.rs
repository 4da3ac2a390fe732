//! One state file, one agent: two would each undo what the other has saved.
//!
//! The lock is on a file beside it, which is never replaced or deleted: the state file itself is another inode after each save. The
//! kernel gives the lock back when the process is gone, however it ended.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Another process uses a state file.
#[derive(Debug, thiserror::Error)]
#[error(
    "another process uses state file {}, it holds the lock {}: stop it, or give each agent a file of its own with --state.file",
    state.display(),
    lock.display()
)]
pub struct StateFileInUse {
    state: PathBuf,
    lock: PathBuf,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    #[error(transparent)]
    InUse(#[from] StateFileInUse),
    #[error(transparent)]
    Io(#[from] io::Error),
}

// === impl Lock ===

impl Lock {
    pub(super) fn of(state: &Path) -> Result<Self, LockError> {
        let path = PathBuf::from(format!("{}.lock", state.display()));
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateFileInUse { state: state.to_owned(), lock: path }.into()),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

// === impl LockError ===

impl From<LockError> for io::Error {
    fn from(error: LockError) -> Self {
        match error {
            LockError::InUse(in_use) => Self::other(in_use),
            LockError::Io(error) => error,
        }
    }
}
