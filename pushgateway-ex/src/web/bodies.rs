//! Bodies of pushes in memory, within a bound for all together. Without it, as many of the largest as there are connections could
//! stall there.
//!
//! Room is taken as bytes come, and for what they become when they are unpacked and read, until that is applied to the groups; what a
//! usual push has needs none or little: bodies that stall keep it from nobody. One that finds no room is refused at once, since bodies
//! that are half there would wait for each other.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use bytes::{Bytes, BytesMut};
use check_result::CheckResult;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use service::Room;
use tokio::sync::OwnedSemaphorePermit;

use super::push::{NotPushed, text};
use crate::body::{BadBody, unpacked};
use crate::results::{Bounds, Counted};

/// How many of the largest bodies there is room for.
const LARGEST_AT_A_TIME: usize = 4;
/// The least room that there is, however small the largest may be: an outage ends with pushes of many results from everywhere.
const LEAST: usize = 64 << 20;
/// Bytes of a body, and of what it becomes, that need no room; the number of connections bounds them.
const FREE: usize = 64 << 10;

/// Reads bodies into memory.
#[derive(Debug)]
pub(super) struct Bodies {
    room: Room,
    largest: usize,
}

/// A body in memory, and what it has become. Its room is free again when it is dropped.
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
        Self { room: Room::new(largest.saturating_mul(LARGEST_AT_A_TIME).max(LEAST)), largest }
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

    /// Makes of a body what its `Content-Encoding` says that it is.
    ///
    /// # Errors
    /// When it is none, or that is too large or finds no room.
    pub(super) fn unpack(&self, held: &mut Held, headers: &HeaderMap) -> Result<(), NotPushed> {
        if let Cow::Owned(body) = unpacked(&held.bytes, text(headers, CONTENT_ENCODING), self.largest)? {
            self.resize(held, body.len())?;
            held.bytes = body.into();
        }
        Ok(())
    }

    /// The check results of a body, within these bounds. From here on it has room for them alone.
    ///
    /// # Errors
    /// When it has none, or they are too large or find no room.
    pub(super) fn results(&self, held: &mut Held, bounds: Bounds, client: &str) -> Result<Vec<CheckResult>, NotPushed> {
        let bytes = std::mem::take(&mut held.bytes);
        let body = Counted::new(&bytes)?;
        self.resize(held, bytes.len() + body.weight())?;
        let mut results = body.read(client)?;
        let size = bounds.keep(&mut results)?;
        drop(bytes);
        self.resize(held, size)?;
        Ok(results)
    }

    /// Has room for so many bytes from here on.
    fn resize(&self, held: &mut Held, bytes: usize) -> Result<(), NotPushed> {
        match bytes.checked_sub(held.taken) {
            Some(more) => self.take(&mut held.room, held.taken, more)?,
            None => Room::shrink(&mut held.room, counted(bytes)),
        }
        held.taken = bytes;
        Ok(())
    }

    fn take(&self, room: &mut Option<OwnedSemaphorePermit>, taken: usize, more: usize) -> Result<(), NotPushed> {
        let more = counted(taken.saturating_add(more)) - counted(taken);
        self.room.try_take(room, more).ok_or(NotPushed::Crowded)
    }

    fn unread(&self, error: Box<dyn std::error::Error + Send + Sync>) -> NotPushed {
        if error.is::<LengthLimitError>() { BadBody::TooLarge(self.largest).into() } else { NotPushed::Unread(error) }
    }
}

// === impl Held ===

impl Held {
    /// The room of what it has become, without the body.
    pub(super) fn into_room(self) -> Option<OwnedSemaphorePermit> {
        self.room
    }
}

/// What of so many bytes needs room.
fn counted(bytes: usize) -> usize {
    bytes.saturating_sub(FREE)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const BOUNDS: Bounds = Bounds { output: 1 << 20, detail: 4 << 20, label: 1 << 16 };

    /// Fifty results as pushgateway-agent pushes them after an outage.
    fn fifty() -> String {
        let result = |number: usize| {
            let output = "CheckDisk WARNING: /var 87% of 40 GB used, 9% of its inodes\n".repeat(5);
            serde_json::json!({"client": "web-1.example.org", "check": {
                "name": format!("check-disk-{number}"), "command": "/etc/sensu/plugins/check-disk.rb -w 80 -c 90",
                "interval": 60, "handlers": ["default", "mail"], "standalone": true, "occurrences": 3, "refresh": 3600,
                "ttl": 300, "issued": 1_795_228_248, "executed": 1_795_228_248, "duration": 0.123,
                "output": output, "status": 1, "team": "storage",
            }})
        };
        serde_json::Value::Array((0..50).map(result).collect()).to_string()
    }

    #[tokio::test]
    async fn usual_results_of_all_connections_wait_to_be_applied_at_a_time() {
        let (bodies, body) = (Bodies::new(1 << 20), fifty());
        let mut rooms = Vec::new();
        for connection in 0..512 {
            let mut held = bodies.read(body.clone().into()).await.unwrap();
            bodies.unpack(&mut held, &HeaderMap::new()).unwrap();
            let results = bodies.results(&mut held, BOUNDS, "web-1");
            assert_eq!(results.map_err(|error| format!("{connection}: {error}")).unwrap().len(), 50);
            rooms.extend(held.into_room());
        }
        assert!(bodies.room.taken() > 0, "they are not all for nothing: {}", body.len());
        drop(rooms);
        assert_eq!(bodies.room.taken(), 0);
    }

    #[tokio::test]
    async fn a_body_counts_once_packed_or_not() {
        const LARGEST: usize = 17 << 20;
        let bodies = Bodies::new(LARGEST);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&vec![b'#'; LARGEST]).unwrap();
        let gzipped = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let (packed, plain) = (Bytes::from(gzip.finish().unwrap()), Bytes::from(vec![b'#'; LARGEST]));
        let mut all = Vec::new();
        for (body, headers) in [(&plain, HeaderMap::new()), (&packed, gzipped)].into_iter().cycle().take(4) {
            let mut held = bodies.read(body.clone().into()).await.unwrap();
            bodies.unpack(&mut held, &headers).unwrap();
            assert_eq!((held.bytes.len(), held.taken), (LARGEST, LARGEST));
            all.push(held);
        }
        assert_eq!(bodies.room.taken(), 4 * (LARGEST - FREE));
        assert!(matches!(bodies.read(plain.into()).await, Err(NotPushed::Crowded)));
    }
}
