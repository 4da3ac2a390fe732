//! A name server: Debian's nsd, which knows the two nodes of a [`Pair`](crate::Pair).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::{Process, tool, until};

/// How long it may take until it is ready.
const START: Duration = Duration::from_secs(30);

/// The domain of the nodes; none of this name is in the Internet.
const DOMAIN: &str = "pair.test";

const ZONE: &str = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nnode-0 A 127.0.0.1\nnode-1 A 127.0.0.1\n";

/// The running name server.
#[derive(Debug)]
pub struct NameServer(Process);

impl NameServer {
    /// Starts it at `address` with its files in `data`, and waits until it answers.
    pub async fn start(data: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let (config, log) = (data.join("nsd.conf"), data.join("nsd.out"));
        let text = format!(
            "server:\n  ip-address: {}@{}\n  username: \"\"\n  chroot: \"\"\n  pidfile: \"\"\n  zonesdir: \"{}\"\n  database: \"\"\n  \
             xfrdfile: \"\"\n  zonelistfile: \"\"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n\
             zone:\n  name: {DOMAIN}\n  zonefile: names.zone\n",
            address.ip(),
            address.port(),
            data.display()
        );
        for (path, text) in [(&config, &*text), (&data.join("names.zone"), ZONE)] {
            fs::write(path, text).with_context(|| path.display().to_string())?;
        }
        let mut command = Command::new(tool("nsd"));
        command.arg("-d").arg("-c").arg(&config);
        let mut process = Process::start("nsd", command, &log)?;
        until("nsd to start", START, || {
            let running = process.check_running().and_then(|()| Ok(fs::read_to_string(&log)?));
            async move {
                let said = running?;
                anyhow::ensure!(said.contains("nsd started"), "{said}");
                Ok(())
            }
        })
        .await?;
        Ok(Self(process))
    }

    /// The name of a node.
    pub fn name(node: usize) -> String {
        format!("node-{node}.{DOMAIN}")
    }

    /// Sends `signal` to each of its processes.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.0.signal_all(signal)
    }
}
