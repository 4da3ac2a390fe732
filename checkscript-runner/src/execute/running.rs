//! Which checks are under way, and which of them should not be any more.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::family::{Family, Hang, Member};
use super::overdue::{Doubt, Suspects};
use super::record::{self, Record};
use crate::definitions::Check;

/// A run without a timeout is overdue when it has gone on for this long…
const OVERDUE_AFTER: Duration = Duration::from_secs(600);
/// …and over this many slots of its check, which may well run longer than its interval, by design. One that waits to be
/// run is after as many.
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
    stage: Stage,
    since: Timestamp,
    /// Slots that came in this stage and were dropped.
    dropped: u32,
    /// What KILL has not ended.
    left: Vec<Member>,
    /// What hung when this was last looked at; locked while somebody looks.
    hangs: Arc<tokio::sync::Mutex<Vec<Hang>>>,
    /// Frees them in the record with itself.
    recorded: Vec<record::Entry>,
}

enum Stage {
    Starting,
    /// For one of the limited number of processes.
    Waiting,
    Running(Process),
    /// The run is a former process's, which has crashed.
    Leftover,
}

struct Process {
    started: Instant,
    family: Family,
    has_timeout: bool,
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
            entry.dropped = entry.dropped.saturating_add(1);
            let is_waiting = matches!(entry.stage, Stage::Waiting);
            return Place::Taken(Taken { is_waiting, doubt: entry.doubt(now) });
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

// === impl Entry ===

impl Entry {
    fn new(key: &str, stage: Stage, since: Timestamp) -> Self {
        let (left, hangs, recorded) = (Vec::new(), Arc::default(), Vec::new());
        Self { key: key.to_owned(), stage, since, dropped: 0, left, hangs, recorded }
    }

    fn is_of(&self, key: &str) -> bool {
        match self.stage {
            Stage::Leftover => self.key == record::stored(key),
            _ => self.key == key,
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.dropped = 0;
        // What is left keeps being told with the time of the run that has left it.
        if self.left.is_empty() {
            self.since = Timestamp::now();
        }
    }

    /// Whether the run is overdue, or would be if one of its processes hung. `None` also while that is being found out
    /// for an earlier slot.
    fn doubt(&self, now: Instant) -> Option<Doubt> {
        let suspects = match &self.stage {
            _ if !self.left.is_empty() => Suspects::Left(self.left.clone()),
            Stage::Waiting if self.dropped >= OVERDUE_SLOTS => Suspects::Slots,
            Stage::Running(process) if process.is_long(now) && self.dropped >= OVERDUE_SLOTS => {
                Suspects::Family(process.family.clone())
            }
            Stage::Running(process) => Suspects::Hangs(process.family.clone()),
            _ => return None,
        };
        let seen = Arc::clone(&self.hangs).try_lock_owned().ok()?;
        Some(Doubt { since: self.since, suspects, seen })
    }
}

// === impl Process ===

impl Process {
    /// With a timeout a run is not overdue before KILL has failed to end it.
    fn is_long(&self, now: Instant) -> bool {
        !self.has_timeout && now.duration_since(self.started) >= OVERDUE_AFTER
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

    use super::*;
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
