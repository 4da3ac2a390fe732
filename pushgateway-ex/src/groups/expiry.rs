//! What was pushed with a time to live, and not pushed again within it: groups of metrics as a whole, check results each for
//! itself.
//!
//! The index has the first end of each group. When that has come, the group's others are looked at as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use check_result::{CheckKey, CheckResult, CheckState};
use clap::ValueEnum;
use jiff::Timestamp;

use super::{Group, Groups, made};
use crate::labels::Key;

/// Groups in which something expires at a time, and checks in them; the rest does a moment later. What is marked is stored anew: more
/// would keep pushes waiting, and in a shared store be overtaken by them again and again.
const GROUPS: usize = 500;
const CHECKS: usize = 1_000;

/// What becomes of what was pushed with a time to live, by a header or the flag, that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Expired {
    /// It is deleted.
    Delete,
    /// It stays as it is, and gets a `push_expired` or `push_check_expired` that is 1.
    Mark,
}

/// What becomes of a check result whose own `ttl` is over. In Sensu that is to tell people, which a deletion would not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckTtl {
    /// It stays as it is, and gets a `push_check_expired` that is 1.
    Mark,
    /// It is deleted.
    Delete,
    /// The `ttl` says nothing here: --push.ttl counts.
    Ignore,
}

/// What becomes of what, by whose word its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fates {
    /// By a push's header, or the flag.
    pub pushed: Expired,
    /// By the check's own `ttl`.
    pub own: CheckTtl,
}

/// A check of a group.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is known of it.
    pub state: Arc<CheckState>,
    /// When its time is over, where that was said.
    pub end: Option<End>,
}

/// When the time of a check is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The time.
    pub at: Timestamp,
    /// Whether the check's own `ttl` says so.
    pub own: bool,
    /// Whether it is over, and the check stays.
    pub over: bool,
}

/// What a push says of the time of its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// When it came.
    pub at: Timestamp,
    /// When their time is over, by the push's header or the flag.
    pub expires: Option<Timestamp>,
    /// Whether the `ttl` of a check comes before that: the push has no header.
    pub own: bool,
}

// === impl Term ===

impl Term {
    /// When the time of a result is over.
    pub fn end(&self, result: &CheckResult) -> Option<End> {
        let pushed = || self.expires.map(|at| End { at, own: false, over: false });
        match result.ttl().filter(|ttl| self.own && *ttl > 0.0) {
            // A time that there is not never comes.
            Some(ttl) => {
                let ttl = Duration::try_from_secs_f64(ttl).unwrap_or(Duration::MAX);
                self.at.checked_add(ttl).ok().map(|at| End { at, own: true, over: false })
            }
            None => pushed(),
        }
    }
}

impl Check {
    /// Whether its time is over, and it stays.
    pub fn is_over(&self) -> bool {
        self.end.is_some_and(|end| end.over)
    }

    /// The same once that has become of it which is to; None: it is deleted.
    fn after(mut self, now: Timestamp, fates: Fates) -> Option<Self> {
        let Some(end) = self.end.as_mut().filter(|end| !end.over && end.at <= now) else { return Some(self) };
        match (end.own, fates) {
            (true, Fates { own: CheckTtl::Delete, .. }) | (false, Fates { pushed: Expired::Delete, .. }) => {
                return None;
            }
            (true, Fates { own: CheckTtl::Mark, .. }) | (false, Fates { pushed: Expired::Mark, .. }) => end.over = true,
            // It was pushed before the flag was.
            (true, Fates { own: CheckTtl::Ignore, .. }) => self.end = None,
        }
        Some(self)
    }
}

impl Group {
    /// When the first of what it holds is over that is not yet.
    fn next_end(&self) -> Option<Timestamp> {
        let checks = self.checks.values().filter_map(|check| check.end).filter(|end| !end.over).map(|end| end.at);
        self.expires.filter(|_| !self.expired).into_iter().chain(checks).min()
    }

    /// The same once that has become of it which is to; None: it is deleted.
    fn after(mut self, now: Timestamp, fates: Fates) -> Option<Self> {
        if !self.key.checks {
            self.expired = true;
            return Some(self).filter(|_| fates.pushed == Expired::Mark);
        }
        let before = self.checks.len();
        let left = std::mem::take(&mut self.checks).into_iter();
        let left: BTreeMap<CheckKey, Check> =
            left.filter_map(|(key, check)| Some((key, check.after(now, fates)?))).collect();
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            return Some(Self { checks: left, ..self });
        }
        let pushed = self.pushed.unwrap_or(Timestamp::UNIX_EPOCH);
        Some(made(self.key, left, pushed).expect("what fits together fits without some of it"))
    }
}

impl Groups {
    /// Whether the time of something is over.
    pub fn expires_by(&self, now: Timestamp) -> bool {
        self.expiring.get_min().is_some_and(|(at, _)| *at <= now)
    }

    /// Deletes or marks what is over, in no more groups than are stored well together, and says which these are.
    pub fn expire(&mut self, now: Timestamp, fates: Fates) -> Vec<Key> {
        let mut checks = 0;
        let is_little = |key: &Key| {
            let before = checks;
            checks += self.get(key).map_or(0, |group| group.checks.len());
            before < CHECKS
        };
        let due = self.expiring.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| key.clone());
        let due: Vec<_> = due.take(GROUPS).take_while(is_little).collect();
        for key in &due {
            match self.get(key).and_then(|group| Group::clone(group).after(now, fates)) {
                Some(group) => self.put(group),
                None => drop(self.delete(key)),
            }
        }
        due
    }

    pub(super) fn expiring(&mut self, group: &Group) {
        if let Some(at) = group.next_end() {
            self.expiring.insert((at, group.key.clone()));
        }
    }

    pub(super) fn no_longer_expiring(&mut self, group: &Group) {
        if let Some(at) = group.next_end() {
            self.expiring.remove(&(at, group.key.clone()));
        }
    }
}
