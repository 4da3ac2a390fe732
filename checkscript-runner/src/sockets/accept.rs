//! Taking connections, within their number, and ending them.
//!
//! A slot is taken before a connection is: those beyond the number wait in the kernel's queue and are served when a slot
//! is free, which the time limits see to. Nothing is refused.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::CONNECTIONS;
use super::listen::Endpoint;
use super::{Shared, events};

/// Pause after a failure that would come again at once, such as too many open files.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// How long a client that was answered may go on sending. A connection that is closed with unread bytes is reset, and
/// the client may lose the answer.
const LINGER: Duration = Duration::from_millis(500);

/// What is spoken on a connection.
pub(super) trait Protocol: Send + 'static {
    /// As the log calls its socket.
    const NAME: &'static str;

    /// Must end within a bounded time.
    fn serve(stream: TcpStream, shared: Arc<Shared>) -> impl Future<Output = ()> + Send;
}

/// A listener whose connections speak `P`.
pub(super) struct Door<P> {
    listener: TcpListener,
    protocol: PhantomData<P>,
}

// === impl Door ===

impl<P: Protocol> Endpoint for Door<P> {
    const NAME: &'static str = P::NAME;

    async fn bind(host: &str, port: u16) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind((host, port)).await?, protocol: PhantomData })
    }

    async fn serve(self, shared: Arc<Shared>) {
        let slots = Slots { name: P::NAME, free: Arc::new(Semaphore::new(CONNECTIONS)) };
        let (mut crowded, mut failing) = (false, false);
        loop {
            let slot = slots.take(&mut crowded, &shared).await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    failing = false;
                    let serving = P::serve(stream, Arc::clone(&shared));
                    shared.connections.spawn(until_cut(serving, Arc::clone(&shared), slot));
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        shared.intake.notice(&events::not_received(P::NAME, &error));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn until_cut(serving: impl Future<Output = ()>, shared: Arc<Shared>, slot: OwnedSemaphorePermit) {
    tokio::select! {
        () = serving => (),
        () = shared.cut.cancelled() => (),
    }
    drop(slot);
}

struct Slots {
    name: &'static str,
    free: Arc<Semaphore>,
}

// === impl Slots ===

impl Slots {
    async fn take(&self, crowded: &mut bool, shared: &Shared) -> OwnedSemaphorePermit {
        if self.free.available_permits() == 0 && !std::mem::replace(crowded, true) {
            shared.intake.notice(&events::crowded(self.name, CONNECTIONS));
        }
        *crowded &= self.free.available_permits() < CONNECTIONS / 2;
        Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed")
    }
}

/// Ends a connection so that what was written arrives.
pub(super) async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 4096];
    let drain = async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} };
    // Past it the client has had time to read.
    tokio::time::timeout(LINGER, drain).await.ok();
}
