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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::FutureExt as _;
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;
    use crate::alert::{Names, read_batch};
    use crate::body::Bodies;

    async fn put(inbox: &Inbox, names: &[&str]) {
        let alerts: Vec<_> = names.iter().map(|name| format!(r#"{{"labels":{{"alertname":"{name}"}}}}"#)).collect();
        let batch = read_batch(format!("[{}]", alerts.join(",")).as_bytes(), Names::Utf8, Timestamp::UNIX_EPOCH);
        let body = Bodies::new(1).read(&HeaderMap::new(), Body::empty(), 1).await.unwrap();
        inbox.put(batch.unwrap().0, body).await;
    }

    #[tokio::test]
    async fn batches_come_in_their_order_also_after_a_stop() {
        let (inbox, stop) = (Inbox::new(), CancellationToken::new());
        assert!(inbox.next(&stop).now_or_never().is_none(), "there is none yet");
        for names in [&["a", "b"][..], &["c"]] {
            put(&inbox, names).await;
        }
        stop.cancel();
        let mut names = Vec::new();
        while let Some(batch) = inbox.next(&stop).await {
            names.push(batch.alerts.iter().filter_map(|alert| alert.labels().get("alertname")).collect::<String>());
        }
        assert_eq!(names, ["ab", "c"]);
    }

    #[tokio::test]
    async fn what_waits_is_told_until_the_next_is_asked_for() {
        let (inbox, stop) = (Inbox::new(), CancellationToken::new());
        assert_eq!(inbox.waiting(), (0, None));
        put(&inbox, &["a", "b"]).await;
        let (count, since) = inbox.waiting();
        assert!(count == 2 && since.is_some());
        assert!(inbox.next(&stop).await.is_some());
        assert_eq!(inbox.waiting(), (0, since), "it is being looked at");
        assert!(inbox.next(&stop).now_or_never().is_none());
        assert_eq!(inbox.waiting(), (0, None));
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_for_one() {
        let (inbox, stop) = (Inbox { places: Arc::new(Semaphore::new(1)), ..Inbox::new() }, CancellationToken::new());
        put(&inbox, &["a"]).await;
        let mut waiting = Box::pin(put(&inbox, &["b"]));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(inbox.next(&stop).await);
        assert!(waiting.now_or_never().is_some());
    }
}
