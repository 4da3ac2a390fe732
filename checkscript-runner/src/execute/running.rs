//! Which checks are under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The keys of the checks under way, the longest running first. There are at most some hundreds.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<Vec<String>>>);

/// Holds a check's place; dropped, it frees it.
pub(super) struct Guard {
    running: Running,
    key: String,
}

// === impl Running ===

impl Running {
    /// Takes the check's place, unless it is taken.
    pub(super) fn begin(&self, key: &str) -> Option<Guard> {
        let mut keys = self.lock();
        if keys.iter().any(|running| running == key) {
            return None;
        }
        keys.push(key.to_owned());
        Some(Guard { running: self.clone(), key: key.to_owned() })
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Guard ===

impl Guard {
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.running.lock().retain(|key| *key != self.key);
    }
}
