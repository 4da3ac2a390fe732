//! What the sockets may use of the machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest document, in bytes: twice what the agent keeps of a result.
pub(super) const DOCUMENT: usize = 2 * 1024 * 1024;
/// The most that all connections hold of documents that are not complete, in bytes.
const ALL_DOCUMENTS: usize = 16 * 1024 * 1024;
/// Connections of one socket. Further ones wait in the kernel.
pub(super) const CONNECTIONS: usize = 128;

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// A pause of a TCP sender that has begun, as in sensu-client.
    pub(super) pause: Duration,
    /// The header of an HTTP request.
    pub(super) header: Duration,
    /// All of it. sensu-client's last for ever.
    pub(super) whole: Duration,
}

/// The memory for documents under way. Clones share it.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// Bytes within the budget, until dropped.
pub(super) struct Buffer {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    bytes: Vec<u8>,
}

/// Why no more is taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// The sender's fault.
    #[error("check result is larger than {DOCUMENT} bytes")]
    Document,
    /// Everybody's.
    #[error("check results of all senders together are larger than {ALL_DOCUMENTS} bytes")]
    Budget,
}

// === impl Times ===

impl Default for Times {
    fn default() -> Self {
        Self { pause: Duration::from_millis(500), header: Duration::from_secs(10), whole: Duration::from_secs(30) }
    }
}

// === impl Budget ===

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_DOCUMENTS)))
    }
}

// === impl Buffer ===

impl Buffer {
    pub(super) fn new(budget: &Budget) -> Self {
        Self { budget: budget.clone(), held: None, bytes: Vec::new() }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Full> {
        if self.bytes.len() + chunk.len() > DOCUMENT {
            return Err(Full::Document);
        }
        let count = u32::try_from(chunk.len()).map_err(|_| Full::Document)?;
        let more = Arc::clone(&self.budget.0).try_acquire_many_owned(count).map_err(|_| Full::Budget)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_bounded_and_so_are_all_together() {
        let budget = Budget::default();
        let mut buffers = Vec::new();
        for _ in 0..ALL_DOCUMENTS / DOCUMENT {
            let mut buffer = Buffer::new(&budget);
            buffer.push(&vec![b' '; DOCUMENT]).unwrap();
            assert_eq!(buffer.push(b" "), Err(Full::Document));
            buffers.push(buffer);
        }
        let mut further = Buffer::new(&budget);
        assert_eq!(further.push(b"{"), Err(Full::Budget));
        buffers.pop();
        assert_eq!(further.push(b"{"), Ok(()));
        assert_eq!(further.bytes(), b"{");
    }
}
