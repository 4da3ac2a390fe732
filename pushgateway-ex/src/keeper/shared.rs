//! The keeper of groups that several gateways share.
//!
//! What waits is applied to the groups as they are known here, and handed to the store, which takes it if they were known right. Else the
//! keeper learns what changed and applies it again. Who only wants to read waits in the same row: one look at the store is
//! for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::sync::mpsc;

use super::{BATCH, Change, Failure, Order, Outcome, apply};
use crate::events::Events;
use crate::events::shared::{Load, SharedEvents};
use crate::groups::Groups;
use crate::labels::Key;
use crate::store::shared::{self, Content, Delta, Field, Kept, Seen, Shared, SharedError, Version, Write};

/// After a failure the store is left alone for so long; who asks in the meantime is told at once.
const REST: Duration = Duration::from_millis(200);
/// Waits while it is the turn of another replica.
const WAITS: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(5));
/// Bytes of records that are handed in together, if they are of more than one change.
const BYTES: usize = 32 << 20;

type Outcomes = Vec<Outcome>;

/// The thread's part.
pub(super) struct Work {
    store: Shared,
    /// The groups as the store has them at `at`.
    groups: Groups,
    at: Option<Version>,
    /// Groups of the store that cannot be read here, and why.
    unreadable: BTreeMap<Field, String>,
    /// Groups of which checks are left out here that the store still has, and how many.
    left_out: BTreeMap<Field, usize>,
    /// Where to begin when everything is read.
    empty: Groups,
    shown: Arc<ArcSwap<Groups>>,
    events: (Events, SharedEvents),
    names: Names,
    rest: Option<(Instant, Arc<SharedError>)>,
}

/// The names of changes, which no other replica gives.
struct Names {
    random: String,
    given: u64,
}

/// Changes, as they would be together.
struct Applied {
    next: Groups,
    outcomes: Outcomes,
    write: Write,
}

// === impl Work ===

impl Work {
    pub(super) fn new(
        store: Shared,
        groups: Groups,
        shown: Arc<ArcSwap<Groups>>,
        events: (Events, SharedEvents),
    ) -> Self {
        let (at, unreadable, left_out, empty) = (None, BTreeMap::new(), BTreeMap::new(), groups.clone());
        Self { store, groups, at, unreadable, left_out, empty, shown, events, names: Names::new(), rest: None }
    }

