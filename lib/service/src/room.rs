//! Memory that is shared out among bodies.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory for bodies, with a permit for each byte: what bounds them all together.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (room, mut one, mut other) = (service::Room::new(10), None, None);
/// room.take(&mut one, 6).await;
/// assert_eq!(room.try_take(&mut other, 6), None, "there is no room beside it");
/// service::Room::shrink(&mut one, 4);
/// assert_eq!((room.try_take(&mut other, 6), room.taken()), (Some(()), 10));
/// drop((one, other));
/// assert_eq!(room.taken(), 0);
/// # }
/// ```
#[derive(Debug)]
pub struct Room {
    free: Arc<Semaphore>,
    bytes: usize,
}

// === impl Room ===

impl Room {
    /// So many bytes, one at least.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let bytes = bytes.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// Adds so many bytes to what a body has, and waits for them.
    ///
    /// # Panics
    /// Never: nobody closes it.
    pub async fn take(&self, taken: &mut Option<OwnedSemaphorePermit>, bytes: usize) {
        if let permits @ 1.. = self.permits(taken.as_ref(), bytes) {
            let more = Arc::clone(&self.free).acquire_many_owned(permits).await;
            add(taken, more.expect("the semaphore is never closed"));
        }
    }

    /// The same without waiting; none where there is no room.
    #[must_use = "without room, the bytes must not be kept"]
    pub fn try_take(&self, taken: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Option<()> {
        if let permits @ 1.. = self.permits(taken.as_ref(), bytes) {
            add(taken, Arc::clone(&self.free).try_acquire_many_owned(permits).ok()?);
        }
        Some(())
    }

    /// Gives back what a body has beyond so many bytes.
    pub fn shrink(taken: &mut Option<OwnedSemaphorePermit>, bytes: usize) {
        let has = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        drop(taken.as_mut().and_then(|taken| taken.split(has.saturating_sub(bytes))));
    }

    /// How many bytes are taken.
    pub fn taken(&self) -> usize {
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
