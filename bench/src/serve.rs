//! Servers that play a part in a bench.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use anyhow::Context as _;
use axum::Router;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of a server at a time. Each is an open file of the bench, which needs others too: an Alertmanager that has a hundred thousand
/// messages would open as many as it may. The next ones wait in the kernel's queue.
const CONNECTIONS: usize = 8_192;

/// How long that queue is.
const BACKLOG: u32 = 4_096;

/// Takes a connection when there is a slot for it.
struct Bounded {
    listener: TcpListener,
    slots: Arc<Semaphore>,
}

/// A connection in its slot.
struct Slotted {
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
}

/// Serves `router` on a thread of its own and a port of the loopback, until the bench ends.
pub(crate) fn serve(router: Router) -> anyhow::Result<SocketAddr> {
    let (sender, address) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let listener = socket.listen(BACKLOG)?;
            sender.send(listener.local_addr()?)?;
            let bounded = Bounded { listener, slots: Arc::new(Semaphore::new(CONNECTIONS)) };
            #[expect(clippy::disallowed_methods, reason = "it serves this bench alone")]
            axum::serve(bounded, router).await?;
            anyhow::Ok(())
        })
    });
    address.recv().context("a server does not start")
}

// === impl Bounded ===

impl Listener for Bounded {
    type Io = Slotted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Slotted, SocketAddr) {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed");
        // That of axum, which waits after a failure.
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        (Slotted { stream, _slot: slot }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

// === impl Slotted ===

impl AsyncRead for Slotted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for Slotted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_waits_for_a_slot() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut bounded = Bounded { listener, slots: Arc::new(Semaphore::new(1)) };
            let _clients = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
            let (first, _) = bounded.accept().await;
            tokio::select! {
                biased;
                _ = bounded.accept() => panic!("there is no slot"),
                () = tokio::task::yield_now() => {}
            }
            drop(first);
            bounded.accept().await;
        });
    }
}
