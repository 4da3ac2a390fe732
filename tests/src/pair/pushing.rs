//! What cannot be scraped pushes: a host with pushgateway-agent, two replicas of pushgateway-ex over one Redis, and a load balancer before them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Member, Pair};
use crate::get_text;
use crate::link::Link;

/// Where results are pushed to.
#[derive(Debug)]
pub(super) struct Pushing {
    /// The load balancer, which Prometheus and the proxies ask.
    pub(super) balancer: SocketAddr,
    /// The same for the host that pushes, whose network to there is its own.
    uplink: SocketAddr,
    _balancing: Link,
}

// === impl Pair ===

impl Pair {
    /// Puts the load balancer before the gateways, and a network between it and the host that pushes, where the plan has one.
    pub(super) async fn make_pushing(&mut self) -> anyhow::Result<()> {
        let Some(pusher) = self.plan.pusher_number() else { return Ok(()) };
        fs::create_dir(self.store())?;
        let (balancer, uplink) = (self.block.address()?, self.block.address()?);
        let gateways = [0, 1].map(|number| self.listen[&Member::Gateway(number)]);
        let balancing = Link::start(balancer, &gateways).await?;
        self.networks.insert(Member::Runner(pusher), Link::start(uplink, &[balancer]).await?);
        self.pushing = Some(Pushing { balancer, uplink, _balancing: balancing });
        Ok(())
    }

    /// Removes everything that the gateways' store keeps on its disk; it must not run.
    pub fn empty_store(&self) -> anyhow::Result<()> {
        let folder = self.store();
        let emptied = fs::remove_dir_all(&folder).and_then(|()| fs::create_dir(&folder));
        emptied.with_context(|| folder.display().to_string())
    }

    /// What was pushed is on its disk before it answers.
    pub(super) fn store_flags(&self) -> Vec<String> {
        let folder = self.store().display().to_string();
        let address = self.server(Member::Redis).into_iter();
        let listen = address.flat_map(|at| [("bind", at.ip().to_string()), ("port", at.port().to_string())]);
        let keep = [
            ("save", ""),
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("protected-mode", "no"),
            ("dir", &folder),
        ];
        let keep = keep.map(|(name, value)| (name, value.to_owned()));
        listen.chain(keep).flat_map(|(name, value)| [format!("--{name}"), value]).collect()
    }

    pub(super) fn gateway_flags(&self) -> [String; 2] {
        [format!("--storage=redis://{}", self.address(Member::Redis)), "--storage.redis-timeout=2s".to_owned()]
    }

    /// Of the host that pushes, whose queue is beside its log; none for other nodes.
    pub(super) fn pushing_flags(&self, node: usize) -> Vec<String> {
        let pushing = self.pushing.as_ref().filter(|_| self.plan.is_pusher(node)).into_iter();
        let flags = pushing.flat_map(|Pushing { uplink, .. }| {
            let queue = self.queue(node).display().to_string();
            [
                ("gateway", format!("http://{uplink}")),
                ("interval", "200ms".to_owned()),
                ("timeout", "2s".to_owned()),
                ("queue.file", queue),
            ]
        });
        flags.map(|(name, value)| format!("--push.{name}={value}")).collect()
    }

    pub(super) fn queue(&self, node: usize) -> PathBuf {
        self.disk(node).join("queue")
    }

    fn store(&self) -> PathBuf {
        self.data.join("store")
    }
}

/// Whether a server is up. A gateway is, also while its store is away.
pub(super) async fn answers(member: Member, at: SocketAddr) -> anyhow::Result<()> {
    match member {
        Member::Redis => ping(at).await,
        Member::Gateway(_) => get_text(&format!("http://{at}/-/healthy")).await.map(drop),
        _ => get_text(&format!("http://{at}/-/ready")).await.map(drop),
    }
}

/// Asks a Redis whether it has read what it keeps.
pub(super) async fn ping(redis: SocketAddr) -> anyhow::Result<()> {
    let mut connection = TcpStream::connect(redis).await?;
    connection.write_all(b"PING\r\n").await?;
    let mut answer = [0; 64];
    let length = connection.read(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer[..length]);
    ensure!(answer == "+PONG\r\n", "{answer}");
    Ok(())
}
