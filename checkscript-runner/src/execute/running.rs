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
    pub(super) fn begin(&self, check: &Check) -> Place {
        let mut entries = self.lock();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.key == check.key) {
            entry.dropped = entry.dropped.saturating_add(1);
            return Place::Taken(entry.overdue());
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
    fn overdue(&self) -> Option<Overdue> {
        let process = self.process.as_ref()?;
        let suspects = if !process.left.is_empty() {
            Suspects::Left(process.left.clone())
        } else if !process.has_timeout && self.dropped >= OVERDUE_SLOTS && process.started.elapsed() >= OVERDUE_AFTER {
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
