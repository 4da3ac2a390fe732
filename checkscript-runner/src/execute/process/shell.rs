//! The shell of a run, from the moment that it is a child of this process.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use tokio::process::{Child, ChildStdin, Command};

use super::super::children::Children;
use super::{Job, MARKER};
use crate::definitions::Account;

/// A running shell. Dropped before it has exited, it takes its group with it.
pub(super) struct Shell {
    child: Child,
    id: Pid,
    children: Arc<Children>,
    has_exited: bool,
}

/// What a definition's variables are called, a name behind it, until the command's user has them.
const CARRIED: &str = "CHECKSCRIPT_ENV_";

/// `sh -c COMMAND` with its variables, under another user where the job has one. Another program changes the user, so that
/// this process can go on using `posix_spawn`, and what is between it and the command has no rights that the command must
/// not have.
pub(super) fn command(job: &Job) -> Command {
    let other = job.account.as_ref().filter(|account| account.uid != geteuid().as_raw());
    // By its place: it is started with this process's rights, and the check's own PATH must not choose what is.
    let mut command = Command::new(if other.is_some() { "/usr/bin/setpriv" } else { "sh" });
    for meant_for_this_process in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] {
        command.env_remove(meant_for_this_process);
    }
    command.envs(job.exports.iter().map(|(name, value)| (name, value)));
    match other {
        Some(account) => as_user(&mut command, account, job),
        None => {
            command.arg("-c").arg(&job.command).envs(job.environment.iter().map(|(name, value)| (name, value)));
        }
    }
    command
}

/// The definition's variables have other names as long as this process's rights are there: `LD_LIBRARY_PATH` and its like
/// would have the loader run code of the user's with them. Their values are no arguments, which everybody can read. Without
/// variables there is no shell between.
fn as_user(command: &mut Command, account: &Account, job: &Job) {
    let mut variables: Vec<_> = job.environment.iter().filter(|(name, _)| name != MARKER).collect();
    // What carries a variable may be the name of another one, a longer one: that is made when this one has its value.
    variables.sort_by_key(|(name, _)| name.len());
    command
        .arg(format!("--reuid={}", account.uid))
        .arg(format!("--regid={}", account.gid))
        .args(["--init-groups", "--"])
        .env("HOME", &account.home)
        .env("LOGNAME", &account.name)
        .env("USER", &account.name);
    if variables.is_empty() {
        command.args(["sh", "-c", &job.command]);
        return;
    }
    let rename = |(name, _): &&(String, _)| format!("export {name}=\"${CARRIED}{name}\"; unset {CARRIED}{name}; ");
    let script = variables.iter().map(rename).collect::<String>() + "exec sh -c \"$1\"";
    command
        .args(["/bin/sh", "-c", &script, "sh", &job.command])
        .envs(variables.into_iter().map(|(name, value)| (format!("{CARRIED}{name}"), value)));
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

    /// What starts `true` as another user with these variables.
    fn as_another(variables: &[(&str, &str)]) -> Command {
        let user = Account { name: "oracle".to_owned(), uid: 65533, gid: 65533, home: "/home/oracle".into() };
        command(&Job {
            command: "true".to_owned(),
            stdin: None,
            timeout: None,
            exports: Vec::new(),
            environment: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            account: Some(user),
            term_grace: std::time::Duration::ZERO,
        })
    }

    fn arguments(command: &Command) -> Vec<String> {
        command.as_std().get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_has_our_rights_has_the_definitions_variables_by_other_names_only() {
        let command = as_another(&[("LD_PRELOAD", "/evil.so"), ("PATH", "/evil"), (MARKER, "another run's")]);
        let set: Vec<_> = command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))).collect();
        let names: Vec<_> = set.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["CHECKSCRIPT_ENV_LD_PRELOAD", "CHECKSCRIPT_ENV_PATH", "HOME", "LOGNAME", "USER"]);
        let arguments = arguments(&command);
        assert!(!arguments.iter().any(|argument| argument.contains("evil")), "{arguments:?}");
    }

    #[test]
    fn without_variables_there_is_one_shell() {
        for variables in [&[][..], &[(MARKER, "another run's")]] {
            let arguments = arguments(&as_another(variables));
            assert_eq!(arguments[2..], ["--init-groups", "--", "sh", "-c", "true"], "{variables:?}");
        }
    }

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
