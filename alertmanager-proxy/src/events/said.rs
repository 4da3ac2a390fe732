//! Which messages are logged: each kind once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a repeated message stays silent.
const SILENCE: Duration = Duration::from_secs(60);

/// When each kind of message, an event and its reason, was last logged. Both come from the code, so there are few.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<HashMap<(&'static str, &'static str), Instant>>);

impl Said {
    /// Whether a message of this kind may be logged now: once a minute.
    pub(super) fn due(&self, event: &'static str, reason: &'static str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = said.get(&(event, reason)).is_none_or(|last| last.elapsed() >= SILENCE);
        if due {
            said.insert((event, reason), Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_message_is_silent_for_itself() {
        let said = Said::default();
        for why in ["stale", "rejected"] {
            assert!(said.due("dropped", why), "{why}");
            assert!(!said.due("dropped", why), "{why}");
        }
        let minute_ago = Instant::now().checked_sub(SILENCE).unwrap();
        said.0.lock().unwrap().insert(("dropped", "rejected"), minute_ago);
        assert!(said.due("dropped", "rejected"));
        assert!(!said.due("dropped", "stale"));
    }
}
