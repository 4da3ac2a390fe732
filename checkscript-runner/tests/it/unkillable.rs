//! Processes that the runner may not signal, because they are another user's: what sudo makes of a check's children. Only
//! root can set that up; for others these tests print that they were left out, and fail
//! where the environment says that none may be (`OGI_TEST_ALL`, as in CI).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};

use crate::harness::{Runner, until};

const NOBODY: u32 = 65534;
/// Set where every test has to run.
const TEST_ALL: &str = "OGI_TEST_ALL";
/// The runner becomes an ordinary user.
const DROP_RIGHTS: &str = "exec setpriv --reuid=65534 --regid=65534 --clear-groups -- \"$0\" \"$@\"";

/// What is root's and has to be ended by root.
struct Orphan(Pid);

impl Drop for Orphan {
    fn drop(&mut self) {
        kill(self.0, Signal::SIGKILL).ok();
    }
}

/// A runner without rights, whose check `one` starts a process with root's. `None` where that cannot be.
fn unprivileged(attributes: Value) -> Option<Runner> {
    if !geteuid().is_root() {
        return left_out("only root can start processes of two users");
    }
    let runner = Runner::new().before(DROP_RIGHTS);
    // It does what sudo does: what it starts is root's altogether.
    let sudo = runner.file("sudo");
    fs::copy("/usr/bin/setpriv", &sudo).unwrap();
    fs::set_permissions(&sudo, Permissions::from_mode(0o4755)).unwrap();
    chown(runner.file(""), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut probe = Command::new(&sudo);
    if !probe.args(["--reuid=0", "true"]).uid(NOBODY).status().is_ok_and(|status| status.success()) {
        return left_out("set-user-ID programs have no effect here");
    }
    let command = "./sudo --reuid=0 sleep 1000 & echo $! > id; wait";
    let mut check = json!({"standalone": true, "interval": 1, "command": command});
    check.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    runner.checks(json!({"one": check}));
    Some(runner)
}

fn left_out<T>(reason: &str) -> Option<T> {
    let must_run = std::env::var_os(TEST_ALL).is_some();
    assert!(!must_run, "{TEST_ALL} is set, and this test cannot run: {reason}");
    println!("left out: {reason}");
    None
}

fn orphan(runner: &Runner) -> Orphan {
    let id = until("the process", || fs::read_to_string(runner.file("id")).ok().filter(|id| id.ends_with('\n')));
    Orphan(Pid::from_raw(id.trim().parse().unwrap()))
}

fn output(result: &Value) -> &str {
    result["output"].as_str().unwrap()
}

#[test]
fn at_a_timeout_it_is_named_and_not_waited_for_and_the_check_not_started_beside_it() {
    let Some(runner) = unprivileged(json!({"timeout": 0.5})) else { return };
    let mut runner = runner.start();
    let orphan = orphan(&runner);
    let results = runner.results("one", 3);
    let unable = "Execution timed out - Unable to TERM/KILL the process: ";
    let reason = format!("#{}, Operation not permitted (sleep, state S (sleeping), user root)", orphan.0);
    assert_eq!((output(&results[0]), &results[0]["status"]), (&*format!("{unable}{reason}"), &json!(2)));
    // With the grace periods after TERM and KILL it would be 4.5 s and more.
    assert!(results[0]["duration"].as_f64().unwrap() < 4.5, "nothing is gained by waiting");
    for late in &results[1..] {
        let (first, processes) = output(late).split_once('\n').unwrap();
        assert!(first.starts_with("Check execution is overdue: running since 2"), "{first}");
        assert_eq!(processes, format!("process {}: sleep, state S (sleeping), user root\n", orphan.0));
        assert_eq!(late["status"], 3);
    }
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.exit().code(), Some(0));
    let killing = |line: &Value| line["message"] == "killing checks in progress";
    assert!(!runner.lines_of("log").iter().any(killing), "a stop does not wait for it");
    // It stays in the record.
    runner.spawn();
    runner.message("check execution from before a crash is still running, ending it");
}

#[test]
fn one_that_a_crash_has_left_is_a_result_at_each_slot_and_a_stop_does_not_wait_for_it() {
    let Some(mut runner) = unprivileged(json!({})) else { return };
    runner.spawn();
    let orphan = orphan(&runner);
    runner.signal(Signal::SIGKILL);
    runner.exit();
    runner.spawn();
    let results = runner.results("one", 2);
    for late in results {
        let named = format!("\nprocess {}: sleep, state S (sleeping), user root\n", orphan.0);
        assert!(output(&late).ends_with(&named), "{late}");
        assert_eq!(late["status"], 3);
    }
    let told =
        runner.message("check execution from before a crash cannot be ended, the check does not run until it has");
    assert!(told["processes"].as_str().unwrap().starts_with(&format!("process {}: ", orphan.0)));
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.exit().code(), Some(0));
    let lines = runner.lines_of("log");
    let completing: Vec<&Value> = lines.iter().filter_map(|line| line.get("checks_in_progress")).collect();
    assert_eq!(completing, [&json!([])], "neither completed nor killed");

    fs::remove_file(runner.file("id")).unwrap();
    drop(orphan);
    runner.spawn();
    self::orphan(&runner);
}
