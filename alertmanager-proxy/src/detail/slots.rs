//! How many nodes are asked at a time, in all, and in which order.
//!
//! Most answer within milliseconds, and for those few requests at a time are enough; more would take memory, and each would
//! come back later. Some hang until their time is over, and must not keep the others waiting meanwhile. So there are two bounds.
//! The smaller one is of turns, which come in the order in which they were asked for: who has one may ask, and who is not answered
//! soon leaves the turn to the next and waits on without it. The larger one is of all requests that run.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Of so many requests one may have its turn. With the default of 4,096 requests and nodes that all hang, 5,120 are asked a second.
const SHARE: usize = 8;

/// For how long a turn lasts at most.
const SOON: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Slots {
    requests: Semaphore,
    turns: Semaphore,
}

/// Leave to ask, for as long as an answer may come soon.
#[derive(Debug)]
pub struct Turn<'a>(Mutex<Option<SemaphorePermit<'a>>>);

// === impl Slots ===

impl Slots {
    /// Lets `limit` requests run at a time.
    pub(super) fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { requests: Semaphore::new(limit), turns: Semaphore::new(limit.div_ceil(SHARE)) }
    }

    /// Waits for its turn. Thousands wait here at a time, so that takes next to no memory.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn(Mutex::new(Some(self.turns.acquire().await.expect("the semaphore is never closed"))))
    }

    /// Whether who asks for a turn now has to wait for it.
    pub(super) fn is_busy(&self) -> bool {
        self.turns.available_permits() == 0
    }

    /// Waits until one more request may run.
    pub(super) async fn request(&self) -> SemaphorePermit<'_> {
        self.requests.acquire().await.expect("the semaphore is never closed")
    }
}

// === impl Turn ===

impl Turn<'_> {
    /// Leaves it to the next.
    pub(super) fn end(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Does the work; the turn ends with it or before.
    pub(super) async fn spend<T>(&self, mut work: impl Future<Output = T> + Unpin) -> T {
        let done = timeout(SOON, &mut work).await;
        self.end();
        match done {
            Ok(done) => done,
            Err(_) => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_in_which_they_were_asked_for() {
        let slots = Slots::new(SHARE);
        let first = slots.turn().await;
        let (mut second, mut third) = (Box::pin(slots.turn()), Box::pin(slots.turn()));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        first.end();
        assert!(third.as_mut().now_or_never().is_none());
        drop(second.now_or_never().expect("it is the next"));
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_is_not_answered_soon_leaves_the_turn_to_the_next() {
        let slots = Slots::new(1);
        let hung = slots.turn().await;
        tokio::select! {
            () = hung.spend(Box::pin(pending())) => unreachable!("nobody answers"),
            next = slots.turn() => assert_eq!(next.spend(Box::pin(async { "done" })).await, "done"),
        }
    }

    #[tokio::test]
    async fn requests_are_bounded_whoever_has_a_turn() {
        let slots = Slots::new(2);
        let running = [slots.request().await, slots.request().await];
        assert!(slots.request().now_or_never().is_none());
        drop(running);
        assert!(slots.request().now_or_never().is_some());
    }
}
