//! The children of this process: the executor's own, which tokio waits for, and the orphans that checks leave behind.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use procfs::process::Process;
use tokio::process::{Child, Command};

/// How often dead orphans are looked for. They cost a process number and nothing else meanwhile.
const REAP_EVERY: Duration = Duration::from_secs(1);
/// How many orphans are reaped at a time.
const REAP_AT_MOST: usize = 10_000;

/// The process numbers of the executor's own children.
#[derive(Default)]
pub(super) struct Children(Mutex<HashSet<i32>>);

/// Becomes the parent of every orphan among this process's descendants and reaps those that die.
pub(super) fn adopt(children: Arc<Children>) -> io::Result<()> {
    prctl::set_child_subreaper(true)?;
    let children: Weak<Children> = Arc::downgrade(&children);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(REAP_EVERY);
        loop {
            ticks.tick().await;
            let Some(children) = children.upgrade() else { return };
            children.reap();
        }
    });
    Ok(())
}

// === impl Children ===

impl Children {
    /// Starts one; it is known from then on, until it is [forgotten](Self::forget).
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<(Child, Pid)> {
        // Held over both, or else a child that dies at once might be taken for an orphan before it is listed.
        let mut own = self.lock();
        let child = command.spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).ok_or(io::ErrorKind::NotFound)?;
        own.insert(id);
        Ok((child, Pid::from_raw(id)))
    }

    /// The child has been waited for, or is left to tokio.
    pub(super) fn forget(&self, child: Pid) {
        self.lock().remove(&child.as_raw());
    }

    /// Waits for the dead that are not the executor's own. Nothing here blocks: the system answers from memory.
    fn reap(&self) {
        let own = self.lock();
        let dead = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        for _ in 0..REAP_AT_MOST {
            // Only looked at, for it may be one that tokio waits for.
            let Ok(status) = waitid(Id::All, dead | WaitPidFlag::WNOWAIT) else { return };
            let Some(pid) = status.pid() else { return };
            if own.contains(&pid.as_raw()) {
                break;
            }
            waitid(Id::Pid(pid), dead).ok();
        }
        // One of tokio's stands before the others: each has to be asked for.
        for pid in children().into_iter().filter(|pid| !own.contains(pid)) {
            waitid(Id::Pid(Pid::from_raw(pid)), dead).ok();
        }
    }

    #[cfg(test)]
    pub(super) fn knows(&self, child: Pid) -> bool {
        self.lock().contains(&child.as_raw())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All children of this process, dead ones included.
fn children() -> Vec<i32> {
    let tasks = Process::myself().and_then(|process| process.tasks()).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| task.children().ok()).flatten();
    children.filter_map(|pid| i32::try_from(pid).ok()).collect()
}
