//! Alerts that wait for one Alertmanager: each once, in the order in which they came first, the newest post of each.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::alert::{Fingerprint, Outgoing};

/// Alerts of one post; Prometheus's own largest batch.
const BATCH: usize = 256;

/// Bytes of one post at which it is closed.
const BATCH_BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
pub(super) struct Pending {
    queue: Mutex<Queue>,
    filled: Notify,
    /// Tells those who wait of each alert that comes.
    pushed: Notify,
}

/// Every fingerprint of `alerts` stands in `order` exactly once, and no other.
#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<Fingerprint>,
    alerts: HashMap<Fingerprint, Waiting>,
    /// Since when the oldest alert waited of the batch that was taken last, until it is delivered.
    taken: Option<Instant>,
    /// How many alerts that batch has.
    taken_alerts: usize,
}

/// An alert in the queue. A newer post of it has waited since the first one.
#[derive(Debug)]
struct Waiting {
    alert: Arc<Outgoing>,
    since: Instant,
}

impl Pending {
    /// Adds an alert, or replaces its older post. Beyond `room` the oldest one is lost, as in Prometheus's own queue: true
    /// then.
    pub(super) fn push(&self, alert: Arc<Outgoing>, room: usize) -> bool {
        let mut queue = self.lock();
        let fingerprint = alert.fingerprint;
        match queue.alerts.entry(fingerprint) {
            Entry::Occupied(mut older) => older.get_mut().alert = alert,
            Entry::Vacant(place) => {
                place.insert(Waiting { alert, since: Instant::now() });
                queue.order.push_back(fingerprint);
            }
        }
        let full = queue.alerts.len() > room;
        if full {
            queue.pop();
        }
        drop(queue);
        self.filled.notify_one();
        self.pushed.notify_waiters();
        full
    }

    /// Whether alerts would be lost if these came too; `returning` where those that were taken are likely to come back.
    pub(super) fn overflows(&self, more: &[Fingerprint], returning: bool, room: usize) -> bool {
        let queue = self.lock();
        let waiting = queue.alerts.len() + if returning { queue.taken_alerts } else { 0 };
        let new = || more.iter().filter(|fingerprint| !queue.alerts.contains_key(fingerprint)).count();
        waiting + more.len() > room && waiting + new() > room
    }

    /// Puts alerts back that could not be delivered, to the front and to the end, unless a newer post of them came meanwhile.
    pub(super) fn put_back(&self, front: Vec<Arc<Outgoing>>, end: Vec<Arc<Outgoing>>) {
        let mut queue = self.lock();
        let since = queue.taken.take().unwrap_or_else(Instant::now);
        queue.taken_alerts = 0;
        for alert in front.into_iter().rev() {
            if let Some(fingerprint) = queue.restore(alert, since) {
                queue.order.push_front(fingerprint);
            }
        }
        for alert in end {
            if let Some(fingerprint) = queue.restore(alert, since) {
                queue.order.push_back(fingerprint);
            }
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Takes the next batch, and how many alerts were left out because they are stale `now`.
    pub(super) fn take(&self, now: Timestamp) -> (Vec<Arc<Outgoing>>, usize) {
        let (mut batch, mut bytes, mut stale) = (Vec::new(), 0, 0);
        let mut queue = self.lock();
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            match queue.pop() {
                None => break,
                Some(Waiting { alert, .. }) if alert.stale_at <= now => stale += 1,
                Some(Waiting { alert, since }) => {
                    bytes += alert.size();
                    batch.push(alert);
                    queue.taken = Some(queue.taken.map_or(since, |oldest| oldest.min(since)));
                }
            }
        }
        queue.taken_alerts = batch.len();
        (batch, stale)
    }

    /// Notes that the batch that was taken needs nothing more.
    pub(super) fn delivered(&self) {
        let mut queue = self.lock();
        (queue.taken, queue.taken_alerts) = (None, 0);
    }

    /// Since when the oldest alert waits, those that were taken and not delivered included.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let queue = self.lock();
        let first = queue.alerts.values().map(|waiting| waiting.since).min();
        queue.taken.into_iter().chain(first).min()
    }

    /// Waits until there is something to take.
    pub(super) async fn filled(&self) {
        loop {
            let filled = self.filled.notified();
            if self.len() > 0 {
                return;
            }
            filled.await;
        }
    }

    /// Waits until others wait than `these`, or a newer post of one comes.
    pub(super) async fn others_than(&self, these: &HashSet<Fingerprint>) {
        let pushed = self.pushed.notified();
        let has_others = self.lock().order.iter().any(|fingerprint| !these.contains(fingerprint));
        if !has_others {
            pushed.await;
        }
    }

