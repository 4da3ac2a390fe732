//! When the state file is read and written, and by whom.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Saved;
use super::lock::{Lock, LockError, StateFileInUse};
use crate::events::Events;

/// How long after a failure a save is tried again, where the interval is longer: a full disk may be mended by then, and a quiet log
/// gives no other occasion.
const RETRY: Duration = Duration::from_secs(10);

/// A state file that this process alone uses.
#[derive(Debug)]
pub(crate) struct StateKeeper {
    path: PathBuf,
    every: Duration,
    /// None where the file's directory could not be written so far.
    lock: Option<Lock>,
    /// When the last one was written, or tried to.
    saved: Instant,
    failed: bool,
    changed: bool,
}

// === impl StateKeeper ===

impl StateKeeper {
    pub(crate) fn open(path: PathBuf, every: Duration, events: &Events) -> Result<Self, StateFileInUse> {
        let lock = match Lock::of(&path) {
            Ok(lock) => Some(lock),
            Err(LockError::InUse(in_use)) => return Err(in_use),
            // Agents on a read-only or full disk still serve what the logs say.
            Err(LockError::Io(error)) => {
                events.state_unlocked(&path, &error);
                None
            }
        };
        Ok(Self { path, every, lock, saved: Instant::now(), failed: false, changed: false })
    }

    /// What was saved; none if there is no file, or none that is good.
    pub(crate) fn load(&self, events: &Events) -> Option<Saved> {
        match Saved::load(&self.path) {
            Ok(Some(saved)) => {
                events.state_loaded(&self.path, saved.checks.len());
                return Some(saved);
            }
            Ok(None) => events.state_missing(&self.path),
            Err(error) => events.state_unusable(&self.path, &error),
        }
        None
    }

    /// Notes whether there is something to save.
    pub(crate) fn note(&mut self, changed: bool) {
        self.changed |= changed;
    }

    /// Whether it is time to save.
    pub(crate) fn is_due(&self) -> bool {
        let wait = if self.failed { self.every.min(RETRY) } else { self.every };
        (self.changed || self.failed) && self.saved.elapsed() >= wait
    }

    pub(crate) fn store(&mut self, saved: &mut Saved, events: &Events) {
        let stored = self.locked().and_then(|()| saved.store(&self.path));
        match &stored {
            Ok(bytes) => events.state_written(&self.path, *bytes, Timestamp::now()),
            Err(error) => events.state_unwritable(&self.path, error),
        }
        (self.saved, self.failed, self.changed) = (Instant::now(), stored.is_err(), false);
    }

    fn locked(&mut self) -> io::Result<()> {
        if self.lock.is_none() {
            self.lock = Some(Lock::of(&self.path)?);
        }
        Ok(())
    }
}
