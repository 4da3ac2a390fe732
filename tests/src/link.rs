//! The network between two parts: a TCP forwarder that can be cut, frozen and slowed down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::select_ok;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::get_text;

/// How long a load balancer waits for one that is ready.
const READY: Duration = Duration::from_secs(1);

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// It arrives.
    #[default]
    Up,
    /// Connections are closed, new ones as soon as they are made.
    Cut,
    /// Connections stay, and nothing arrives until this is over.
    Frozen,
    /// Each piece arrives so much later.
    Slow(Duration),
}

/// A forwarder; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    network: watch::Sender<Network>,
    task: JoinHandle<()>,
}

// === impl Link ===

impl Link {
    /// Forwards what connects to `listen` to `to`; of several servers to one that is ready, as a load balancer does.
    pub(crate) async fn start(listen: SocketAddr, to: &[SocketAddr]) -> anyhow::Result<Self> {
        let to: Arc<[SocketAddr]> = to.into();
        let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let (network, state) = watch::channel(Network::Up);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, Arc::clone(&to), state.clone()));
            }
        });
        Ok(Self { network, task })
    }

    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection until either side ends it or it is cut.
async fn forward(client: TcpStream, to: Arc<[SocketAddr]>, mut state: watch::Receiver<Network>) {
    let cut = {
        let mut state = state.clone();
        async move { drop(state.wait_for(|network| *network == Network::Cut).await) }
    };
    let carry = async move {
        // A frozen network takes no connection further either.
        let _ = state.wait_for(|network| *network != Network::Frozen).await;
        let Some(to) = choose(&to).await else { return };
        let Ok(server) = TcpStream::connect(to).await else { return };
        let ((client_read, client_write), (server_read, server_write)) = (client.into_split(), server.into_split());
        let there = copy(client_read, server_write, state.clone());
        tokio::join!(there, copy(server_read, client_write, state));
    };
    tokio::select! {
        () = cut => {}
        () = carry => {}
    }
}

/// The first to say that it is ready, where there are several; any, where none does, whose answer says why.
async fn choose(servers: &[SocketAddr]) -> Option<SocketAddr> {
    let (first, others) = servers.split_first()?;
    if others.is_empty() {
        return Some(*first);
    }
    let ready = servers
        .iter()
        .map(|server| Box::pin(async move { get_text(&format!("http://{server}/-/ready")).await.map(|_| *server) }));
    let chosen = timeout(READY, select_ok(ready)).await;
    Some(chosen.ok().and_then(Result::ok).map_or(*first, |(server, _)| server))
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Network>) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if let Ok(network) = state.wait_for(|network| *network != Network::Frozen).await.map(|network| *network)
            && let Network::Slow(delay) = network
        {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (mut read, mut write) = connection.into_split();
                tokio::spawn(async move { drop(tokio::io::copy(&mut read, &mut write).await) });
            }
        });
        address
    }

    async fn link() -> (Link, SocketAddr) {
        let address = SocketAddr::from(([127, 0, 0, 1], crate::free_port().unwrap()));
        (Link::start(address, &[echo().await]).await.unwrap(), address)
    }

    async fn answer(connection: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        connection.write_all(text).await?;
        let mut answer = vec![0; text.len()];
        connection.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn what_is_cut_ends_and_what_is_frozen_goes_on_when_that_is_over() {
        let (link, address) = link().await;
        let mut connection = TcpStream::connect(address).await.unwrap();
        assert_eq!(answer(&mut connection, b"up").await.unwrap(), b"up");

        link.set(Network::Frozen);
        connection.write_all(b"later").await.unwrap();
        let mut later = [0; 5];
        {
            let mut read = std::pin::pin!(connection.read_exact(&mut later));
            assert!(futures_util::poll!(&mut read).is_pending());
            link.set(Network::Slow(Duration::from_millis(1)));
            read.await.unwrap();
        }
        assert_eq!(&later, b"later");

        link.set(Network::Cut);
        assert_eq!(connection.read(&mut later).await.unwrap_or(0), 0);
        let mut refused = TcpStream::connect(address).await.unwrap();
        assert!(answer(&mut refused, b"no").await.is_err());

        link.set(Network::Up);
        assert_eq!(answer(&mut TcpStream::connect(address).await.unwrap(), b"up").await.unwrap(), b"up");
    }
}
