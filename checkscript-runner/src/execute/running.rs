//! Which checks are under way, and which of them should not be any more.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::family::{Family, Member};
use super::overdue::{Overdue, Suspects};
use super::record::{self, Record};
use crate::definitions::Check;

/// A run without a timeout is overdue when it has gone on for this long…
const OVERDUE_AFTER: Duration = Duration::from_secs(600);
/// …and over this many slots of its check. A check may well run longer than its interval, by design.
const OVERDUE_SLOTS: u32 = 10;

/// The checks under way, the longest running first. There are at most some hundreds.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Shared>);

#[derive(Default)]
struct Shared {
    entries: Mutex<Vec<Entry>>,
    record: OnceLock<Record>,
}

struct Entry {
    key: String,
    process: Option<Process>,
    /// Slots that came meanwhile and were dropped.
    dropped: u32,
    /// Frees them in the record with itself.
    recorded: Vec<record::Entry>,
}

struct Process {
    since: Timestamp,
    started: Instant,
    family: Family,
    has_timeout: bool,
    /// What KILL has not ended.
    left: Vec<Member>,
}

/// Holds a check's place; dropped, it frees it.
pub(super) struct Guard {
    running: Running,
    key: String,
}

/// What a check finds that wants to start.
pub(super) enum Place {
    Free(Guard),
    /// Its previous run is under way, perhaps longer than it may be.
    Taken(Option<Overdue>),
}

// === impl Running ===

impl Running {
    /// Takes the check's place, unless it is taken.
    pub(super) fn begin(&self, check: &Check, now: Instant) -> Place {
        let mut entries = self.lock();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.key == check.key) {
            entry.dropped = entry.dropped.saturating_add(1);
            return Place::Taken(entry.overdue(now));
        }
        entries.push(Entry::new(&check.key));
        Place::Free(Guard { running: self.clone(), key: check.key.clone() })
    }

    /// Takes the place of a check for a run that is none of this process's; `None` if it is taken.
    pub(super) fn hold(&self, key: &str) -> Option<Guard> {
        let mut entries = self.lock();
        if entries.iter().any(|entry| entry.key == key) {
            return None;
        }
        entries.push(Entry::new(key));
        Some(Guard { running: self.clone(), key: key.to_owned() })
    }

    /// Records every process group from now on.
    pub(super) fn record(&self, record: Record) {
        self.0.record.get_or_init(|| record);
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.lock().iter().map(|entry| entry.key.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entry ===

impl Entry {
    fn new(key: &str) -> Self {
        Self { key: key.to_owned(), process: None, dropped: 0, recorded: Vec::new() }
    }

    /// With a timeout a run is overdue once KILL has failed to end it.
    fn overdue(&self, now: Instant) -> Option<Overdue> {
        let process = self.process.as_ref()?;
        let suspects = if !process.left.is_empty() {
            Suspects::Left(process.left.clone())
        } else if !process.has_timeout
            && self.dropped >= OVERDUE_SLOTS
            && now.duration_since(process.started) >= OVERDUE_AFTER
        {
            Suspects::Family(process.family.clone())
        } else {
            return None;
        };
        Some(Overdue { since: process.since, suspects })
    }
}

// === impl Guard ===

impl Guard {
    /// A process of the run, the check's or its hook's, is about to start.
    pub(super) fn starting(&self, family: &Family) {
        let Some(record) = self.running.0.record.get() else { return };
        let recorded = record.announce(family, &self.key);
        self.update(|entry| entry.recorded.extend(recorded));
    }

    /// It has started.
    pub(super) fn started(&self, family: &Family, has_timeout: bool) {
        let (since, started) = (Timestamp::now(), Instant::now());
        self.update(|entry| {
            if let Some(recorded) = entry.recorded.last() {
                recorded.complete(family, &self.key);
            }
            let left = entry.process.take().map_or_else(Vec::new, |process| process.left);
            entry.process = Some(Process { since, started, family: family.clone(), has_timeout, left });
        });
    }

    /// KILL has not ended these.
    pub(super) fn left(&self, left: &[Member]) {
        self.update(|entry| {
            if let Some(process) = &mut entry.process {
                process.left.extend_from_slice(left);
            }
        });
    }

    /// Leaves to the record what is still there: this process ends.
    pub(super) fn give_up(&self) {
        self.update(|entry| entry.recorded.iter_mut().for_each(record::Entry::keep));
    }

    fn update(&self, update: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.running.lock().iter_mut().find(|entry| entry.key == self.key) {
            update(entry);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.running.lock().retain(|entry| entry.key != self.key);
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::Pid;

    use super::*;
    use crate::execute::overdue::test::check;

    fn is_overdue(running: &Running, check: &Check, now: Instant) -> bool {
        match running.begin(check, now) {
            Place::Free(_) => panic!("the check's place is free"),
            Place::Taken(overdue) => overdue.is_some(),
        }
    }

    fn begun(running: &Running, check: &Check) -> Guard {
        let Place::Free(guard) = running.begin(check, Instant::now()) else { panic!("the check's place is taken") };
        guard
    }

    fn family() -> Family {
        Family::new(1_000_000_000, "none".into(), 0, 0..=0)
    }

    #[test]
    fn without_a_timeout_a_run_is_overdue_after_ten_slots_and_ten_minutes() {
        let running = Running::default();
        let [often, seldom] = ["often", "seldom"].map(check);
        let guards = [&often, &seldom].map(|check| begun(&running, check));
        guards.iter().for_each(|guard| guard.started(&family(), false));
        let now = Instant::now();
        assert!((0..20).all(|_| !is_overdue(&running, &often, now)), "a check may be slow by design");
        assert!(is_overdue(&running, &often, now + OVERDUE_AFTER));
        assert!(
            (0..9).all(|_| !is_overdue(&running, &seldom, now + 9 * OVERDUE_AFTER)),
            "what is long for a daily one?"
        );
        assert!(is_overdue(&running, &seldom, now + 10 * OVERDUE_AFTER));
    }

    #[test]
    fn with_a_timeout_a_run_is_overdue_once_kill_has_failed() {
        let (running, check) = (Running::default(), check("a"));
        let guard = begun(&running, &check);
        guard.started(&family(), true);
        let later = Instant::now() + OVERDUE_AFTER;
        assert!((0..20).all(|_| !is_overdue(&running, &check, later)));
        guard.left(&[Member::unseen(Pid::this())]);
        assert!(is_overdue(&running, &check, later));
        guard.started(&family(), true);
        assert!(is_overdue(&running, &check, later), "also while its hook runs");
        drop(guard);
        begun(&running, &check);
    }

    #[test]
    fn a_run_that_waits_for_a_slot_is_not_overdue() {
        let (running, check) = (Running::default(), check("a"));
        let _guard = begun(&running, &check);
        assert!((0..20).all(|_| !is_overdue(&running, &check, Instant::now() + OVERDUE_AFTER)));
    }
}
