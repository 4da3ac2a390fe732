//! Ports that nobody else takes, however many tests run at a time.
//!
//! A port that is asked of the system and given back, for a server to listen on, may become another's meanwhile. So these lie below those
//! that the system gives away, and a whole block of them is its owner's for as long as that listens on the first.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Where blocks lie: below what Linux gives away (`net.ipv4.ip_local_port_range`), above where servers are by default.
const ALL: Range<u16> = 12_000..32_000;

/// Ports of one block.
const BLOCK: u16 = 32;

/// Ports of one owner; they are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct PortBlock {
    _held: TcpListener,
    rest: Range<u16>,
}

// === impl PortBlock ===

impl PortBlock {
    /// A block that nobody has.
    pub(crate) fn take() -> io::Result<Self> {
        let blocks = (ALL.end - ALL.start) / BLOCK;
        // Not all from the first one on, which would be tried in vain by most.
        let begin = fastrand::u16(0..blocks);
        let firsts = (0..blocks).map(|number| ALL.start + (begin + number) % blocks * BLOCK);
        let held = firsts.filter_map(|first| Some((first, listen(first).ok()?))).next();
        let (first, held) = held.ok_or_else(|| no_port("every block of ports is in use"))?;
        Ok(Self { _held: held, rest: first + 1..first + BLOCK })
    }

    /// The next one of it on which nothing listens.
    pub(crate) fn port(&mut self) -> io::Result<u16> {
        self.rest.find(|port| listen(*port).is_ok()).ok_or_else(|| no_port("every port of the block is given away"))
    }

    /// The next one as an address on loopback.
    pub(crate) fn address(&mut self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, self.port()?).into())
    }
}

/// A port that is this process's until it ends.
pub fn free_port() -> io::Result<u16> {
    static BLOCKS: Mutex<Vec<PortBlock>> = Mutex::new(Vec::new());
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Ok(port)) = blocks.last_mut().map(PortBlock::port) {
        return Ok(port);
    }
    let mut block = PortBlock::take()?;
    let port = block.port();
    blocks.push(block);
    port
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

fn no_port(why: &str) -> io::Error {
    io::Error::new(ErrorKind::AddrInUse, why)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nobody_has_a_port_of_another_and_those_that_are_in_use_are_left_out() {
        let (mut one, mut other) = (PortBlock::take().unwrap(), PortBlock::take().unwrap());
        let used = listen(one.rest.start).unwrap();
        let all: Vec<_> =
            std::iter::from_fn(|| one.port().ok()).chain(std::iter::from_fn(|| other.port().ok())).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(!all.contains(&used.local_addr().unwrap().port()) && all.len() >= usize::from(BLOCK), "{all:?}");
        let more: BTreeSet<_> = (0..BLOCK * 2).map(|_| free_port().unwrap()).collect();
        assert!(more.len() == usize::from(BLOCK) * 2 && all.iter().all(|port| !more.contains(port)), "{more:?}");
    }
}