    /// Whether the alert waits.
    pub(super) fn has(&self, fingerprint: Fingerprint) -> bool {
        self.lock().alerts.contains_key(&fingerprint)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().alerts.len()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Adds an alert that was taken; its fingerprint, which has to be put in its place, unless there is a newer post.
    fn restore(&mut self, alert: Arc<Outgoing>, since: Instant) -> Option<Fingerprint> {
        let fingerprint = alert.fingerprint;
        match self.alerts.entry(fingerprint) {
            Entry::Occupied(mut newer) => {
                newer.get_mut().since = since;
                None
            }
            Entry::Vacant(place) => {
                place.insert(Waiting { alert, since });
                Some(fingerprint)
            }
        }
    }

    fn pop(&mut self) -> Option<Waiting> {
        let first = self.order.pop_front()?;
        self.alerts.remove(&first)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::alert::tests::{json, outgoing};

    fn alert(name: &str, json: &str) -> Arc<Outgoing> {
        Arc::new(outgoing(name, json, Timestamp::MAX))
    }

    fn taken(pending: &Pending) -> Vec<String> {
        let (batch, _) = pending.take(Timestamp::UNIX_EPOCH);
        batch.iter().map(|alert| json(alert)).collect()
    }

    #[test]
    fn the_newest_post_takes_the_place_of_the_older_one() {
        let pending = Pending::default();
        for (name, json) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
            assert!(!pending.push(alert(name, json), 9));
        }
        assert_eq!(taken(&pending), ["a2", "b1"]);
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn what_is_put_back_does_not_replace_a_newer_post() {
        let pending = Pending::default();
        pending.push(alert("a", "a1"), 9);
        pending.push(alert("b", "b1"), 9);
        let (batch, _) = pending.take(Timestamp::UNIX_EPOCH);
        pending.push(alert("b", "b2"), 9);
        pending.put_back(batch, Vec::new());
        assert_eq!(taken(&pending), ["a1", "b2"]);
    }

    #[test]
    fn what_is_put_at_the_end_comes_last() {
        let pending = Pending::default();
        for name in ["a", "b"] {
            pending.push(alert(name, name), 9);
        }
        let (mut batch, _) = pending.take(Timestamp::UNIX_EPOCH);
        pending.push(alert("c", "c"), 9);
        let first = batch.remove(0);
        pending.put_back(batch, vec![first]);
        assert!(pending.has(alert("a", "a").fingerprint) && !pending.has(alert("d", "d").fingerprint));
        let fingerprints = |names: &[&str]| names.iter().map(|name| alert(name, "x").fingerprint).collect();
        assert!(pending.others_than(&fingerprints(&["a", "b", "c"])).now_or_never().is_none());
        assert!(pending.others_than(&fingerprints(&["a", "b"])).now_or_never().is_some());
        assert_eq!(taken(&pending), ["b", "c", "a"]);
    }

    #[test]
    fn an_alert_waits_from_its_first_post_until_it_is_delivered() {
        let pending = Pending::default();
        assert_eq!(pending.oldest(), None);
        pending.push(alert("a", "a1"), 9);
        let since = pending.oldest().unwrap();
        while Instant::now() == since {}
        pending.push(alert("a", "a2"), 9);
        pending.push(alert("b", "b1"), 9);
        assert_eq!(pending.oldest(), Some(since));
        let (batch, _) = pending.take(Timestamp::UNIX_EPOCH);
        assert_eq!(pending.oldest(), Some(since), "it was taken, but not delivered");
        pending.push(alert("a", "a3"), 9);
        pending.put_back(batch, Vec::new());
        assert_eq!(pending.oldest(), Some(since));
        assert_eq!(taken(&pending), ["b1", "a3"]);
        pending.delivered();
        assert_eq!(pending.oldest(), None);
    }

    #[test]
    fn beyond_its_room_the_oldest_is_lost() {
        let pending = Pending::default();
        assert!(!pending.push(alert("a", "a1"), 2));
        assert!(!pending.push(alert("b", "b1"), 2));
        assert!(!pending.push(alert("a", "a2"), 2));
        assert!(pending.push(alert("c", "c1"), 2));
        assert_eq!(taken(&pending), ["b1", "c1"]);
    }

    #[test]
    fn it_is_told_beforehand_whether_alerts_would_be_lost() {
        let pending = Pending::default();
        let fingerprints = |names: &[&str]| names.iter().map(|name| alert(name, "x").fingerprint).collect::<Vec<_>>();
        let overflows = |names: &[&str], returning| pending.overflows(&fingerprints(names), returning, 2);
        assert!(!overflows(&["a", "b"], false) && overflows(&["a", "b", "c"], false));
        pending.push(alert("a", "a1"), 2);
        pending.push(alert("b", "b1"), 2);
        assert!(overflows(&["c"], false) && !overflows(&["a", "b"], false), "a newer post takes no more room");
        let (batch, _) = pending.take(Timestamp::UNIX_EPOCH);
        assert!(overflows(&["c"], true) && !overflows(&["c"], false), "they may come back");
        pending.put_back(batch, Vec::new());
        assert!(overflows(&["c"], false));
        taken(&pending);
        pending.delivered();
        assert!(!overflows(&["c"], true));
    }

    #[test]
    fn batches_are_bounded_and_without_stale_alerts() {
        let pending = Pending::default();
        for number in 0..BATCH + 1 {
            pending.push(alert(&number.to_string(), "x"), 999);
        }
        assert_eq!(taken(&pending).len(), BATCH);
        pending.push(Arc::new(outgoing("old", "x", Timestamp::UNIX_EPOCH)), 999);
        let (batch, stale) = pending.take(Timestamp::UNIX_EPOCH);
        assert_eq!((batch.len(), stale), (1, 1));
        assert!(pending.filled().now_or_never().is_none());
    }
}
