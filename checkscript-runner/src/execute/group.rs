//! The process group that a command runs in.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A group, by the process id of its leader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group(Pid);

// === impl Group ===

impl Group {
    pub(super) fn led_by(leader: u32) -> Option<Self> {
        i32::try_from(leader).ok().map(|leader| Self(Pid::from_raw(leader)))
    }

    /// Signals every process of the group; none left is no error.
    pub(super) fn signal(self, signal: Signal) -> nix::Result<()> {
        match killpg(self.0, signal) {
            Err(Errno::ESRCH) => Ok(()),
            result => result,
        }
    }

    /// Whether a process of the group is left that is more than a zombie. An orphan may stay one for long where the
    /// init process, as in many containers, is slow to reap or does not reap at all. Reads `/proc`: blocking.
    pub(super) fn is_alive(self) -> bool {
        if killpg(self.0, None) == Err(Errno::ESRCH) {
            return false;
        }
        let Ok(processes) = fs::read_dir("/proc") else { return true };
        let mut stats = processes.flatten().filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
        stats.any(|stat| is_live_member(&stat, self.0.as_raw()))
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads `PID (COMMAND) STATE PPID PGRP …`; the command may hold spaces and brackets.
fn is_live_member(stat: &str, group: i32) -> bool {
    let mut fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let (state, group_of) = (fields.next(), fields.nth(1));
    !matches!(state, None | Some("Z" | "X")) && group_of.is_some_and(|number| number.parse() == Ok(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_and_a_stranger_are_no_live_members() {
        assert!(is_live_member("12 (a) b) S 1 7 7 0", 7));
        assert!(!is_live_member("12 (a) b) Z 1 7 7 0", 7));
        assert!(!is_live_member("12 (a) b) S 1 70 7 0", 7));
        assert!(!is_live_member("", 7));
    }

    #[test]
    fn this_process_is_alive() {
        let own = Group(nix::unistd::getpgrp());
        assert!(own.is_alive());
    }
}
