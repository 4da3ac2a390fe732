//! Scheduling: one task that sleeps until the next slot and starts what is due.
//!
//! Slots are points of the wall clock (see [`Timetable`]), so nothing slips and a restart keeps every check's phase. The
//! arithmetic is pure (`timetable`, `agenda`, `splay`, `cron`, `subdue`); this module only reads the clock and sleeps.

mod agenda;
mod cron;
mod moment;
mod splay;
mod subdue;
mod timetable;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use cron::{Cron, InvalidCron};
pub(crate) use subdue::DailyWindow;
pub use subdue::Subdue;
pub use timetable::Timetable;

use self::agenda::Agenda;
use crate::definitions::Definitions;
use crate::execute::Executor;

/// The longest sleep. Sleeps follow the monotonic clock: a wall clock that is set, or a machine that was suspended, is
/// noticed after this time at the latest.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Starts checks on their slots.
pub struct Scheduler {
    executor: Executor,
    definitions: watch::Receiver<Arc<Definitions>>,
    beat: watch::Sender<()>,
}

// === impl Scheduler ===

impl Scheduler {
    /// Runs what `definitions` holds, also when that changes: a check that stays keeps its phase.
    pub fn new(executor: Executor, definitions: watch::Receiver<Arc<Definitions>>) -> Self {
        Self { executor, definitions, beat: watch::Sender::new(()) }
    }

    /// Changes whenever the scheduler has looked at its checks, at least once a second: one that is silent is stuck.
    pub fn heartbeat(&self) -> watch::Receiver<()> {
        self.beat.subscribe()
    }

    /// Goes on until `stop`; what it started is the executor's to finish.
    pub async fn run(mut self, stop: CancellationToken) {
        self.executor.scheduling();
        let mut definitions = Arc::clone(&self.definitions.borrow_and_update());
        let mut agenda = Agenda::new(definitions.checks.clone(), now());
        loop {
            let changed = tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = self.definitions.changed() => true,
                () = tokio::time::sleep(wait(agenda.next(), now())) => false,
            };
            self.fire(&mut agenda, &definitions);
            self.beat.send_replace(());
            if changed {
                definitions = Arc::clone(&self.definitions.borrow_and_update());
                agenda.replace(definitions.checks.clone());
            }
        }
    }

    fn fire(&self, agenda: &mut Agenda, definitions: &Definitions) {
        let now = now();
        let round = agenda.take(now);
        if !round.missed.is_empty() {
            self.executor.missed(&round.missed);
        }
        for check in round.due {
            if check.subdue.as_ref().is_some_and(|subdue| is_subdued(subdue, now)) {
                self.executor.subdued(&check);
            } else {
                self.executor.start(&definitions.client, check, now.div_euclid(1000));
            }
        }
    }
}

fn is_subdued(subdue: &Subdue, now: i64) -> bool {
    Timestamp::from_millisecond(now).is_ok_and(|now| subdue.covers(now))
}

fn wait(slot: Option<i64>, now: i64) -> Duration {
    let ahead = slot.map(|slot| u64::try_from(slot - now).unwrap_or(0));
    ahead.map_or(LONGEST_SLEEP, Duration::from_millis).min(LONGEST_SLEEP)
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
