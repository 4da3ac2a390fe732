//! What a runner that was killed has left running.
//!
//! Each such run is told, ended (TERM, a grace period, KILL, to all its processes) and keeps its check's place until it is
//! gone: no check runs twice at a time, not even across a crash. What cannot be ended, a process of another user or one
//! that hangs in the kernel, is named, and waited for as long as this process runs.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::family::{self, Member, signal_all};
use super::process::{KILL_GRACE, POLL, SLOW_POLL};
use super::record::{Entry, Recorded};
use super::running::Guard;
use crate::events;
use crate::notice::Sink;

/// A run that has outlived its runner, with its check's place among those under way.
pub(super) struct Leftover {
    pub(super) recorded: Recorded,
    pub(super) entry: Entry,
    /// Shared if another run of the check has been left as well: its hook's.
    pub(super) guard: Arc<Guard>,
}

// === impl Leftover ===

impl Leftover {
    /// Tells of the run and ends it, if anything is left of it. Takes as long as that takes; dropped before, it leaves
    /// the run to the next start.
    pub(super) async fn end(mut self, sink: &dyn Sink, grace: Duration) {
        if !self.members().await.is_empty() {
            let Recorded { family, since, key, .. } = &self.recorded;
            sink.notice(&events::left_running(key, family.shell().as_raw(), *since));
            self.kill(sink, grace).await;
        }
        self.entry.free();
    }

    async fn kill(&self, sink: &dyn Sink, grace: Duration) {
        let mut left = self.signal(Signal::SIGTERM, grace).await;
        if !left.is_empty() {
            left = self.signal(Signal::SIGKILL, KILL_GRACE).await;
        }
        if left.is_empty() {
            return;
        }
        self.guard.left(&left);
        // It asks for users' names, which may be a network's.
        let named = spawn_blocking(move || family::listed(&left)).await.unwrap_or_default();
        sink.notice(&events::cannot_be_ended(&self.recorded.key, &named));
        while !self.members().await.is_empty() {
            sleep(SLOW_POLL).await;
        }
    }

    /// Signals every process of the run and gives what is left after `grace`.
    async fn signal(&self, signal: Signal, grace: Duration) -> Vec<Member> {
        let deadline = Instant::now() + grace;
        let members = self.members().await;
        if members.is_empty() {
            return members;
        }
        let group = self.recorded.family.shell();
        killpg(group, signal).ok();
        killpg(group, Signal::SIGCONT).ok();
        spawn_blocking(move || signal_all(members, signal, group)).await.ok();
        loop {
            let left = self.members().await;
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            sleep(POLL).await;
        }
    }

    async fn members(&self) -> Vec<Member> {
        let Recorded { family, session, .. } = self.recorded.clone();
        spawn_blocking(move || family.members_after(session)).await.unwrap_or_default()
    }
}
