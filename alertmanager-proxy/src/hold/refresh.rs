//! Asking anew for what alerts were given, behind the back of their resends.
//!
//! Prometheus resends all alerts each minute, and all at once. What is old by then is refreshed in that order, but no more than
//! 400 a second: 20,000 within the minute, and never a burst. Details that alerts are held for come first. Those that find no place
//! in the queue stay as old as they are, and are counted.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::Hold;
use super::memory::Known;
use crate::alert::{Fingerprint, Incident};
use crate::detail::Target;
use crate::setup::Setup;

/// Details that are asked for at a time; those of nodes that hang shall not keep the others waiting for long.
const AT_A_TIME: usize = 256;

/// So many are asked for, and then none for a moment.
const SHARE: usize = 20;
const MOMENT: Duration = Duration::from_millis(50);

/// Alerts whose details may be old, each once, in the order in which they came.
#[derive(Debug)]
pub(super) struct Refreshes {
    queue: Mutex<Queue>,
    filled: Notify,
    places: Arc<Semaphore>,
}

/// Every fingerprint stands in both.
#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<Fingerprint>,
    members: HashSet<Fingerprint>,
}

// === impl Refreshes ===

impl Refreshes {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::default(), filled: Notify::new(), places: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// Adds an alert that is not there; false where `room` others are.
    fn push(&self, fingerprint: Fingerprint, room: usize) -> bool {
        let mut queue = self.lock();
        if queue.members.contains(&fingerprint) {
            return true;
        }
        if queue.order.len() >= room {
            return false;
        }
        queue.members.insert(fingerprint);
        queue.order.push_back(fingerprint);
        drop(queue);
        self.filled.notify_one();
        true
    }

    fn pop(&self) -> Option<Fingerprint> {
        let mut queue = self.lock();
        let first = queue.order.pop_front()?;
        queue.members.remove(&first);
        Some(first)
    }

    /// Waits until there is one.
    async fn filled(&self) {
        loop {
            let filled = self.filled.notified();
            if !self.lock().order.is_empty() {
                return;
            }
            filled.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Hold ===

impl Hold {
    /// Has what an alert was given asked for anew, if that is old by the time that it has its turn. A resolved message
    /// would not be right with what the check says when it fails the next time.
    pub(super) fn refresh(&self, fingerprint: Fingerprint, known: &Known, setup: &Setup) {
        if known.is_final() || self.refreshes.push(fingerprint, setup.config.limits.held_alerts) {
            return;
        }
        if known.age() >= setup.config.fetch.cache {
            self.events.refresh_skipped();
        }
    }

    /// Works the queue off until the stop.
    pub(super) async fn refresh_all(self: Arc<Self>) {
        let stop = self.stop.clone();
        let work = async {
            loop {
                self.refreshes.filled().await;
                self.refresh_some();
                sleep(MOMENT).await;
            }
        };
        stop.run_until_cancelled(work).await;
    }

    fn refresh_some(self: &Arc<Self>) {
        let setup = self.setup.load_full();
        for _ in 0..SHARE {
            if setup.details.is_busy() {
                return;
            }
            let Ok(place) = Arc::clone(&self.refreshes.places).try_acquire_owned() else { return };
            let Some((alert, target)) = self.next_old(&setup) else { return };
            self.spawn(Arc::clone(self).ask_anew(alert, target, Arc::clone(&setup), place));
        }
    }

    /// The next alert whose detail is old, and where it is; that is being asked for now.
    fn next_old(&self, setup: &Setup) -> Option<(Incident, Target)> {
        loop {
            let fingerprint = self.refreshes.pop()?;
            let _ordered = self.lock();
            let is_old = |known: &Known| known.age() >= setup.config.fetch.cache && !known.is_final();
            let Some(known) = self.memory.any_of(fingerprint).filter(is_old) else { continue };
            let alert = known.incident(fingerprint);
            let Some(Ok(target)) = Target::find(&setup.config, &alert.labels) else { continue };
            self.memory.put(fingerprint, known.renewed());
            return Some((alert, target));
        }
    }

    async fn ask_anew(
        self: Arc<Self>,
        alert: Incident,
        target: Target,
        setup: Arc<Setup>,
        _place: OwnedSemaphorePermit,
    ) {
        let fetch = setup.config.fetch;
        let not_before = Instant::now().checked_sub(fetch.cache).unwrap_or_else(Instant::now);
        let answer = setup.details.get_late(&target, not_before.into_std());
        if let Some(Some(answer)) = self.stop.run_until_cancelled(answer).await {
            self.remember(&alert, self.learn(&alert, &target, answer, &setup));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Texts;

    fn alert(name: &str) -> Fingerprint {
        Fingerprint::of(&[("alertname", name)].into_iter().collect::<Texts>())
    }

    #[test]
    fn each_waits_once_and_no_more_than_there_is_room_for() {
        let refreshes = Refreshes::new();
        let taken = ["a", "b", "a", "c"].map(|name| refreshes.push(alert(name), 2));
        assert_eq!(taken, [true, true, true, false]);
        assert_eq!(refreshes.pop(), Some(alert("a")));
        assert!(refreshes.push(alert("a"), 2));
        assert_eq!([(); 3].map(|()| refreshes.pop()), [Some(alert("b")), Some(alert("a")), None]);
    }
}
