//! `-b`, `-p`, and the exit statuses that go with them.

use std::fs;
use std::path::Path;
use std::process::Output;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::harness::{Runner, until};

/// Ends the daemon even where a test fails.
struct Daemon(Pid);

impl Daemon {
    fn of(runner: &Runner) -> Self {
        let id = fs::read_to_string(runner.file("pid")).unwrap();
        Self(Pid::from_raw(id.strip_suffix('\n').unwrap().parse().unwrap()))
    }

    fn proc(&self, name: &str) -> std::path::PathBuf {
        Path::new("/proc").join(self.0.to_string()).join(name)
    }

    fn is_alive(&self) -> bool {
        fs::read_to_string(self.proc("stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        kill(self.0, Signal::SIGKILL).ok();
    }
}

fn ticking() -> Runner {
    Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": "pwd"}}))
}

#[test]
fn in_the_background_it_has_a_session_of_its_own_and_keeps_nothing_of_who_started_it() {
    // Relative paths, since a daemon has another working directory; a descriptor that who starts it has left open.
    let runner = ticking().argument("-b").argument("-p").argument("pid").argument("-l").argument("log");
    let runner = runner.before("exec 7>leaked");
    assert_eq!(runner.run().0, Some(0));
    let id = until("the PID file", || fs::read_to_string(runner.file("pid")).ok().filter(|id| id.ends_with('\n')));
    let daemon = Daemon::of(&runner);
    assert_eq!(id, format!("{}\n", daemon.0));
    assert_eq!(runner.results("tick", 1)[0]["output"], "/\n");
    for descriptor in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(fs::read_link(daemon.proc(descriptor)).unwrap(), Path::new("/dev/null"));
    }
    let open = fs::read_dir(daemon.proc("fd")).unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    assert!(open.into_iter().all(|file| !file.ends_with("leaked")));
    let stat = fs::read_to_string(daemon.proc("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (daemon.0.to_string().as_str(), "0"), "session and terminal");

    kill(daemon.0, Signal::SIGHUP).unwrap();
    runner.message("reloaded configuration");
    kill(daemon.0, Signal::SIGTERM).unwrap();
    until("the daemon ends", || (!daemon.is_alive()).then_some(()));
    runner.message("stopping reactor");
    assert_eq!(fs::read_to_string(runner.file("pid")).unwrap(), id, "never removed, as sensu-client does");
}

#[test]
fn what_is_wrong_is_told_to_who_starts_it_in_the_background() {
    let broken = Runner::with_checks(json!({"a": 5})).argument("-b").argument("-p").argument("pid");
    let (status, log) = broken.run();
    assert_eq!(status, Some(2));
    assert!(log.contains("check must be a hash") && log.ends_with("\"SENSU NOT RUNNING!\"}\n"), "{log}");
    assert!(!broken.file("pid").exists());
    let (status, log) = ticking().argument("-b").argument("-p").argument("missing/pid").run();
    assert_eq!(status, Some(2));
    assert!(log.contains("could not write to pid file"), "{log}");
}

/// A log that is a file shows nothing to who starts it.
#[test]
fn what_is_wrong_is_on_standard_error_too_unless_the_log_is_standard_output() {
    let broken = || Runner::with_checks(json!({"a": 5}));
    let said = |runner: &Runner, more: &[&str]| {
        let Output { status, stderr, .. } = runner.command().args(more).output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap().replace(runner.file("").to_str().unwrap(), ""))
    };
    let text = "checkscript-runner: conf.d/checks.json:1: checks.a: check must be a hash\n".to_owned();
    for more in [["-l", "log"].as_slice(), &["-l", "log", "-b"], &["-l", "log", "-P"]] {
        let runner = broken();
        assert_eq!(said(&runner, more), (Some(2), text.clone()), "{more:?}");
        runner.message("check must be a hash");
    }
    for more in [[].as_slice(), &["-b"], &["-l", "missing/log"]] {
        assert_eq!(said(&broken(), more), (Some(2), String::new()), "{more:?}");
    }
    let (status, text) = said(&ticking(), &["-b", "-l", "log", "-p", "missing/pid"]);
    assert!(
        status == Some(2) && text.contains("could not write to pid file") && text.contains("missing/pid"),
        "{text}"
    );
}

#[test]
fn in_the_background_without_a_log_results_go_where_they_would() {
    let runner = ticking().argument("-b").argument("-p").argument("pid");
    let mut command = runner.command();
    assert!(command.stdout(fs::File::create(runner.file("log")).unwrap()).status().unwrap().success());
    runner.results("tick", 1);
    let daemon = Daemon::of(&runner);
    assert_eq!(fs::read_link(daemon.proc("fd/0")).unwrap(), Path::new("/dev/null"));
}
