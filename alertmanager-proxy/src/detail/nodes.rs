//! How many requests run to one node at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Entries at which forgotten nodes are looked for the first time.
const PRUNE_AT: usize = 64;

/// A semaphore for each node that is being asked; a node that is not takes no memory for long.
#[derive(Debug)]
pub(super) struct Nodes {
    limit: usize,
    nodes: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    semaphores: HashMap<String, Weak<Semaphore>>,
    prune_at: usize,
}

impl Nodes {
    /// Lets `limit` requests at a time to each node.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.min(Semaphore::MAX_PERMITS),
            nodes: Mutex::new(Table { semaphores: HashMap::new(), prune_at: PRUNE_AT }),
        }
    }

    /// Waits for a place at `node`, which is free again when the permit is dropped.
    pub(super) async fn enter(&self, node: &str) -> OwnedSemaphorePermit {
        self.semaphore(node).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// A place at `node`, if there is one now.
    pub(super) fn try_enter(&self, node: &str) -> Option<OwnedSemaphorePermit> {
        self.semaphore(node).try_acquire_owned().ok()
    }

    /// A semaphore lives as long as somebody holds a permit of it or waits for one.
    fn semaphore(&self, node: &str) -> Arc<Semaphore> {
        let mut table = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = table.semaphores.get(node).and_then(Weak::upgrade) {
            return semaphore;
        }
        if table.semaphores.len() >= table.prune_at {
            table.semaphores.retain(|_, semaphore| semaphore.strong_count() > 0);
            table.prune_at = PRUNE_AT + 2 * table.semaphores.len();
        }
        let semaphore = Arc::new(Semaphore::new(self.limit));
        table.semaphores.insert(node.to_owned(), Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_node_is_full_alone_and_free_again() {
        let nodes = Nodes::new(1);
        let held = nodes.enter("a:1").await;
        assert!(nodes.enter("a:1").now_or_never().is_none() && nodes.try_enter("a:1").is_none());
        assert!(nodes.enter("b:1").now_or_never().is_some());
        drop(held);
        assert!(nodes.enter("a:1").now_or_never().is_some() && nodes.try_enter("a:1").is_some());
    }

    #[tokio::test]
    async fn nodes_that_are_not_asked_are_forgotten() {
        let nodes = Nodes::new(1);
        let held = nodes.enter("held").await;
        for number in 0..10 * PRUNE_AT {
            drop(nodes.enter(&number.to_string()).await);
        }
        assert!(nodes.nodes.lock().unwrap().semaphores.len() <= PRUNE_AT + 2);
        assert!(nodes.enter("held").now_or_never().is_none());
        drop(held);
    }
}
