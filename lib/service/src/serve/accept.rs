//! Taking connections, one loop a listener.
//!
//! A connection is accepted first and then waits for a slot, so that it is known that one waits: the connections that hold
//! the slots are then asked to close after their current request, and idle ones close at once. Behind the one that waits,
//! the kernel's queue holds the next ones. Nothing is refused, and a flood costs one file descriptor a listener more than
//! the limit.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use super::{Serving, connection};

/// Pause after a failure that would come again at once, such as too many open files.
const PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections until the server stops.
pub(super) async fn run(listener: TcpListener, serving: Arc<Serving>) {
    let stop = serving.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept_all(listener, serving) => {}
    }
}

async fn accept_all(listener: TcpListener, serving: Arc<Serving>) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("Accepting connections again");
                }
                admit(&serving, stream, peer).await;
            }
            Err(error) => {
                let lasting = !concerns_one_connection(&error);
                serving.metrics.accept_failed(&error, lasting && !failing);
                if lasting {
                    failing = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Starts serving a connection, once there is a slot.
async fn admit(serving: &Arc<Serving>, stream: TcpStream, peer: SocketAddr) {
    let slot = slot(serving).await;
    let connected = serving.metrics.connected();
    let task = connection::run(stream, peer, Arc::clone(serving));
    serving.connections.spawn(async move {
        task.await;
        drop((slot, connected));
    });
}

async fn slot(serving: &Serving) -> OwnedSemaphorePermit {
    let slots = Arc::clone(&serving.slots);
    if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
        return slot;
    }
    serving.metrics.waits();
    serving.crowded.notify_waiters();
    slots.acquire_owned().await.expect("the semaphore is never closed")
}

/// Failures of the connection that would have been accepted; the next one may be well.
fn concerns_one_connection(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}
