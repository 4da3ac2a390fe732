//! A name server: Debian's nsd, which knows the nodes of a [`Pair`](crate::Pair).

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::{Process, tool, until};

/// How long it may take until it is ready.
const START: Duration = Duration::from_secs(30);

/// The running name server.
#[derive(Debug)]
pub struct NameServer(Process);

impl NameServer {
    /// Starts it at `address` with its files in `data`, and waits until it answers. It knows `hosts`, whose names end in `.domain`.
    pub async fn start(
        data: &Path,
        address: SocketAddr,
        domain: &str,
        hosts: &[(String, Ipv4Addr)],
    ) -> anyhow::Result<Self> {
        let hosts: String = hosts.iter().map(|(name, address)| format!("{name}. A {address}\n")).collect();
        let zone = format!("$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n{hosts}");
        let (config, log) = (data.join("nsd.conf"), data.join("nsd.out"));
        let text = format!(
            "server:\n  ip-address: {}@{}\n  username: \"\"\n  chroot: \"\"\n  pidfile: \"\"\n  zonesdir: \"{}\"\n  database: \"\"\n  \
             xfrdfile: \"\"\n  zonelistfile: \"\"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n\
             zone:\n  name: {domain}\n  zonefile: names.zone\n",
            address.ip(),
            address.port(),
            data.display()
        );
        for (path, text) in [(&config, &*text), (&data.join("names.zone"), &*zone)] {
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

    /// Fails where it has ended by itself.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        self.0.check_running()
    }

    /// Sends `signal` to each of its processes.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.0.signal_all(signal)
    }
}
