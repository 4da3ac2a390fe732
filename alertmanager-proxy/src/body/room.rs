//! Memory that is shared out.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory, with a permit for each byte.
#[derive(Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    bytes: usize,
}

// === impl Room ===

impl Room {
    /// So many bytes, one at least.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// Adds so many bytes to what a body has, and waits for them.
    pub(crate) async fn take(&self, taken: &mut Option<OwnedSemaphorePermit>, bytes: usize) {
        if let permits @ 1.. = self.permits(taken.as_ref(), bytes) {
            let more = Arc::clone(&self.free).acquire_many_owned(permits).await;
            add(taken, more.expect("the semaphore is never closed"));
        }
    }

    /// The same without waiting; none where there is no room.
    pub(crate) fn try_take(&self, taken: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Option<()> {
        if let permits @ 1.. = self.permits(taken.as_ref(), bytes) {
            add(taken, Arc::clone(&self.free).try_acquire_many_owned(permits).ok()?);
        }
        Some(())
    }

    /// How many bytes are taken.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.bytes - self.free.available_permits()
    }

    /// What is left to be taken for so many bytes. A reload may allow bodies that are larger than the room: such a one
    /// needs all of it.
    fn permits(&self, taken: Option<&OwnedSemaphorePermit>, bytes: usize) -> u32 {
        let has = taken.map_or(0, OwnedSemaphorePermit::num_permits);
        u32::try_from(bytes.min(self.bytes.saturating_sub(has))).unwrap_or(u32::MAX)
    }
}

fn add(taken: &mut Option<OwnedSemaphorePermit>, more: OwnedSemaphorePermit) {
    match taken {
        Some(taken) => taken.merge(more),
        None => *taken = Some(more),
    }
}
