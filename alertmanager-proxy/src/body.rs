//! Bodies, within bounds: each has a largest size, and so have all together that are in memory at a time. Without the
//! second bound, as many of the largest as there are connections could be. Here are those that are posted; for those
//! that nodes answer with see `detail/answers.rs`.
//!
//! Room is taken as bytes come: a body that stalls, or that never had what it announced, keeps no other out. The first
//! megabyte of each has a room of its own, so that large bodies cannot shut out Prometheus's batches, which wait there
//! while those before them are worked off. What a large body has beyond that never waits, for bodies that are half
//! there would wait for each other.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use service::Room;
use service::http::root_cause;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// How many of the largest bodies there is room for. Prometheus's own batches have some ten kilobytes.
const LARGEST_AT_A_TIME: usize = 4;

/// Bytes of a body that no large one may be in the way of; Prometheus's largest batches have less.
const FIRST: usize = 1 << 20;

/// How long a body waits for room: Prometheus's timeout for a post, after which nobody waits for the answer.
const WAIT: Duration = Duration::from_secs(10);

/// Reads bodies into memory.
#[derive(Debug)]
pub struct Bodies {
    /// For the first megabyte of each.
    first: Room,
    /// For all that is beyond it.
    beyond: Room,
    wait: Duration,
}

/// A body in memory. Its room is free again when it is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Bytes,
    _room: Taken,
}

/// Who knows of room for a body that is being read.
pub(crate) trait Space {
    /// Takes room for `more` bytes of a body that has so many, and will have `longest` at most. To how many bytes in
    /// all the body may grow with what it has now, if that is more than it needs.
    async fn take(&mut self, has: usize, more: usize, longest: usize) -> Result<usize, Unread>;
}

/// Room beside other posted bodies.
#[derive(Debug)]
struct Shared<'a> {
    bodies: &'a Bodies,
    taken: Taken,
}

/// What a body has of the rooms.
#[derive(Debug, Default)]
struct Taken {
    first: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
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
        let half = largest.saturating_mul(LARGEST_AT_A_TIME / 2);
        Self { first: Room::new(half), beyond: Room::new(half), wait: WAIT }
    }

    /// Reads a body of at most `limit` bytes.
    ///
    /// # Errors
    /// When it is too large, breaks off, or finds no room for long.
    pub async fn read(&self, headers: &HeaderMap, body: Body, limit: usize) -> Result<Held, Unread> {
        if length(headers).is_some_and(|length| length > limit) {
            return Err(Unread::TooLarge(limit));
        }
        let mut room = Shared { bodies: self, taken: Taken::default() };
        let bytes = read(body, limit, &mut room).await?;
        Ok(Held { bytes, _room: room.taken })
    }
}

/// Reads a body of at most `limit` bytes, into memory that `space` has for it.
///
/// # Errors
/// When it is too large, breaks off, or finds no room.
pub(crate) async fn read<B>(body: B, limit: usize, space: &mut impl Space) -> Result<Bytes, Unread>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let announced = body.size_hint();
    if announced.lower() > limit as u64 {
        return Err(Unread::TooLarge(limit));
    }
    let longest = announced.upper().and_then(|longest| usize::try_from(longest).ok()).unwrap_or(limit).min(limit);
    let (mut body, mut bytes) = (pin!(Limited::new(body, limit)), Vec::new());
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                let room = space.take(bytes.len(), data.len(), longest).await?;
                if room > bytes.capacity() {
                    bytes.reserve_exact(room - bytes.len());
                }
                bytes.extend_from_slice(&data);
            }
            Err(error) if is_too_large(&*error) => return Err(Unread::TooLarge(limit)),
            Err(error) => return Err(Unread::Broken(root_cause(&*error).to_string())),
        }
    }
    Ok(bytes.into())
}

// === impl Shared ===

impl Space for Shared<'_> {
    async fn take(&mut self, has: usize, more: usize, _: usize) -> Result<usize, Unread> {
        let Self { bodies, taken } = self;
        let first = FIRST.saturating_sub(has).min(more);
        let room = timeout(bodies.wait, bodies.first.take(&mut taken.first, first)).await;
        room.map_err(|_| Unread::Crowded)?;
        bodies.beyond.try_take(&mut taken.beyond, more - first).ok_or(Unread::Crowded)?;
        Ok(0)
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
    causes(error).any(|error| error.is::<LengthLimitError>())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
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
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn body() -> Body {
        Body::from("12345")
    }

    /// A body of which `bytes` come, and then nothing.
    fn stalled(bytes: usize) -> Body {
        let come = stream::iter([Ok::<_, std::io::Error>(vec![b' '; bytes])]);
        Body::from_stream(come.chain(stream::pending()))
    }

    #[tokio::test]
    async fn a_body_waits_for_the_room_of_others() {
        let bodies = Bodies::new(5);
        let five = headers(CONTENT_LENGTH, "5");
        let mut held = Vec::new();
        for _ in 0..LARGEST_AT_A_TIME / 2 {
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
    async fn bodies_that_stall_keep_no_other_out() {
        let bodies = Bodies::new(FIRST);
        let announced = [headers(TRANSFER_ENCODING, "chunked"), headers(CONTENT_LENGTH, &FIRST.to_string())];
        let reads = announced.iter().cycle().take(100).map(|headers| bodies.read(headers, stalled(1), FIRST));
        let mut reads: Vec<_> = reads.map(Box::pin).collect();
        assert!(reads.iter_mut().all(|read| read.as_mut().now_or_never().is_none()));
        let whole = bodies.read(&headers(CONTENT_LENGTH, "5"), body(), FIRST).now_or_never();
        assert_eq!(whole.expect("there is room").unwrap().bytes(), "12345");
    }

    #[tokio::test]
    async fn large_bodies_neither_wait_half_read_nor_keep_small_ones_out() {
        let (largest, chunked) = (4 * FIRST, headers(TRANSFER_ENCODING, "chunked"));
        let bodies = Bodies::new(largest);
        let mut half: Vec<_> = (0..2).map(|_| Box::pin(bodies.read(&chunked, stalled(largest), largest))).collect();
        assert!(half.iter_mut().all(|read| read.as_mut().now_or_never().is_none()));
        let third = bodies.read(&chunked, Body::from(vec![b' '; largest]), largest).now_or_never();
        assert_eq!(third.expect("it does not wait").unwrap_err(), Unread::Crowded);
        let small = bodies.read(&chunked, Body::from(vec![b' '; FIRST]), largest).now_or_never();
        assert!(small.expect("there is room").is_ok());
        drop(half);
        assert!(
            bodies.read(&chunked, Body::from(vec![b' '; largest]), largest).await.is_ok(),
            "their room is free again"
        );
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
