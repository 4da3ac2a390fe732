//! The keeper of groups that are this process's own, and of their file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout_at;

use super::{BATCH, Failure, Order, apply};
use crate::events::Events;
use crate::groups::{Group, Groups};
use crate::labels::Key;
use crate::store::{Change, Store, StoreError};

/// The thread's part.
pub(super) struct Work {
    groups: Groups,
    shown: Arc<ArcSwap<Groups>>,
    store: Option<Store>,
    events: Events,
    /// Groups of batches that could not be stored: what the file has of them is not known.
    unsure: BTreeSet<Key>,
    /// Groups that are stored, but not durable yet: a failure may take them with it.
    unsynced: BTreeSet<Key>,
    /// What waits, and has a clock.
    runtime: Runtime,
}

// === impl Work ===

impl Work {
    pub(super) fn new(
        groups: Groups,
        shown: Arc<ArcSwap<Groups>>,
        store: Option<Store>,
        events: Events,
    ) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        Ok(Self { groups, shown, store, events, unsure: BTreeSet::new(), unsynced: BTreeSet::new(), runtime })
    }

    pub(super) fn run(mut self, mut waiting: mpsc::Receiver<Order>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let due = self.store.as_ref().and_then(Store::due);
            let next = waiting.recv_many(&mut batch, BATCH);
            let taken = self.runtime.block_on(async {
                match due {
                    Some(due) => timeout_at(due.into(), next).await.ok(),
                    None => Some(next.await),
                }
            });
            match taken {
                Some(0) => break,
                Some(_) => self.make(std::mem::take(&mut batch)),
                None => self.sync(),
            }
        }
        if !self.unsure.is_empty() {
            self.sync();
        }
        if let Some(store) = self.store
            && let Err(error) = store.close()
        {
            tracing::error!(%error, "Could not finish the storage: {error}");
        }
    }

    fn make(&mut self, batch: Vec<Order>) {
        let mut next = self.groups.clone();
        let mut touched = BTreeSet::new();
        let mut made = Vec::with_capacity(batch.len());
        for Order { change, room, tell } in batch {
            let outcome = change.map_or(Ok(0), |change| apply(&mut next, change, &mut touched));
            drop(room);
            made.push((outcome, tell));
        }
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

    /// Makes durable what is stored, when nobody pushes any more.
    fn sync(&mut self) {
        let groups = self.groups.clone();
        match self.save(&groups, BTreeSet::new()) {
            Ok(()) => self.events.shown(&self.groups),
            Err(error) => self.events.not_synced(&error),
        }
    }

    /// Stores the groups that were touched, and those that the file may have otherwise than they are.
    fn save(&mut self, next: &Groups, touched: BTreeSet<Key>) -> Result<(), Arc<StoreError>> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let sure = touched.difference(&self.unsure);
        let sure = sure.map(|key| Change { key, before: group(&self.groups, key), now: group(next, key) });
        let unsure = self.unsure.iter().map(|key| Change { key, before: None, now: group(next, key) });
        let mut changes = sure.chain(unsure).peekable();
        if changes.peek().is_none() && store.due().is_none_or(|due| due > Instant::now()) {
            return Ok(());
        }
        let stored = store.save(changes);
        self.unsure.extend(touched);
        match (&stored, store.due()) {
            (Ok(()), Some(_)) => self.unsynced.append(&mut self.unsure),
            (Ok(()), None) => {
                self.unsure.clear();
                self.unsynced.clear();
            }
            (Err(_), _) => self.unsure.append(&mut self.unsynced),
        }
        Ok(stored?)
    }
}

fn group<'a>(groups: &'a Groups, key: &Key) -> Option<&'a Group> {
    groups.get(key).map(|group| &**group)
}
