//! The one who changes the groups: a thread that takes what waits, applies it, stores it in one transaction, shows it, and answers.
//!
//! Since there is one, pushes to a group are in one order, and what a client was told of is what everybody sees. Since it takes all that
//! waits at a time, the cost of making a change durable is shared by all who wait for it.
//!
//! - [`own`]: the groups are this process's, in memory or in a file.
//! - [`mod@shared`]: they are those of several gateways, in a store that all of them use.

mod own;
mod shared;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use check_result::{CheckKey, HistoryLimits};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::events::Events;
use crate::events::shared::SharedEvents;
use crate::groups::{Fates, Groups, Inconsistent, Push, Refused, Results};
use crate::labels::{Key, Labels};
use crate::store::shared::{Shared, SharedError};
use crate::store::{Store, StoreError};

/// Changes that may wait, as in the reference. When they are as many, the gateway is not healthy.
const WAITING: usize = 1000;
/// Changes that are stored together.
const BATCH: usize = 512;

/// A change that is asked for.
#[derive(Clone, Debug)]
pub enum Change {
    /// A push.
    Push(Push),
    /// A push of check results, and how much is kept of each check.
    Results(Results, HistoryLimits),
    /// A push was refused before it got here, and when the time would be over of the group that it would have made.
    Fail(Labels, Timestamp, Option<Timestamp>),
    /// The metrics or the check results of a group go.
    Delete(Key),
    /// One check of a group goes.
    Forget(Labels, CheckKey),
    /// Every group goes.
    Wipe,
    /// What is to become of what is over.
    Expire(Timestamp, Fates),
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
    /// The store that several gateways share did not take it, or cannot be asked.
    #[error(transparent)]
    Shared(Arc<SharedError>),
    /// The gateway stops.
    #[error("the gateway is stopping")]
    Stopping,
}

/// What came of a change: how many results it left out, because what is known is of later runs.
type Outcome = Result<usize, Failure>;

/// What the thread is asked for.
struct Order {
    /// None: nothing but to see what was acknowledged.
    change: Option<Change>,
    /// The memory that it takes until it is applied. It has it also where who asked has gone away.
    room: Option<OwnedSemaphorePermit>,
    /// Is told when it is made, and shown.
    tell: oneshot::Sender<Outcome>,
}

/// Where changes are handed in, and what came of them. Clones are of the same groups.
#[derive(Clone, Debug)]
pub struct Keeper {
    orders: mpsc::Sender<Order>,
    shown: Arc<ArcSwap<Groups>>,
    /// Whether others change the groups as well.
    shared: bool,
}

// === impl Keeper ===

impl Keeper {
    /// Starts the thread, which ends when the last clone is gone and everything that waited is done.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(groups: Groups, store: Option<Store>, events: Events) -> std::io::Result<(Self, JoinHandle<()>)> {
        events.shown(&groups);
        let shown = Arc::new(ArcSwap::from_pointee(groups.clone()));
        let work = own::Work::new(groups, Arc::clone(&shown), store, events)?;
        let (orders, thread) = spawn(|waiting| work.run(waiting))?;
        Ok((Self { orders, shown, shared: false }, thread))
    }

    /// The same for groups that other gateways change as well: what there is comes from the store. `groups` is an empty one.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn share(
        groups: Groups,
        store: Shared,
        events: (Events, SharedEvents),
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let shown = Arc::new(ArcSwap::from_pointee(groups.clone()));
        let work = shared::Work::new(store, groups, Arc::clone(&shown), events);
        let (orders, thread) = spawn(|waiting| work.run(waiting))?;
        Ok((Self { orders, shown, shared: true }, thread))
    }

    /// Has a change made, and says how many check results were left out because what is known is of later runs. What waits for this to
    /// return may go away: the change is made all the same.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn change(&self, change: Change) -> Result<usize, Failure> {
        self.order(Some(change), None).await
    }

    /// The same for a change that has a share of some memory, until it is no longer there.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn change_within(&self, room: Option<OwnedSemaphorePermit>, change: Change) -> Result<usize, Failure> {
        self.order(Some(change), room).await
    }

    /// The groups, with everything in them that was acknowledged to anybody before this was asked.
    ///
    /// # Errors
    /// When others may have changed them, and what they changed cannot be read.
    pub async fn current(&self) -> Result<Arc<Groups>, Failure> {
        if self.shared {
            self.order(None, None).await?;
        }
        Ok(self.groups())
    }

    async fn order(&self, change: Option<Change>, room: Option<OwnedSemaphorePermit>) -> Outcome {
        let (tell, told) = oneshot::channel();
        self.orders.send(Order { change, room, tell }).await.map_err(|_| Failure::Stopping)?;
        told.await.unwrap_or(Err(Failure::Stopping))
    }

    /// The groups as they were last seen here.
    pub fn groups(&self) -> Arc<Groups> {
        self.shown.load_full()
    }

    /// Whether others change the groups as well.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether the thread has ended, while there are still some that may ask it: it panicked.
    pub fn has_ended(&self) -> bool {
        self.orders.is_closed()
    }

    /// Whether a further change would have to wait for its place. With a shared store that says how the store is, not this
    /// process: whoever restarts it for that makes nothing better.
    pub fn is_full(&self) -> bool {
        self.orders.capacity() == 0 && !self.shared
    }
}

#[cfg(test)]
impl Keeper {
    /// One whose thread has ended.
    pub(crate) fn ended(groups: Groups) -> Self {
        let (orders, _) = mpsc::channel(1);
        Self { orders, shown: Arc::new(ArcSwap::from_pointee(groups)), shared: false }
    }
}

/// Starts the thread, which takes orders up to [`BATCH`] at a time.
fn spawn(
    run: impl FnOnce(mpsc::Receiver<Order>) + Send + 'static,
) -> std::io::Result<(mpsc::Sender<Order>, JoinHandle<()>)> {
    let (orders, waiting) = mpsc::channel(WAITING);
    let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(move || run(waiting))?;
    Ok((orders, thread))
}

/// Makes a change, and notes the groups that it touched.
fn apply(groups: &mut Groups, change: Change, touched: &mut BTreeSet<Key>) -> Outcome {
    match change {
        Change::Push(push) => {
            let (key, at, expires) = (push.key.clone(), push.at, push.expires);
            let outcome = groups.push(push);
            if let Err(Refused::Inconsistent(_)) = &outcome {
                groups.fail(&key, at, expires)?;
            }
            if matches!(outcome, Ok(()) | Err(Refused::Inconsistent(_))) {
                touched.insert(key);
            }
            outcome?;
        }
        Change::Results(results, limits) => {
            let key = Key::checks(results.labels.clone());
            let late = groups.results(results, &limits)?;
            touched.insert(key);
            return Ok(late);
        }
        Change::Fail(labels, at, expires) => {
            let key = Key::metrics(labels);
            groups.fail(&key, at, expires)?;
            touched.insert(key);
        }
        Change::Delete(key) => {
            if groups.delete(&key) {
                touched.insert(key);
            }
        }
        Change::Forget(labels, check) => {
            if groups.forget(labels.clone(), &check)? {
                touched.insert(Key::checks(labels));
            }
        }
        Change::Expire(now, fates) => touched.extend(groups.expire(now, fates)),
        Change::Wipe => {
            let all: Vec<_> = groups.iter().map(|group| group.key.clone()).collect();
            for key in all {
                groups.delete(&key);
                touched.insert(key);
            }
        }
    }
    Ok(0)
}

impl From<Inconsistent> for Failure {
    fn from(inconsistent: Inconsistent) -> Self {
        Self::Refused(inconsistent.into())
    }
}
