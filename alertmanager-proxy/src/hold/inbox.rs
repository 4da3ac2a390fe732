//! Batches that nobody has looked at yet.
//!
//! Prometheus sends its next batch when the last one was answered, so an answer waits for nothing but a place here. What has to
//! be done for each alert is done behind it, batch after batch in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::body::Held;

/// Batches that have a place; their bytes are bounded by the room for bodies, which they keep.
const PLACES: usize = 1_024;

#[derive(Debug)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    places: Arc<Semaphore>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// When the batch was posted that was taken last, until there is another or none.
    taken: Option<Instant>,
}

/// What was posted at once.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) alerts: Vec<Alert>,
    pub(super) posted: Instant,
    _body: Held,
    _place: OwnedSemaphorePermit,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::default(), places: Arc::new(Semaphore::new(PLACES)), filled: Notify::new() }
    }

    /// Adds the alerts of a `body`; waits for a place.
    pub(super) async fn put(&self, alerts: Vec<Alert>, body: Held) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        let batch = Batch { alerts, posted: Instant::now(), _body: body, _place: place };
        self.lock().batches.push_back(batch);
        self.filled.notify_one();
    }

    /// The next batch. Waits for one until `stop`; none then.
    pub(super) async fn next(&self, stop: &CancellationToken) -> Option<Batch> {
        loop {
            let filled = self.filled.notified();
            if let Some(batch) = self.take() {
                return Some(batch);
            }
            stop.run_until_cancelled(filled).await?;
        }
    }

    fn take(&self) -> Option<Batch> {
        let mut queue = self.lock();
        let batch = queue.batches.pop_front();
        queue.taken = batch.as_ref().map(|batch| batch.posted);
        batch
    }

    /// How many alerts wait here, and since when the oldest does; also while its batch is being looked at.
    pub(super) fn waiting(&self) -> (usize, Option<Instant>) {
        let queue = self.lock();
        let alerts = queue.batches.iter().map(|batch| batch.alerts.len()).sum();
        (alerts, queue.taken.or_else(|| queue.batches.front().map(|batch| batch.posted)))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
