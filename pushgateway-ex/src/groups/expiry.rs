//! Groups whose time is over: those that were pushed with a time to live, and not pushed again within it.

use clap::ValueEnum;
use jiff::Timestamp;

use super::{Group, Groups};
use crate::labels::Key;

/// Groups that expire at a time: the rest does a moment later.
const AT_A_TIME: usize = 100_000;

/// What becomes of a group whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Expired {
    /// It is deleted.
    Delete,
    /// It stays as it is, and its metrics get a `push_expired` that is 1.
    Mark,
}

impl Groups {
    /// Whether the time of some group is over.
    pub fn expires_by(&self, now: Timestamp) -> bool {
        self.expiring.get_min().is_some_and(|(at, _)| *at <= now)
    }

    /// Deletes or marks groups whose time is over, no more of them than are stored well together, and says which they are.
    pub fn expire(&mut self, now: Timestamp, how: Expired) -> Vec<Key> {
        let due = self.expiring.iter().take_while(|(at, _)| *at <= now).take(AT_A_TIME);
        let due: Vec<_> = due.map(|(_, key)| key.clone()).collect();
        for key in &due {
            match (how, self.get(key).map(|group| Group::clone(group))) {
                (Expired::Mark, Some(group)) => self.put(Group { expired: true, ..group }),
                _ => drop(self.delete(key)),
            }
        }
        due
    }

    pub(super) fn no_longer_expiring(&mut self, group: &Group) {
        if let Some(expires) = group.expires {
            self.expiring.remove(&(expires, group.key.clone()));
        }
    }
}
