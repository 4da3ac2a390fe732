//! Which checks are under way, and which of them should not be any more.

mod entry;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use self::entry::{Entry, Process, Stage};
use super::family::{Family, Member};
use super::overdue::Doubt;
use super::record::{self, Record};
use crate::definitions::Check;

/// The checks under way, the longest running first. There are at most some hundreds.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Shared>);

#[derive(Default)]
struct Shared {
    entries: Mutex<Vec<Entry>>,
    record: OnceLock<Record>,
}

/// Holds a check's place; dropped, it frees it.
pub(super) struct Guard {
    running: Running,
    key: String,
}

/// What a check finds that wants to start.
pub(super) enum Place {
    Free(Guard),
    Taken(Taken),
}

/// The check's previous run is under way.
pub(super) struct Taken {
    /// It has not even started.
    pub(super) is_waiting: bool,
    /// It may be longer under way than it should.
    pub(super) doubt: Option<Doubt>,
}

// === impl Running ===

impl Running {
    /// Takes the check's place, unless it is taken.
    pub(super) fn begin(&self, check: &Check, now: Instant) -> Place {
        let mut entries = self.lock();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.is_of(&check.key)) {
            return Place::Taken(entry.drop_slot(now));
        }
        entries.push(Entry::new(&check.key, Stage::Starting, Timestamp::now()));
        Place::Free(Guard { running: self.clone(), key: check.key.clone() })
    }

    /// Takes the place of a check, as the record has its key, for a run of a former process.
    pub(super) fn hold(&self, key: &str, since: Timestamp) -> Guard {
        self.lock().push(Entry::new(key, Stage::Leftover, since));
        Guard { running: self.clone(), key: key.to_owned() }
    }

    /// Records every process group from now on.
    pub(super) fn record(&self, record: Record) {
        self.0.record.get_or_init(|| record);
    }

    /// Of this process's own runs.
    pub(super) fn keys(&self) -> Vec<String> {
        let entries = self.lock();
        let own = entries.iter().filter(|entry| !matches!(entry.stage, Stage::Leftover));
        own.map(|entry| entry.key.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Guard ===

impl Guard {
    /// The run, or its hook, waits to be started.
    pub(super) fn waiting(&self) {
        self.update(|entry| entry.enter(Stage::Waiting));
    }

    /// A process of the run, the check's or its hook's, is about to start.
    pub(super) fn starting(&self, family: &Family) {
        let Some(record) = self.running.0.record.get() else { return };
        let recorded = record.announce(family, &self.key);
        self.update(|entry| entry.recorded.extend(recorded));
    }

    /// It has started.
    pub(super) fn started(&self, family: &Family, has_timeout: bool) {
        let process = Process { started: Instant::now(), family: family.clone(), has_timeout };
        self.update(|entry| {
            if let Some(recorded) = entry.recorded.last() {
                recorded.complete(family, &self.key);
            }
            entry.enter(Stage::Running(process));
        });
    }

    /// KILL has not ended these.
    pub(super) fn left(&self, left: &[Member]) {
        self.update(|entry| entry.left.extend_from_slice(left));
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

    use super::entry::OVERDUE_AFTER;
    use super::*;
    use crate::execute::overdue::Suspects;
    use crate::execute::overdue::test::check;

    fn taken(running: &Running, check: &Check, now: Instant) -> Taken {
        match running.begin(check, now) {
            Place::Free(_) => panic!("the check's place is free"),
            Place::Taken(taken) => taken,
        }
    }

    fn is_overdue(running: &Running, check: &Check, now: Instant) -> bool {
        let doubt = taken(running, check, now).doubt;
        doubt.is_some_and(|doubt| !matches!(doubt.suspects, Suspects::Hangs(_)))
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
    fn a_run_that_waits_for_a_slot_is_overdue_after_ten_of_its_own() {
        let (running, check) = (Running::default(), check("a"));
        let guard = begun(&running, &check);
        assert!(!taken(&running, &check, Instant::now()).is_waiting, "it may start at once");
        guard.waiting();
        assert!((0..9).all(|_| !is_overdue(&running, &check, Instant::now())));
        assert!(taken(&running, &check, Instant::now()).is_waiting);
        assert!(is_overdue(&running, &check, Instant::now()));
        guard.started(&family(), false);
        assert!(!is_overdue(&running, &check, Instant::now() + OVERDUE_AFTER), "it begins anew");
    }

    #[test]
    fn one_at_a_time_finds_out_whether_a_run_is_overdue() {
        let (running, check) = (Running::default(), check("a"));
        let guard = begun(&running, &check);
        guard.started(&family(), true);
        let first = taken(&running, &check, Instant::now()).doubt;
        assert!(first.is_some() && taken(&running, &check, Instant::now()).doubt.is_none());
        drop(first);
        assert!(taken(&running, &check, Instant::now()).doubt.is_some());
    }

    #[test]
    fn a_leftover_is_overdue_once_kill_has_failed_however_long_its_key_is() {
        let (running, check) = (Running::default(), check(&"ü".repeat(600)));
        let guard = running.hold(&record::stored(&check.key), Timestamp::now());
        assert!(!is_overdue(&running, &check, Instant::now()));
        guard.left(&[Member::unseen(Pid::this())]);
        assert!(is_overdue(&running, &check, Instant::now()));
        assert_eq!(running.keys(), [""; 0], "it is not this process's");
        drop(guard);
        begun(&running, &check);
    }
}
