//! Bodies of requests, within bounds: each has a largest size, and so have all together that are in memory at a time. Without
//! the second bound, as many of the largest as there are connections could be.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How many of the largest bodies there is room for. Prometheus's own batches have some ten kilobytes.
const LARGEST_AT_A_TIME: usize = 4;

/// How long a body waits for room: Prometheus's timeout for a post, after which nobody waits for the answer.
const WAIT: Duration = Duration::from_secs(10);

/// Reads bodies into memory.
#[derive(Debug)]
pub struct Bodies {
    /// A permit for each byte.
    room: Arc<Semaphore>,
    bytes: usize,
    wait: Duration,
}

/// A body in memory. Its room is free again when it is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is larger than one may be.
    #[error("the body is larger than {0} bytes (limits.max_body_bytes)")]
    TooLarge(usize),
    /// There is no room for it beside others.
    #[error("too many large bodies are in memory; try again")]
    Crowded,
    /// Its end did not come.
    #[error("the body broke off: {0}")]
    Broken(String),
}

// === impl Bodies ===

impl Bodies {
    /// Room for a few bodies of at most `largest` bytes.
    pub fn new(largest: usize) -> Self {
        let bytes = largest.saturating_mul(LARGEST_AT_A_TIME).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(bytes)), bytes, wait: WAIT }
    }

    /// Reads a body of at most `limit` bytes. The room for all of it is taken first, so that bodies which are half there never
    /// wait for each other.
    ///
    /// # Errors
    /// When it is too large, breaks off, or finds no room for long.
    pub async fn read(&self, headers: &HeaderMap, body: Body, limit: usize) -> Result<Held, Unread> {
        let length = length(headers).unwrap_or(limit);
        if length > limit {
            return Err(Unread::TooLarge(limit));
        }
        let permits = u32::try_from(length.min(self.bytes)).unwrap_or(u32::MAX);
        let room = timeout(self.wait, Arc::clone(&self.room).acquire_many_owned(permits)).await;
        let room = room.map_err(|_| Unread::Crowded)?.expect("the semaphore is never closed");
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(Held { bytes: collected.to_bytes(), _room: room }),
            Err(error) if is_too_large(&*error) => Err(Unread::TooLarge(limit)),
            Err(error) => Err(Unread::Broken(error.to_string())),
        }
    }
}

/// How long the body says that it is; none where it does not say.
pub(crate) fn length(headers: &HeaderMap) -> Option<usize> {
    match headers.get(CONTENT_LENGTH) {
        Some(length) => length.to_str().ok()?.parse().ok(),
        None => (!headers.contains_key(TRANSFER_ENCODING)).then_some(0),
    }
}

/// Whether what failed is a [`Limited`] body that was larger.
pub(crate) fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| error.is::<LengthLimitError>())
}

// === impl Held ===

impl Held {
    /// The bytes. Copies share them, but do not keep the room.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

// === impl Unread ===

impl Unread {
    /// The answer's status, and the reason in a word, for metrics.
    pub fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "crowded"),
            Self::Broken(_) => (StatusCode::BAD_REQUEST, "broken"),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn body() -> Body {
        Body::from("12345")
    }

    #[tokio::test]
    async fn a_body_waits_for_the_room_of_others() {
        let bodies = Bodies::new(5);
        let five = headers(CONTENT_LENGTH, "5");
        let mut held = Vec::new();
        for _ in 0..LARGEST_AT_A_TIME {
            held.push(bodies.read(&five, body(), 5).await.unwrap());
        }
        let mut waiting = Box::pin(bodies.read(&five, body(), 5));
        assert!(waiting.as_mut().now_or_never().is_none());
        held.pop();
        assert_eq!(waiting.await.unwrap().bytes(), "12345");
        assert!(bodies.read(&HeaderMap::new(), Body::empty(), 5).await.is_ok(), "none takes no room");
    }

    #[tokio::test]
    async fn a_body_that_finds_no_room_in_time_is_not_read() {
        let bodies = Bodies { wait: Duration::ZERO, ..Bodies::new(1) };
        let chunked = headers(TRANSFER_ENCODING, "chunked");
        let _all = bodies.read(&chunked, body(), 5).await.unwrap();
        assert_eq!(bodies.read(&chunked, body(), 5).await.unwrap_err(), Unread::Crowded);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_not_read_whether_it_says_so_or_not() {
        let bodies = Bodies::new(5);
        for headers in [headers(CONTENT_LENGTH, "5"), headers(TRANSFER_ENCODING, "chunked")] {
            assert_eq!(bodies.read(&headers, body(), 4).await.unwrap_err(), Unread::TooLarge(4));
            assert!(bodies.read(&headers, body(), 5).await.is_ok());
        }
    }
}
