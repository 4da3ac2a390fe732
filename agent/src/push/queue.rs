//! What waits for one gateway: the newest result of each check, oldest first, within a bound of bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use check_result::CheckKey;
use tokio::sync::Notify;

/// Bytes of a push; a single result may be larger.
const BATCH_BYTES: usize = 1 << 20;
/// Results of a push.
const BATCH_RESULTS: usize = 500;
/// What an entry costs besides its payload, about.
const OVERHEAD: usize = 256;

/// A result that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place: later results have greater ones.
    pub number: u64,
    /// Which check it is of.
    pub key: CheckKey,
    /// What is pushed.
    pub payload: Bytes,
}

/// What a result has put out of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Displaced {
    /// Whether an older result of the same check had not been pushed.
    pub superseded: bool,
    /// Checks whose results were dropped for want of room.
    pub dropped: Vec<CheckKey>,
}

/// The queue of one gateway.
#[derive(Debug)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    filled: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: BTreeMap<u64, Entry>,
    numbers: HashMap<CheckKey, u64>,
    bytes: usize,
    next: u64,
}

// === impl Queue ===

impl Queue {
    /// An empty queue of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { waiting: Mutex::default(), filled: Notify::new(), limit }
    }

    /// Puts a result at the end, in the place of an older one of the same check.
    pub fn push(&self, key: CheckKey, payload: Bytes) -> Displaced {
        let mut waiting = self.waiting();
        let superseded = waiting.remove(&key).is_some();
        waiting.insert(key, payload);
        let mut dropped = Vec::new();
        while waiting.bytes > self.limit {
            let Some((_, oldest)) = waiting.entries.first_key_value() else { break };
            let oldest = oldest.key.clone();
            waiting.remove(&oldest);
            dropped.push(oldest);
        }
        drop(waiting);
        self.filled.notify_one();
        Displaced { superseded, dropped }
    }

    /// What is pushed next: the oldest results.
    pub fn batch(&self) -> Vec<Entry> {
        let waiting = self.waiting();
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += entry.payload.len();
            bytes <= BATCH_BYTES || bytes == entry.payload.len()
        };
        waiting.entries.values().take(BATCH_RESULTS).take_while(fits).cloned().collect()
    }

    /// Takes out what was pushed, unless a newer result has come meanwhile; whether it was there.
    pub fn remove(&self, entry: &Entry) -> bool {
        let mut waiting = self.waiting();
        let current = waiting.numbers.get(&entry.key) == Some(&entry.number);
        if current {
            waiting.remove(&entry.key);
        }
        current
    }

    /// Takes out what is of no use any more; the checks that it was of.
    pub fn discard(&self, useless: impl Fn(&Entry) -> bool) -> Vec<CheckKey> {
        let mut waiting = self.waiting();
        let keys: Vec<_> =
            waiting.entries.values().filter(|entry| useless(entry)).map(|entry| entry.key.clone()).collect();
        keys.iter().for_each(|key| drop(waiting.remove(key)));
        keys
    }

    /// Empties it; the checks of which something was there.
    pub fn clear(&self) -> Vec<CheckKey> {
        let mut waiting = self.waiting();
        let cleared = Waiting { next: waiting.next, ..Waiting::default() };
        std::mem::replace(&mut *waiting, cleared).numbers.into_keys().collect()
    }

    /// What waits of a check.
    pub fn get(&self, key: &CheckKey) -> Option<Entry> {
        let waiting = self.waiting();
        waiting.entries.get(waiting.numbers.get(key)?).cloned()
    }

    /// Waits until something waits.
    pub async fn filled(&self) {
        while self.is_empty() {
            self.filled.notified().await;
        }
    }

    /// How many results wait.
    pub fn len(&self) -> usize {
        self.waiting().entries.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their size in memory, about.
    pub fn bytes(&self) -> usize {
        self.waiting().bytes
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Waiting ===

impl Waiting {
    fn insert(&mut self, key: CheckKey, payload: Bytes) {
        let number = self.next;
        self.next += 1;
        self.bytes += payload.len() + OVERHEAD;
        self.numbers.insert(key.clone(), number);
        self.entries.insert(number, Entry { number, key, payload });
    }

    fn remove(&mut self, key: &CheckKey) -> Option<Entry> {
        let entry = self.entries.remove(&self.numbers.remove(key)?)?;
        self.bytes -= entry.payload.len() + OVERHEAD;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap as Model;

    use proptest::prelude::*;

    use super::*;

    fn key(check: &str) -> CheckKey {
        CheckKey { check: check.to_owned(), source: None }
    }

    fn waiting(queue: &Queue) -> Vec<(String, Bytes)> {
        queue.batch().into_iter().map(|entry| (entry.key.check, entry.payload)).collect()
    }

    #[test]
    fn the_newest_of_each_check_waits_and_over_the_bound_the_oldest_go() {
        let queue = Queue::new(3 * (OVERHEAD + 1));
        for (check, payload) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
            assert_eq!(queue.push(key(check), payload.into()).dropped, []);
        }
        let want = [("b", "2"), ("a", "3"), ("c", "4")].map(|(check, payload)| (check.to_owned(), payload.into()));
        assert_eq!(waiting(&queue), want);
        let displaced = queue.push(key("d"), "5".into());
        assert_eq!(displaced, Displaced { superseded: false, dropped: vec![key("b")] });
        assert!(queue.push(key("d"), "6".into()).superseded);
        let large = queue.push(key("e"), vec![0; 4 * OVERHEAD].into());
        assert_eq!((large.dropped.len(), queue.len(), queue.bytes()), (4, 0, 0), "one that never fits goes too");
    }

    #[test]
    fn what_came_while_it_was_pushed_stays() {
        let queue = Queue::new(usize::MAX);
        queue.push(key("a"), "1".into());
        let batch = queue.batch();
        queue.push(key("a"), "2".into());
        assert!(!queue.remove(&batch[0]));
        assert_eq!(waiting(&queue), [("a".to_owned(), "2".into())]);
        assert!(queue.remove(&queue.batch()[0]) && queue.is_empty());
    }

    #[test]
    fn a_batch_is_bounded_but_never_empty() {
        let queue = Queue::new(usize::MAX);
        for check in ["a", "b"] {
            queue.push(key(check), vec![0; BATCH_BYTES + 1].into());
        }
        assert_eq!(queue.batch().len(), 1);
        queue.clear();
        for check in 0..=BATCH_RESULTS {
            queue.push(key(&check.to_string()), "x".into());
        }
        assert_eq!(queue.batch().len(), BATCH_RESULTS);
    }

    #[test]
    fn no_number_is_given_twice_though_the_queue_is_cleared() {
        let queue = Queue::new(usize::MAX);
        std::thread::scope(|scope| {
            let pushes = scope.spawn(|| (0..20_000).for_each(|_| drop(queue.push(key("a"), "x".into()))));
            while !pushes.is_finished() {
                queue.clear();
            }
        });
        queue.push(key("a"), "x".into());
        assert_eq!(queue.get(&key("a")).unwrap().number, 20_000);
    }

    proptest! {
        #[test]
        fn it_is_a_map_of_the_newest(steps in prop::collection::vec((0_u8..4, 0_u8..6), 0..60)) {
            let (queue, mut model, mut batch) = (Queue::new(usize::MAX), Model::new(), Vec::new());
            for (index, (step, check)) in steps.into_iter().enumerate() {
                let name = check.to_string();
                match step {
                    0 | 1 => {
                        queue.push(key(&name), index.to_string().into());
                        model.insert(name, index.to_string());
                    }
                    2 => batch = queue.batch(),
                    _ => for entry in batch.drain(..) {
                        if model.get(&entry.key.check).map(String::as_bytes) == Some(&*entry.payload) {
                            model.remove(&entry.key.check);
                        }
                        queue.remove(&entry);
                    },
                }
                let held: Model<_, _> = waiting(&queue).into_iter().map(|(check, payload)| (check, String::from_utf8(payload.to_vec()).unwrap())).collect();
                prop_assert_eq!(&held, &model);
                prop_assert_eq!(queue.bytes(), model.values().map(|payload| payload.len() + OVERHEAD).sum::<usize>());
            }
        }
    }
}
