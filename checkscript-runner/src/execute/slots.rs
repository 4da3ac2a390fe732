//! How many processes run at once, and what runs have to wait for that.

mod waits;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

pub(crate) use self::waits::Waited;
use self::waits::Waits;
use crate::events;
use crate::notice::Sink;

/// How often waits are told at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// First come, first served. Clones share everything.
#[derive(Clone)]
pub(super) struct Slots {
    /// Tokio's semaphore is fair.
    free: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
    tell_every: Duration,
}

/// A process may run while one of these is held.
pub(super) struct Slot {
    slots: Slots,
    permit: Option<OwnedSemaphorePermit>,
}

struct State {
    limit: usize,
    /// How many slots are held.
    held: usize,
    /// How many of those are not to be given away again, since the limit was lowered while they were.
    excess: usize,
    waits: Waits,
}

/// How many slots are held, and how many may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usage {
    pub(super) held: usize,
    pub(super) limit: usize,
}

/// A run's place among those that wait; dropped, it waits no more.
struct Waiter<'a> {
    slots: &'a Slots,
    number: u64,
}

// === impl Slots ===

impl Slots {
    pub(super) fn new(limit: usize) -> Self {
        Self::telling(limit, TELL_EVERY)
    }

    fn telling(limit: usize, tell_every: Duration) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let state = State { limit, held: 0, excess: 0, waits: Waits::default() };
        Self { free: Arc::new(Semaphore::new(limit)), state: Arc::new(Mutex::new(state)), tell_every }
    }

    /// Holds at once for runs that wait; those that hold a slot keep it and count.
    pub(super) fn set_limit(&self, limit: usize) {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let mut state = self.lock();
        let (more, fewer) = (limit.saturating_sub(state.limit), state.limit.saturating_sub(limit));
        let kept = more.min(state.excess);
        state.excess = state.excess - kept + fewer - self.free.forget_permits(fewer);
        self.free.add_permits(more - kept);
        state.limit = limit;
    }

    pub(super) fn usage(&self) -> Usage {
        let state = self.lock();
        Usage { held: state.held, limit: state.limit }
    }

    /// Takes a slot if one is free.
    pub(super) fn try_take(&self) -> Option<Slot> {
        Arc::clone(&self.free).try_acquire_owned().ok().map(|permit| self.slot(permit))
    }

    /// Takes a slot as soon as there is one. That runs wait is counted and told, once a minute at most, also while they do.
    pub(super) async fn take(&self, sink: &dyn Sink) -> Slot {
        let waiter = self.wait();
        let mut telling = interval_at(Instant::now() + self.tell_every, self.tell_every);
        telling.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let permit = Arc::clone(&self.free).acquire_owned();
        tokio::pin!(permit);
        let permit = loop {
            tokio::select! {
                biased;
                permit = &mut permit => break permit.expect("the semaphore is never closed"),
                _ = telling.tick() => self.tell_now_and_then(sink),
            }
        };
        drop(waiter);
        self.tell_now_and_then(sink);
        self.slot(permit)
    }

    /// Tells of the waits since this was done last, if there were any.
    pub(super) fn tell_waits(&self, sink: &dyn Sink) {
        let waited = self.lock().waits.take(Instant::now());
        if let Some(waited) = waited {
            sink.notice(&events::waited(waited));
        }
    }

    fn tell_now_and_then(&self, sink: &dyn Sink) {
        let told = self.lock().waits.told();
        if told.is_none_or(|told| told.elapsed() >= self.tell_every) {
            self.tell_waits(sink);
        }
    }

    fn slot(&self, permit: OwnedSemaphorePermit) -> Slot {
        self.lock().held += 1;
        Slot { slots: self.clone(), permit: Some(permit) }
    }

    fn wait(&self) -> Waiter<'_> {
        Waiter { slots: self, number: self.lock().waits.begin(Instant::now()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        state.held -= 1;
        if let Some(permit) = self.permit.take().filter(|_| state.excess > 0) {
            state.excess -= 1;
            permit.forget();
        }
    }
}

// === impl Waiter ===

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.slots.lock().waits.end(self.number, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::notice::Notice;

    #[derive(Default)]
    struct Told(Mutex<Vec<Notice>>);

    impl Sink for Told {
        fn publish(&self, _: &check_result::CheckResult) {}

        fn notice(&self, notice: &Notice) {
            self.0.lock().unwrap().push(notice.clone());
        }
    }

    impl Told {
        /// A field of each notice, in their order.
        fn all(&self, field: &str) -> Vec<f64> {
            self.0.lock().unwrap().iter().map(|notice| notice.fields[field].as_f64().unwrap()).collect()
        }
    }

    /// A run that waits, in a task of its own.
    fn waiting(slots: &Slots, told: &Arc<Told>) -> tokio::task::JoinHandle<Slot> {
        let (slots, told) = (slots.clone(), Arc::clone(told));
        tokio::spawn(async move { slots.take(&*told).await })
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn runs_that_wait_are_told_while_they_do_and_afterwards() {
        let (slots, told) = (Slots::telling(1, Duration::from_millis(5)), Arc::new(Told::default()));
        let first = slots.try_take().unwrap();
        assert!(slots.try_take().is_none());
        let others = [(); 2].map(|()| waiting(&slots, &told));
        while told.0.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(told.all("executions")[..3], [2.0, 0.0, 0.0]);
        assert_eq!(told.all("waiting")[..3], [2.0; 3]);
        let longest = told.all("longest");
        assert!(longest[0] < longest[1] && longest[1] < longest[2] && told.all("seconds")[2] == 0.0, "{longest:?}");
        drop(first);
        for other in others {
            drop(other.await.unwrap());
        }
        slots.tell_waits(&*told);
        assert!(told.all("seconds").iter().sum::<f64>() > longest[2], "both are counted");
    }

    #[tokio::test]
    async fn waits_are_told_seldom() {
        let (slots, told) = (Slots::new(1), Arc::new(Told::default()));
        for _ in 0..3 {
            let first = slots.try_take().unwrap();
            let other = waiting(&slots, &told);
            settle().await;
            drop(first);
            drop(other.await.unwrap());
        }
        assert_eq!(told.all("executions"), [1.0]);
        slots.tell_waits(&*told);
        assert_eq!(told.all("executions"), [1.0, 2.0]);
    }

    #[tokio::test]
    async fn a_new_limit_holds_for_those_that_wait_and_counts_those_that_run() {
        let (slots, told) = (Slots::new(1), Arc::new(Told::default()));
        let first = slots.try_take().unwrap();
        let [second, third] = [(); 2].map(|()| waiting(&slots, &told));
        settle().await;
        slots.set_limit(2);
        let second = second.await.unwrap();
        settle().await;
        assert!(!third.is_finished());
        slots.set_limit(1);
        assert_eq!(slots.usage(), Usage { held: 2, limit: 1 });
        drop(first);
        settle().await;
        assert!(!third.is_finished(), "one of one is held");
        drop(second);
        drop(third.await.unwrap());
        drop(slots.try_take().unwrap());
        let only = slots.try_take().unwrap();
        assert!(slots.try_take().is_none());
        slots.set_limit(0);
        slots.set_limit(3);
        let others = [slots.try_take().unwrap(), slots.try_take().unwrap()];
        assert!(slots.try_take().is_none());
        drop((only, others));
        assert_eq!(slots.usage(), Usage { held: 0, limit: 3 });
    }
}
