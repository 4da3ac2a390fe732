//! One check under way: how far its run has come, and what makes it overdue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Taken;
use crate::execute::family::{Family, Hang, Member};
use crate::execute::overdue::{Doubt, Suspects};
use crate::execute::record;

/// A run without a timeout is overdue when it has gone on for this long…
pub(super) const OVERDUE_AFTER: Duration = Duration::from_secs(600);
/// …and over this many slots of its check, which may well run longer than its interval, by design. One that waits to be
/// run is after as many.
const OVERDUE_SLOTS: u32 = 10;

pub(super) struct Entry {
    pub(super) key: String,
    pub(super) stage: Stage,
    pub(super) since: Timestamp,
    /// Slots that came in this stage and were dropped.
    dropped: u32,
    /// What KILL has not ended.
    pub(super) left: Vec<Member>,
    /// What hung when this was last looked at; locked while somebody looks.
    hangs: Arc<tokio::sync::Mutex<Vec<Hang>>>,
    /// Frees them in the record with itself.
    pub(super) recorded: Vec<record::Entry>,
}

pub(super) enum Stage {
    Starting,
    /// For one of the limited number of processes.
    Waiting,
    Running(Process),
    /// The run is a former process's, which has crashed.
    Leftover,
}

pub(super) struct Process {
    pub(super) started: Instant,
    pub(super) family: Family,
    pub(super) has_timeout: bool,
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(key: &str, stage: Stage, since: Timestamp) -> Self {
        let (left, hangs, recorded) = (Vec::new(), Arc::default(), Vec::new());
        Self { key: key.to_owned(), stage, since, dropped: 0, left, hangs, recorded }
    }

    pub(super) fn is_of(&self, key: &str) -> bool {
        match self.stage {
            Stage::Leftover => self.key == record::stored(key),
            _ => self.key == key,
        }
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.dropped = 0;
        // What is left keeps being told with the time of the run that has left it.
        if self.left.is_empty() {
            self.since = Timestamp::now();
        }
    }

    /// A slot of the check has come and is dropped.
    pub(super) fn drop_slot(&mut self, now: Instant) -> Taken {
        self.dropped = self.dropped.saturating_add(1);
        Taken { is_waiting: matches!(self.stage, Stage::Waiting), doubt: self.doubt(now) }
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
