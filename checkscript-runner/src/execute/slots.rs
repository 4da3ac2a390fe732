//! How many processes run at once, and what runs had to wait for that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::events;
use crate::notice::Sink;

/// How often waits are told at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A process may run while one of these is held.
pub(super) type Slot = OwnedSemaphorePermit;

pub(super) struct Slots {
    /// First come, first served: tokio's semaphore is fair.
    free: Mutex<Arc<Semaphore>>,
    waits: Mutex<Waits>,
}

/// What has not been told yet.
#[derive(Default)]
struct Waits {
    runs: u64,
    total: Duration,
    longest: Duration,
    told: Option<Instant>,
}

// === impl Slots ===

impl Slots {
    pub(super) fn new(limit: usize) -> Self {
        Self { free: Mutex::new(semaphore(limit)), waits: Mutex::default() }
    }

    pub(super) fn set_limit(&self, limit: usize) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) = semaphore(limit);
    }

    /// Takes a slot, as soon as there is one. That runs wait is counted, and told at once, but at most once a minute.
    pub(super) async fn take(&self, sink: &dyn Sink) -> Slot {
        let free = Arc::clone(&self.free.lock().unwrap_or_else(PoisonError::into_inner));
        if let Ok(slot) = Arc::clone(&free).try_acquire_owned() {
            return slot;
        }
        let started = Instant::now();
        let slot = free.acquire_owned().await.expect("the semaphore is never closed");
        self.count(started.elapsed());
        if self.waits().told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.tell_waits(sink);
        }
        slot
    }

    /// Tells of the waits since this was done last, if there were any.
    pub(super) fn tell_waits(&self, sink: &dyn Sink) {
        let Waits { runs, total, longest, .. } =
            std::mem::replace(&mut *self.waits(), Waits { told: Some(Instant::now()), ..Waits::default() });
        if runs > 0 {
            sink.notice(&events::waited(runs, total, longest));
        }
    }

    fn count(&self, wait: Duration) {
        let mut waits = self.waits();
        waits.runs += 1;
        waits.total += wait;
        waits.longest = waits.longest.max(wait);
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn semaphore(limit: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)))
}