    pub(super) fn run(mut self, mut waiting: mpsc::Receiver<Order>) {
        // Before anybody asks.
        self.serve(Vec::new());
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.serve(std::mem::take(&mut batch));
        }
    }

    fn serve(&mut self, batch: Vec<Order>) {
        // They may have to be applied again, and have their room until they are made.
        let waits = batch.into_iter().map(|Order { change, room, tell }| (change, (room, tell)));
        let (changes, waiting): (Vec<_>, Vec<_>) = waits.unzip();
        let outcomes = match &self.rest {
            Some((until, error)) if Instant::now() < *until => all(&changes, error),
            _ => self.make(&changes),
        };
        drop(changes);
        for (outcome, (room, tell)) in outcomes.into_iter().zip(waiting) {
            drop(room);
            // A client that has gone away does not want to know.
            let _ = tell.send(outcome);
        }
    }

    /// Makes changes; none is only to learn what is new.
    fn make(&mut self, changes: &[Option<Change>]) -> Outcomes {
        self.rest = None;
        let error = match self.try_to_make(changes) {
            Ok(outcomes) => {
                let wrote = outcomes.iter().zip(changes).any(|(outcome, change)| outcome.is_ok() && change.is_some());
                self.events.1.synced(wrote);
                return outcomes;
            }
            Err(error) => Arc::new(error),
        };
        self.events.1.failed(&error);
        let mut outcomes = all(changes, &error);
        if matches!(*error, SharedError::Away { .. } | SharedError::Doubt { .. }) {
            self.rest = Some((Instant::now() + REST, error));
        } else if changes.iter().any(Option::is_none) && changes.iter().any(Option::is_some) {
            // What takes no changes may still be read.
            let read = self.make(&[None]).remove(0);
            for (outcome, _) in outcomes.iter_mut().zip(changes).filter(|(_, change)| change.is_none()) {
                outcome.clone_from(&read);
            }
        }
        outcomes
    }

    fn try_to_make(&mut self, changes: &[Option<Change>]) -> Result<Outcomes, SharedError> {
        let id = self.names.next();
        let deadline = Instant::now() + self.store.timeout();
        loop {
            let (at, loaded) = match &self.at {
                Some(at) => (at.clone(), false),
                None => (self.load(Load::Start)?, true),
            };
            let Applied { next, outcomes, write } = self.applied(changes, &id);
            let bytes: usize = write.records.values().map(Vec::len).sum();
            if bytes > BYTES && changes.len() > 1 {
                let (some, others) = changes.split_at(changes.len() / 2);
                let mut outcomes = self.try_to_make(some)?;
                outcomes.extend(self.try_to_make(others).unwrap_or_else(|error| all(others, &Arc::new(error))));
                return Ok(outcomes);
            }
            match self.sync(&at, &write, deadline)? {
                Seen::Current { at, groups } => {
                    self.take(next, at, &write);
                    if groups != self.groups.len() + self.unreadable.len() && !loaded {
                        self.load(Load::Lost)?;
                    }
                    return Ok(outcomes);
                }
                Seen::Changed(delta) => {
                    let made = delta.ids.contains(&id);
                    self.learn(delta);
                    if made || changes.iter().all(Option::is_none) {
                        return Ok(outcomes);
                    }
                }
                Seen::Forgotten { other } => {
                    self.load(if other { Load::Lost } else { Load::Behind })?;
                }
                Seen::Wait => {}
            }
            self.events.1.conflict();
            if Instant::now() > deadline {
                return Err(SharedError::Contended { store: self.store.name() });
            }
        }
    }

    /// Asks the store, again while it is the turn of another replica.
    fn sync(&mut self, at: &Version, write: &Write, deadline: Instant) -> Result<Seen, SharedError> {
        let waits = ExponentialBuilder::new().with_min_delay(WAITS.0).with_max_delay(WAITS.1);
        for wait in waits.without_max_times().with_jitter().build() {
            match self.store.sync(at, write)? {
                Seen::Wait if Instant::now() < deadline => std::thread::sleep(wait),
                seen => return Ok(seen),
            }
        }
        Ok(Seen::Wait)
    }

    fn applied(&self, changes: &[Option<Change>], id: &str) -> Applied {
        let (mut next, mut touched, mut gone) = (self.groups.clone(), BTreeSet::new(), BTreeSet::new());
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            let outcome = change.as_ref().map_or(Ok(0), |change| {
                self.check_readable(change, &mut gone)?;
                apply(&mut next, change.clone(), &mut touched)
            });
            outcomes.push(outcome);
        }
        let wipe = changes.iter().any(|change| matches!(change, Some(Change::Wipe)));
        let records = touched.into_iter().filter_map(|key| match next.get(&key) {
            Some(group) => Some((shared::field(&key), shared::encode(group))),
            None => (!wipe).then(|| (shared::field(&key), Vec::new())),
        });
        let records = records.chain(gone.into_iter().map(|field| (field, Vec::new()))).collect();
        Applied { next, outcomes, write: Write { id: id.to_owned(), wipe, records } }
    }

    /// Refuses what would overwrite a group that cannot be read here. To delete it is to say that it may go.
    fn check_readable(&self, change: &Change, gone: &mut BTreeSet<Field>) -> Result<(), Failure> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        let key = match change {
            Change::Push(push) => push.key.clone(),
            Change::Results(results, _) => Key::checks(results.labels.clone()),
            Change::Forget(labels, _) => Key::checks(labels.clone()),
            Change::Fail(labels, ..) => Key::metrics(labels.clone()),
            Change::Delete(key) => {
                gone.extend(Some(shared::field(key)).filter(|field| self.unreadable.contains_key(field)));
                return Ok(());
            }
            Change::Wipe | Change::Expire(..) => return Ok(()),
        };
        match self.unreadable.get(&shared::field(&key)) {
            Some(reason) => {
                let (group, reason) = (key.labels.to_string(), reason.clone());
                Err(Failure::Shared(Arc::new(SharedError::Unreadable { group, reason })))
            }
            None => Ok(()),
        }
    }

    /// The store has the changes.
    fn take(&mut self, next: Groups, at: Version, write: &Write) {
        let stays = |field: &Field| !write.wipe && !write.records.contains_key(field);
        self.unreadable.retain(|field, _| stays(field));
        self.left_out.retain(|field, _| stays(field));
        let changed = !write.is_empty();
        self.groups = next;
        self.at = Some(at);
        if changed {
            self.show();
        }
    }

    /// Others changed groups.
    fn learn(&mut self, delta: Delta) {
        // First all that was, then all that is: a series may have gone from one of these groups to another.
        for field in delta.groups.keys() {
            self.unreadable.remove(field);
            if let Some(key) = shared::key(field) {
                self.groups.delete(&key);
            }
        }
        for (field, content) in delta.groups {
            match content {
                Some(content) => self.put(field, content),
                None => drop(self.left_out.remove(&field)),
            }
        }
        self.at = Some(delta.at);
        self.show();
    }

    /// Reads everything.
    fn load(&mut self, why: Load) -> Result<Version, SharedError> {
        let before = self.at.take().unwrap_or_default();
        let (at, groups) = self.store.load()?;
        self.groups = self.empty.clone();
        self.unreadable.clear();
        self.left_out.retain(|field, _| groups.contains_key(field));
        for (field, content) in groups {
            self.put(field, content);
        }
        self.at = Some(at.clone());
        self.show();
        self.events.1.loaded(why, self.groups.len(), (&before, &at));
        Ok(at)
    }

    fn put(&mut self, field: Field, content: Content) {
        match content {
            Ok(Kept { group, left_out }) => {
                // What is read again was told of before.
                let told = match left_out {
                    0 => self.left_out.remove(&field),
                    _ => self.left_out.insert(field, left_out),
                };
                self.events.0.left_out(left_out.saturating_sub(told.unwrap_or_default()), &group.key.labels);
                self.groups.put(group);
            }
            Err(reason) => {
                let group = shared::key(&field).map(|key| key.labels.to_string());
                self.events.1.unreadable(&group.unwrap_or_else(|| "of a name that cannot be read".to_owned()), &reason);
                self.unreadable.insert(field, reason);
            }
        }
    }

    fn show(&self) {
        self.events.0.shown(&self.groups);
        self.events.1.set_unreadable(self.unreadable.len());
        self.shown.store(Arc::new(self.groups.clone()));
    }
}

// === impl Names ===

impl Names {
    fn new() -> Self {
        // The standard library's source of randomness is the system's.
        let random = || RandomState::new().hash_one(std::process::id());
        Self { random: format!("{:016x}{:016x}", random(), random()), given: 0 }
    }

    fn next(&mut self) -> String {
        self.given += 1;
        format!("{}-{}", self.random, self.given)
    }
}

/// The same failure for everybody.
fn all(changes: &[Option<Change>], error: &Arc<SharedError>) -> Outcomes {
    changes.iter().map(|_| Err(Failure::Shared(Arc::clone(error)))).collect()
}
