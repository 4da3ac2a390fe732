//! The shell of a run, from the moment that it is a child of this process.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use tokio::process::{Child, ChildStdin, Command};

use super::super::children::Children;
use super::Job;

/// A running shell. Dropped before it has exited, it takes its group with it.
pub(super) struct Shell {
    child: Child,
    id: Pid,
    children: Arc<Children>,
    has_exited: bool,
}

/// `sh -c COMMAND`, under another user where the job has one. Another program changes the user, so that this process
/// can go on using `posix_spawn`, and what is between it and the command has no rights that the command must not have.
pub(super) fn command(job: &Job) -> Command {
    let Some(account) = job.account.as_ref().filter(|account| account.uid != geteuid().as_raw()) else {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&job.command);
        return command;
    };
    // By its place: it is started with this process's rights, and the check's own PATH must not choose what is.
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .arg(format!("--reuid={}", account.uid))
        .arg(format!("--regid={}", account.gid))
        .args(["--init-groups", "--", "sh", "-c", &job.command])
        .env("HOME", &account.home)
        .env("LOGNAME", &account.name)
        .env("USER", &account.name);
    command
}

// === impl Shell ===

impl Shell {
    /// Starts it; whatever fails from here on, it is not forgotten.
    pub(super) fn spawn(mut command: Command, children: &Arc<Children>) -> io::Result<Self> {
        let (child, id) = children.spawn(&mut command)?;
        Ok(Self { child, id, children: Arc::clone(children), has_exited: false })
    }

    /// Its process id, which is its group's.
    pub(super) fn id(&self) -> Pid {
        self.id
    }

    pub(super) fn has_exited(&self) -> bool {
        self.has_exited
    }

    pub(super) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for its end, however long it takes. Fails only for a process that is no child of ours any more.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.has_exited |= status.is_ok();
        status
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if !self.has_exited {
            killpg(self.id, Signal::SIGKILL).ok();
        }
        self.children.forget(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn one_that_is_dropped_leaves_neither_processes_nor_its_number() {
        let children = Arc::<Children>::default();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]).stdout(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut shell = Shell::spawn(command, &children).unwrap();
        let mut output = shell.child.stdout.take().unwrap();
        assert!(children.knows(shell.id()));
        let id = shell.id();
        drop(shell);
        assert!(!children.knows(id));
        // The pipe ends when none of the group holds it any more.
        assert_eq!(output.read(&mut [0]).await.unwrap(), 0);
    }
}
