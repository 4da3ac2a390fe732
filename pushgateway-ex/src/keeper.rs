//! The one who changes the groups: a thread that takes what waits, applies it, stores it in one transaction, shows it, and answers.
//!
//! Since there is one, pushes to a group are in one order, and what a client was told of is what everybody sees. Since it takes all that
//! waits at a time, the cost of making a change durable is shared by all who wait for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use check_result::HistoryLimits;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::events::Events;
use crate::groups::{Expired, Groups, Inconsistent, Push, Refused, Results};
use crate::labels::{Key, Labels};
use crate::store::{Store, StoreError};

/// Changes that may wait, as in the reference. When they are as many, the gateway is not healthy.
const WAITING: usize = 1000;
/// Changes that are stored together.
const BATCH: usize = 512;

/// A change that is asked for.
#[derive(Debug)]
pub enum Change {
    /// A push.
    Push(Push),
    /// A push of check results, and how much is kept of each check.
    Results(Results, HistoryLimits),
    /// A push was refused before it got here.
    Fail(Labels, Timestamp),
    /// The metrics or the check results of a group go.
    Delete(Key),
    /// Every group goes.
    Wipe,
    /// What becomes of the groups whose time is over.
    Expire(Timestamp, Expired),
}

/// Why a change was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// It does not fit.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be stored.
    #[error("{0}; nothing was changed, push again later")]
    Store(#[from] Arc<StoreError>),
    /// The gateway stops.
    #[error("the gateway is stopping")]
    Stopping,
}

type Told = oneshot::Sender<Result<(), Failure>>;

/// Where changes are handed in, and what came of them. Clones are of the same groups.
#[derive(Clone, Debug)]
pub struct Keeper {
    orders: mpsc::Sender<(Change, Told)>,
    shown: Arc<ArcSwap<Groups>>,
}

/// The thread's own part.
struct Work {
    groups: Groups,
    shown: Arc<ArcSwap<Groups>>,
    store: Option<Store>,
    events: Events,
    /// Groups of batches that could not be stored: what the file has of them is not known.
    unsure: BTreeSet<Key>,
}

// === impl Keeper ===

impl Keeper {
    /// Starts the thread, which ends when the last clone is gone and everything that waited is done.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(groups: Groups, store: Option<Store>, events: Events) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (orders, waiting) = mpsc::channel(WAITING);
        events.shown(&groups);
        let shown = Arc::new(ArcSwap::from_pointee(groups.clone()));
        let work = Work { groups, shown: Arc::clone(&shown), store, events, unsure: BTreeSet::new() };
        let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(move || work.run(waiting))?;
        Ok((Self { orders, shown }, thread))
    }

    /// Has a change made. What waits for this to return may go away: the change is made all the same.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn change(&self, change: Change) -> Result<(), Failure> {
        let (tell, told) = oneshot::channel();
        self.orders.send((change, tell)).await.map_err(|_| Failure::Stopping)?;
        told.await.unwrap_or(Err(Failure::Stopping))
    }

    /// The groups as they are now.
    pub fn groups(&self) -> Arc<Groups> {
        self.shown.load_full()
    }

    /// Whether a further change would have to wait for its place.
    pub fn is_full(&self) -> bool {
        self.orders.capacity() == 0
    }
}

// === impl Work ===

impl Work {
    fn run(mut self, mut waiting: mpsc::Receiver<(Change, Told)>) {
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.make(std::mem::take(&mut batch));
        }
        if let Some(store) = self.store
            && let Err(error) = store.close()
        {
            tracing::error!(%error, "Could not finish the storage: {error}");
        }
    }

    fn make(&mut self, batch: Vec<(Change, Told)>) {
        let mut next = self.groups.clone();
        let mut touched = BTreeSet::new();
        let made: Vec<_> =
            batch.into_iter().map(|(change, tell)| (apply(&mut next, change, &mut touched), tell)).collect();
        let stored = self.save(&next, touched);
        match &stored {
            Ok(()) => {
                self.groups = next;
                self.events.shown(&self.groups);
                self.shown.store(Arc::new(self.groups.clone()));
            }
            Err(error) => self.events.not_stored(error),
        }
        for (outcome, tell) in made {
            // A client that has gone away does not want to know.
            let _ = tell.send(stored.clone().map_err(Failure::Store).and(outcome));
        }
    }

    /// Stores the groups that were touched, and those that the file may have otherwise than they are.
    fn save(&mut self, next: &Groups, touched: BTreeSet<Key>) -> Result<(), Arc<StoreError>> {
        let Some(store) = &mut self.store else { return Ok(()) };
        self.unsure.extend(touched);
        if !self.unsure.is_empty() {
            store.save(self.unsure.iter().map(|key| (key, next.get(key).map(|group| &**group))))?;
            self.unsure.clear();
        }
        Ok(())
    }
}

fn apply(groups: &mut Groups, change: Change, touched: &mut BTreeSet<Key>) -> Result<(), Failure> {
    match change {
        Change::Push(push) => {
            let (key, at) = (push.key.clone(), push.at);
            let outcome = groups.push(push);
            if let Err(Refused::Inconsistent(_)) = &outcome {
                groups.fail(&key, at)?;
            }
            if matches!(outcome, Ok(()) | Err(Refused::Inconsistent(_))) {
                touched.insert(key);
            }
            outcome?;
        }
        Change::Results(results, limits) => {
            let key = Key::checks(results.labels.clone());
            groups.results(results, &limits)?;
            touched.insert(key);
        }
        Change::Fail(labels, at) => {
            let key = Key::metrics(labels);
            groups.fail(&key, at)?;
            touched.insert(key);
        }
        Change::Delete(key) => {
            if groups.delete(&key) {
                touched.insert(key);
            }
        }
        Change::Expire(now, how) => touched.extend(groups.expire(now, how)),
        Change::Wipe => {
            let all: Vec<_> = groups.iter().map(|group| group.key.clone()).collect();
            for key in all {
                groups.delete(&key);
                touched.insert(key);
            }
        }
    }
    Ok(())
}

impl From<Inconsistent> for Failure {
    fn from(inconsistent: Inconsistent) -> Self {
        Self::Refused(inconsistent.into())
    }
}
