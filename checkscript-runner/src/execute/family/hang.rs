//! Threads that hang in the kernel.

use std::collections::HashSet;

use procfs::process::{Process, Task};

use super::{Family, Member, is_alive};

/// Uninterruptible sleep, as `/proc` has it.
const UNINTERRUPTIBLE: char = 'D';

/// A thread of a run that waits in the kernel and takes no signal. One that only works a disk hard is found so over and
/// over as well; equal hangs, however, are one and the same wait, because the kernel counts how often a thread has begun
/// to wait.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::execute) struct Hang {
    thread: i32,
    waits: u64,
    process: Member,
}

// === impl Hang ===

impl Hang {
    fn of(task: &Task) -> Option<Self> {
        let stat = task.stat().ok().filter(|stat| stat.state == UNINTERRUPTIBLE)?;
        let waits = task.status().ok()?.voluntary_ctxt_switches?;
        let process = Member::read(task.pid)?.in_state(stat.state);
        Some(Self { thread: task.tid, waits, process })
    }

    pub(in crate::execute) fn into_process(self) -> Member {
        self.process
    }
}

// === impl Family ===

impl Family {
    /// What hangs now. Looks at the shell and its descendants, at a cost of some files each; only where the shell is gone
    /// does it take a look at every process of the machine. Reads `/proc`: blocking.
    pub(in crate::execute) fn hangs(&self) -> Vec<Hang> {
        let mut left = vec![self.shell];
        if !self.has_shell() {
            left.extend(self.members().iter().map(Member::pid));
        }
        let mut seen = HashSet::new();
        let mut hangs = Vec::new();
        while let Some(pid) = left.pop() {
            if !seen.insert(pid) {
                continue;
            }
            let tasks = Process::new(pid).and_then(|process| process.tasks());
            for task in tasks.into_iter().flatten().flatten() {
                hangs.extend(Hang::of(&task));
                let children = task.children().unwrap_or_default();
                left.extend(children.into_iter().filter_map(|child| i32::try_from(child).ok()));
            }
        }
        hangs
    }

    fn has_shell(&self) -> bool {
        let stat = Process::new(self.shell).and_then(|shell| shell.stat());
        stat.is_ok_and(|stat| is_alive(&stat) && self.started.contains(&stat.starttime))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_wait_that_goes_on_is_known_again() {
        let script = concat!("perl ", env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hangs.pl; true");
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", script]).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        BufReader::new(shell.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let pid = i32::try_from(shell.id()).unwrap();
        let family = Family::new(pid, "none".into(), 0, 0..=u64::MAX);
        let first = std::iter::repeat_with(|| family.hangs()).find(|hangs| !hangs.is_empty()).unwrap();
        assert_eq!(family.hangs(), first);
        assert_eq!(first.len(), 1);
        let text = super::super::listed(&[first[0].clone().into_process()]);
        assert!(text.contains(": perl, state D (disk sleep), user "), "{text}");
        killpg(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        shell.wait().unwrap();
        assert_eq!(family.hangs(), []);
    }
}
