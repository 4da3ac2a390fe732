//! What can be broken of a pair besides its processes: networks, disks, clocks, files.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command as Sync;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::{Damage, Member, Pair, START};
use crate::link::{Link, Network};
use crate::{repository, until};

/// The last part of the first address behind a network.
const BEHIND: u8 = 100;

/// The port that servers have there.
const PORT: u16 = 9780;

/// Room on the disk of a node's log.
const DISK: &str = "size=4m";

/// What fills a disk.
const FILLER: &str = "filler";

/// The day in the names of rotated logs; a number that counts up follows.
const ROTATED: &str = "20260101";

/// A small file system of its own; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Disk(PathBuf);

// === impl Pair ===

impl Pair {
    /// Puts a network before each server, and each node's log on a disk of its own, where the plan asks for it.
    pub(super) async fn make_breakable(&mut self) -> anyhow::Result<()> {
        if !self.plan.breakable {
            return Ok(());
        }
        // The network of the nodes is the pair's own, so nobody else has these addresses.
        let IpAddr::V4(node) = self.listen[&Member::Agent(0)].ip() else { anyhow::bail!("nodes have IPv4 addresses") };
        let [_, high, low, _] = node.octets();
        for (member, host) in self.listen.keys().zip(BEHIND..) {
            self.behind.insert(*member, SocketAddrV4::new(Ipv4Addr::new(127, high, low, host), PORT).into());
        }
        for (member, address) in &self.listen {
            self.networks.insert(*member, Link::start(*address, &[self.behind[member]]).await?);
        }
        for node in 0..self.plan.hosts() {
            self.set_clock(node, 0)?;
            self.disks.extend(Disk::mount(&self.disk(node))?);
        }
        Ok(())
    }

    /// What becomes from now on of what others send to a member, and of its answers.
    pub fn set_network(&self, member: Member, network: Network) -> anyhow::Result<()> {
        self.networks.get(&member).with_context(|| format!("{} has no network", member.name()))?.set(network);
        Ok(())
    }

    /// Whether the disks of the nodes' logs can be filled: they are file systems of their own, which only root can mount.
    pub fn has_disks(&self) -> bool {
        self.disks.len() == self.plan.hosts()
    }

    /// Fills the disk of a node's log to the last byte.
    pub fn fill_disk(&self, node: usize) -> anyhow::Result<()> {
        anyhow::ensure!(self.has_disks(), "the log of node {node} has no disk of its own");
        let mut filler = fs::File::create(self.disk(node).join(FILLER))?;
        let (large, small) = ([0; 1 << 16], [0]);
        while filler.write_all(&large).is_ok() {}
        while filler.write_all(&small).is_ok() {}
        Ok(())
    }

    /// Gives the space back.
    pub fn free_disk(&self, node: usize) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.disk(node).join(FILLER))?)
    }

    /// Sets the clock of a node's runner so many seconds ahead of the machine's.
    pub fn set_clock(&self, node: usize, ahead: i64) -> anyhow::Result<()> {
        let (clock, new) = (self.clock(node), self.data.join("clock.new"));
        fs::write(&new, format!("{ahead:+}"))?;
        Ok(fs::rename(new, clock)?)
    }

    /// Rotates a node's log so many times, as logrotate does with `dateext`, and gives how often that was done. The next time comes when
    /// the runner has made a new log: what it hears of at once would be one rotation.
    pub async fn rotate(&self, node: usize, times: usize) -> anyhow::Result<usize> {
        let log = self.check_log(node);
        let before = self.logs(node)?.len();
        for number in before..before + times {
            fs::rename(&log, log.with_extension(format!("log-{ROTATED}-{number:05}")))?;
            self.signal(Member::Runner(node), Signal::SIGUSR2)?;
            until("the runner to make a new log", START, || async {
                anyhow::ensure!(log.exists(), "there is no {}", log.display());
                Ok(())
            })
            .await?;
        }
        Ok(self.logs(node)?.len() - before)
    }

    /// Spoils what a node's agent has saved, or the queue of the host that pushes; it must not run.
    pub fn corrupt_state(&self, node: usize, damage: Damage) -> anyhow::Result<()> {
        let file = if self.plan.is_pusher(node) { self.queue(node) } else { self.state_file(node) };
        let saved = match fs::read(&file) {
            // One that has just been started may have saved nothing yet.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            saved => saved.with_context(|| file.display().to_string())?,
        };
        Ok(fs::write(file, damage.done_to(saved))?)
    }

    pub(super) fn state_file(&self, node: usize) -> PathBuf {
        self.data.join(format!("agent-{node}.state"))
    }

    fn clock(&self, node: usize) -> PathBuf {
        self.data.join(format!("clock-{node}"))
    }

    /// Lets the command see the node's clock.
    pub(super) fn own_clock<'a>(&self, node: usize, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", repository().join("target/tools/lib/libfaketime.so.1"));
        command.env("FAKETIME_TIMESTAMP_FILE", self.clock(node)).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

// === impl Disk ===

impl Disk {
    /// Mounts one at `folder`; none where this user may not.
    fn mount(folder: &Path) -> anyhow::Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let done = Sync::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(folder).output()?;
        Ok(done.status.success().then(|| Self(folder.to_owned())))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that has just been killed may hold a file.
        let _ = Sync::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
