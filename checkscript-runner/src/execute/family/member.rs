//! A process of a run, and what is said of it.

use std::fmt::Write;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, geteuid};
use procfs::process::{Process, Stat};

use super::is_alive;

/// How many processes a text names.
const NAMED: usize = 10;

/// A process that is more than a zombie. Number and time of start together are no other's.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::execute) struct Member {
    pid: i32,
    group: i32,
    started: u64,
    command: String,
    state: char,
    uid: u32,
    /// Why it could not be signalled.
    refusal: Option<Errno>,
}

// === impl Member ===

impl Member {
    /// Reads `/proc`: blocking.
    pub(in crate::execute) fn read(pid: i32) -> Option<Self> {
        let process = Process::new(pid).ok()?;
        let stat = process.stat().ok().filter(is_alive)?;
        let Stat { pgrp: group, starttime: started, comm: command, state, .. } = stat;
        Some(Self { pid, group, started, command, state, uid: process.uid().unwrap_or(0), refusal: None })
    }

    /// A process of which nothing is to be seen, where `/proc` is hidden.
    pub(in crate::execute) fn unseen(pid: Pid) -> Self {
        let (pid, command) = (pid.as_raw(), "unknown".to_owned());
        Self { pid, group: pid, started: 0, command, state: '?', uid: geteuid().as_raw(), refusal: None }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// The same, whose state is that of one of its threads.
    pub(super) fn in_state(self, state: char) -> Self {
        Self { state, ..self }
    }

    /// As it is now, if it is still there. Reads `/proc`: blocking.
    pub(in crate::execute) fn now(&self) -> Option<Self> {
        let now = Self::read(self.pid).filter(|now| now.started == self.started)?;
        Some(Self { refusal: self.refusal, ..now })
    }

    /// Signals it, if it is still there, and remembers a refusal. With a group that has been signalled as a whole, all
    /// that is to be found out is whether this one may be.
    pub(in crate::execute) fn signal(&mut self, signal: Signal, signalled: Pid) {
        if self.now().is_some() {
            let signal = (self.group != signalled.as_raw()).then_some(signal);
            self.refusal = kill(Pid::from_raw(self.pid), signal).err().filter(|error| *error != Errno::ESRCH);
        }
    }

    /// Why it could not be signalled, if so.
    pub(in crate::execute) fn refusal(&self) -> Option<Errno> {
        self.refusal
    }

    /// sensu-client's words, and what this process is.
    pub(in crate::execute) fn unkillable(&self) -> String {
        let reason = self.refusal.map_or("it is still there after KILL", Errno::desc);
        format!(" - Unable to TERM/KILL the process: #{}, {reason} ({})", self.pid, self.description())
    }

    fn description(&self) -> String {
        let user = User::from_uid(Uid::from_raw(self.uid)).ok().flatten().map(|user| user.name);
        let user = user.unwrap_or_else(|| self.uid.to_string());
        format!("{}, state {} ({}), user {user}", self.command, self.state, word(self.state))
    }
}

fn word(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "disk sleep",
        'T' => "stopped",
        't' => "tracing stop",
        'I' => "idle",
        _ => "unknown",
    }
}

/// Signals the processes of a run, whose group has been signalled; a stopped one goes on, so that it can take the
/// signal. Reads `/proc`: blocking.
pub(in crate::execute) fn signal_all(mut members: Vec<Member>, signal: Signal, group: Pid) -> Vec<Member> {
    for member in &mut members {
        member.signal(signal, group);
        if member.refusal().is_none() {
            member.signal(Signal::SIGCONT, group);
        }
    }
    members
}

/// A line for each of the first, and how many more there are. Asks for users' names: blocking.
pub(in crate::execute) fn listed(members: &[Member]) -> String {
    let mut lines = String::new();
    for member in members.iter().take(NAMED) {
        writeln!(lines, "process {}: {}", member.pid, member.description()).expect("a string can be written to");
    }
    if let Some(more) = members.len().checked_sub(NAMED + 1) {
        writeln!(lines, "and {} more", more + 1).expect("a string can be written to");
    }
    lines
}

/// What a result says of those that are left, after `Execution timed out`. Asks for users' names: blocking.
pub(in crate::execute) fn unkillable(members: &[Member]) -> String {
    let mut text: String = members.iter().take(NAMED).map(Member::unkillable).collect();
    if let Some(more) = members.len().checked_sub(NAMED + 1) {
        write!(text, " - and {} more", more + 1).expect("a string can be written to");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(pid: i32, refusal: Option<Errno>) -> Member {
        Member { pid, group: 1, started: 1, command: "mount.nfs".to_owned(), state: 'D', uid: 0, refusal }
    }

    #[test]
    fn what_is_left_is_named_with_command_state_and_user() {
        assert_eq!(
            unkillable(&[member(7, Some(Errno::EPERM)), member(8, None)]),
            " - Unable to TERM/KILL the process: #7, Operation not permitted (mount.nfs, state D (disk sleep), user root) \
             - Unable to TERM/KILL the process: #8, it is still there after KILL (mount.nfs, state D (disk sleep), user \
             root)"
        );
        assert_eq!(listed(&[member(7, None)]), "process 7: mount.nfs, state D (disk sleep), user root\n");
        let many: Vec<Member> = (0..13).map(|pid| member(pid, None)).collect();
        assert!(listed(&many).ends_with("process 9: mount.nfs, state D (disk sleep), user root\nand 3 more\n"));
        assert!(unkillable(&many).ends_with(" - and 3 more"));
        assert_eq!(listed(&many[..10]).lines().count(), 10);
    }

    #[test]
    fn a_process_is_known_by_its_start_too() {
        let own = Member::read(Pid::this().as_raw()).unwrap();
        assert_eq!(own.now().map(|now| now.pid), Some(own.pid));
        assert_eq!(Member { started: own.started + 1, ..own }.now(), None);
    }
}
