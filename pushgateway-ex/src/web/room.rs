//! Bodies of pushes in memory, within a bound for all together. Without it, as many of the largest as there are connections could
//! stall there.
//!
//! Room is taken as bytes come, and what a usual push has needs none: bodies that stall keep it from nobody. One that finds no room
//! is refused at once, since bodies that are half there would wait for each other.

use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::push::NotPushed;
use crate::body::BadBody;

/// How many of the largest bodies there is room for.
const LARGEST_AT_A_TIME: usize = 4;
/// Bytes of a body that need no room; the number of connections bounds them.
const FREE: usize = 64 << 10;

/// Memory, with a permit for each byte.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    largest: usize,
}

/// A body in memory. Its room is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

// === impl Room ===

impl Room {
    /// Room for a few bodies of at most `largest` bytes.
    pub(super) fn new(largest: usize) -> Self {
        let bytes = largest.saturating_mul(LARGEST_AT_A_TIME).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(bytes)), largest }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is too large, breaks off, or finds no room.
    pub(super) async fn read(&self, body: Body) -> Result<Held, NotPushed> {
        let (mut body, mut bytes, mut room) = (Limited::new(body, self.largest), BytesMut::new(), None);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| self.unread(error))?.into_data() else { continue };
            let counted = |length: usize| length.saturating_sub(FREE);
            self.take(&mut room, counted(bytes.len() + data.len()) - counted(bytes.len()))?;
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.freeze(), _room: room })
    }

    fn take(&self, room: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), NotPushed> {
        if bytes > 0 {
            let permits = u32::try_from(bytes).map_err(|_| NotPushed::Crowded)?;
            let more = Arc::clone(&self.free).try_acquire_many_owned(permits).map_err(|_| NotPushed::Crowded)?;
            match room {
                Some(room) => room.merge(more),
                None => *room = Some(more),
            }
        }
        Ok(())
    }

    fn unread(&self, error: Box<dyn std::error::Error + Send + Sync>) -> NotPushed {
        if error.is::<LengthLimitError>() { BadBody::TooLarge(self.largest).into() } else { NotPushed::Unread(error) }
    }
}
