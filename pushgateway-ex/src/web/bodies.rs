//! Bodies of pushes in memory, within a bound for all together. Without it, as many of the largest as there are connections could
//! stall there.
//!
//! Room is taken as bytes come, and for what they become when they are unpacked and read; what a usual push has needs none: bodies
//! that stall keep it from nobody. One that finds no room is refused at once, since bodies that are half there would wait for each
//! other.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use service::Room;
use tokio::sync::OwnedSemaphorePermit;

use super::push::NotPushed;
use crate::body::BadBody;

/// How many of the largest bodies there is room for.
const LARGEST_AT_A_TIME: usize = 4;
/// Bytes of a body, and of what it becomes, that need no room; the number of connections bounds them.
const FREE: usize = 64 << 10;

/// Reads bodies into memory.
#[derive(Debug)]
pub(super) struct Bodies {
    room: Room,
    largest: usize,
}

/// A body in memory. Its room is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Bytes,
    /// Bytes in memory, those of what it has become included.
    taken: usize,
    room: Option<OwnedSemaphorePermit>,
}

// === impl Bodies ===

impl Bodies {
    /// Room for a few bodies of at most `largest` bytes.
    pub(super) fn new(largest: usize) -> Self {
        Self { room: Room::new(largest.saturating_mul(LARGEST_AT_A_TIME)), largest }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is too large, breaks off, or finds no room.
    pub(super) async fn read(&self, body: Body) -> Result<Held, NotPushed> {
        let (mut body, mut bytes, mut room) = (Limited::new(body, self.largest), BytesMut::new(), None);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| self.unread(error))?.into_data() else { continue };
            self.take(&mut room, bytes.len(), data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(Held { taken: bytes.len(), bytes: bytes.freeze(), room })
    }

    /// Takes room for what a body becomes, until that is dropped with it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn grow(&self, held: &mut Held, bytes: usize) -> Result<(), NotPushed> {
        self.take(&mut held.room, held.taken, bytes)?;
        held.taken = held.taken.saturating_add(bytes);
        Ok(())
    }

    fn take(&self, room: &mut Option<OwnedSemaphorePermit>, taken: usize, more: usize) -> Result<(), NotPushed> {
        let counted = |length: usize| length.saturating_sub(FREE);
        let more = counted(taken.saturating_add(more)) - counted(taken);
        self.room.try_take(room, more).ok_or(NotPushed::Crowded)
    }

    fn unread(&self, error: Box<dyn std::error::Error + Send + Sync>) -> NotPushed {
        if error.is::<LengthLimitError>() { BadBody::TooLarge(self.largest).into() } else { NotPushed::Unread(error) }
    }
}
