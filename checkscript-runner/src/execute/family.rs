//! The processes of one run, as far as the kernel tells.
//!
//! A command's children stay in its process group, unless they daemonise. What belongs to a run is therefore gathered
//! from all that links a process to it: the group and the session, the line of parents, and for those whose parents are
//! gone the open end of the run's pipe and a variable of the environment that every run gets a value of its own of. A
//! process that has shed all of these, as only one that means to can, is not found.

mod hang;
mod member;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::prctl;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use procfs::process::{FDTarget, Process, Stat, all_processes};

pub(super) use self::hang::Hang;
pub(super) use self::member::{Member, listed, signal_all, unkillable};

/// The variable by which a run's processes are recognised.
pub(super) const MARKER: &str = "CHECKSCRIPT_RUN";

const INIT: i32 = 1;

/// How to find the processes of one run.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// The shell, which leads the group; 0 before it has been started.
    shell: i32,
    /// The value of [`MARKER`].
    mark: OsString,
    /// The inode of the pipe that takes the output.
    pipe: u64,
    /// When the shell was started, in the kernel's ticks since the boot.
    started: RangeInclusive<u64>,
}

/// A value of [`MARKER`] that no other run has.
fn mark() -> OsString {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed)).into()
}

/// The time since the boot, in the unit of a process's time of start.
fn ticks() -> io::Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let (seconds, nanoseconds) = (now.tv_sec().unsigned_abs(), now.tv_nsec().unsigned_abs());
    let second = procfs::ticks_per_second();
    Ok(seconds * second + nanoseconds * second / 1_000_000_000)
}

// === impl Family ===

impl Family {
    /// Of a shell that will be started from now on.
    pub(super) fn unborn(pipe: u64) -> io::Result<Self> {
        Ok(Self::new(0, mark(), pipe, ticks()?..=u64::MAX))
    }

    pub(super) fn new(shell: i32, mark: OsString, pipe: u64, started: RangeInclusive<u64>) -> Self {
        Self { shell, mark, pipe, started }
    }

    /// The shell has been started by now.
    pub(super) fn born(self, shell: Pid) -> io::Result<Self> {
        Ok(Self { shell: shell.as_raw(), started: *self.started.start()..=ticks()?, ..self })
    }

    /// The same with its shell, found by mark or pipe: nobody has noted it. Reads `/proc`: blocking.
    pub(super) fn found(self) -> Option<Self> {
        let all = processes();
        let recent = all.iter().filter(|stat| self.started.contains(&stat.starttime) && stat.pgrp > INIT);
        let first = recent.filter(|stat| self.has_marked(stat.pid)).min_by_key(|stat| stat.starttime)?;
        Some(Self { shell: first.pgrp, ..self })
    }

    pub(super) fn mark(&self) -> &OsStr {
        &self.mark
    }

    pub(super) fn pipe(&self) -> u64 {
        self.pipe
    }

    pub(super) fn started(&self) -> &RangeInclusive<u64> {
        &self.started
    }

    /// The shell's process id.
    pub(super) fn shell(&self) -> Pid {
        Pid::from_raw(self.shell)
    }

    /// Those that are there now. Reads `/proc`: blocking.
    ///
    /// The shell's number is another's only once the shell is reaped and its group empty, and then only after all other
    /// numbers have been given away: longer than anybody asks after a run.
    pub(super) fn members(&self) -> Vec<Member> {
        let reaper = if prctl::get_child_subreaper().unwrap_or(false) { own_pid() } else { INIT };
        self.among(&processes(), |stat| stat.ppid == reaper)
    }

    /// The same for a run whose runner is no more: its orphans may be anybody's, and the shell's number may be another
    /// process's by now.
    pub(super) fn members_after(&self, session: i32) -> Vec<Member> {
        let all = processes();
        if self.is_renumbered(&all, session) { Vec::new() } else { self.among(&all, |_| true) }
    }

    /// Whether the shell's number is another process's or group's. A group without its leader is told from a later one
    /// of that number by its session and its age.
    fn is_renumbered(&self, all: &[Stat], session: i32) -> bool {
        all.iter().any(|stat| {
            let is_of_run = stat.session == session && stat.starttime >= *self.started.start();
            (stat.pid == self.shell && !self.started.contains(&stat.starttime))
                || (stat.pgrp == self.shell && !is_of_run)
        })
    }

    fn among(&self, all: &[Stat], is_orphan: impl Fn(&Stat) -> bool) -> Vec<Member> {
        let mut found = HashSet::from([self.shell]);
        close(&mut found, all);
        let orphans = all.iter().filter(|stat| is_orphan(stat) && !found.contains(&stat.pid));
        let ours: Vec<i32> = orphans.map(|stat| stat.pid).filter(|pid| self.has_marked(*pid)).collect();
        found.extend(ours);
        close(&mut found, all);
        let alive = all.iter().filter(|stat| found.contains(&stat.pid) && is_alive(stat));
        alive.filter_map(|stat| Member::read(stat.pid)).collect()
    }

    /// Whether an orphan carries the run's mark or holds its pipe.
    fn has_marked(&self, orphan: i32) -> bool {
        let Ok(process) = Process::new(orphan) else { return false };
        let is_marked = process
            .environ()
            .is_ok_and(|variables| variables.iter().any(|(name, value)| name == MARKER && *value == self.mark));
        is_marked
            || process.fd().is_ok_and(|mut descriptors| {
                descriptors
                    .any(|fd| fd.is_ok_and(|fd| matches!(fd.target, FDTarget::Pipe(inode) if inode == self.pipe)))
            })
    }
}

/// All processes but this one.
fn processes() -> Vec<Stat> {
    let own = own_pid();
    let all = all_processes().into_iter().flatten().flatten();
    all.filter(|process| process.pid() != own).filter_map(|process| process.stat().ok()).collect()
}

/// Adds all that descends from what was found, or is in its groups or sessions.
fn close(found: &mut HashSet<i32>, all: &[Stat]) {
    loop {
        let before = found.len();
        for stat in all {
            if [stat.ppid, stat.pgrp, stat.session].iter().any(|id| found.contains(id)) {
                found.insert(stat.pid);
            }
        }
        if found.len() == before {
            return;
        }
    }
}

fn is_alive(stat: &Stat) -> bool {
    !matches!(stat.state, 'Z' | 'X' | 'x')
}

fn own_pid() -> i32 {
    Pid::this().as_raw()
}

#[cfg(test)]
mod tests {
    use procfs::FromRead;

    use super::*;

    #[test]
    fn whoever_has_got_the_number_since_is_told_from_the_run() {
        let family = Family::new(70, "1-2".into(), 3, 500..=501);
        // `PID STATE PPID PGRP SESSION STARTTIME`.
        let is_renumbered = |line: &str| {
            let fields: Vec<&str> = line.split(' ').collect();
            let [pid, state, ppid, pgrp, session, started] = fields[..] else { panic!("{line}") };
            let (before, after) = (" 0".repeat(15), " 0".repeat(30));
            let text = format!("{pid} (sh) {state} {ppid} {pgrp} {session}{before} {started}{after}");
            family.is_renumbered(&[Stat::from_read(text.as_bytes()).unwrap()], 9)
        };
        assert!(!is_renumbered("70 S 1 70 9 500") && !is_renumbered("71 S 70 70 9 502"));
        assert!(!is_renumbered("80 S 1 80 8 900"), "a stranger");
        assert!(is_renumbered("70 S 1 60 9 900"), "another process");
        assert!(is_renumbered("71 S 1 70 8 502"), "another session");
        assert!(is_renumbered("71 S 1 70 9 499"), "older than the run");
    }
}
