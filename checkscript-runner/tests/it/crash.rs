//! What a runner that is killed leaves, and what the next one makes of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};

use crate::harness::{Runner, until};

const TOLD: &str = "check execution from before a crash is still running, ending it";
const UNRECORDED: &str = "running checks cannot be recorded, a crash would leave them unnoticed";

fn every_second(command: &str) -> Value {
    json!({"standalone": true, "interval": 1, "command": command})
}

/// The numbers in a file of process ids.
fn ids(runner: &Runner, name: &str) -> Vec<i32> {
    let text = fs::read_to_string(runner.file(name)).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

fn is_alive(id: i32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// One that does not wait for checks when it stops.
fn killing(runner: Runner) -> Runner {
    runner.argument("--grace_period").argument("0")
}

fn stop(runner: &mut Runner) {
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.exit().code(), Some(0));
}

/// Runs to the end: the status, and what is on standard output.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

fn crash(runner: &mut Runner) {
    runner.signal(Signal::SIGKILL);
    runner.exit();
}

#[test]
fn a_run_that_outlives_its_runner_is_told_and_ended_before_the_check_runs_again() {
    let alone = "for id in $(cat ids); do grep -qs ') [RSD] ' /proc/$id/stat && echo $id >> together; done";
    let endless = format!("{alone}; sleep 1000 & echo $! >> ids; echo $$ >> ids; wait");
    let mut runner = killing(Runner::with_checks(json!({"endless": every_second(&endless)})));
    runner.write("ids", "");
    runner.spawn();
    let first = until("a run", || Some(ids(&runner, "ids")).filter(|ids| ids.len() == 2));
    crash(&mut runner);
    assert!(first.iter().all(|id| is_alive(*id)));

    runner.spawn();
    let told = runner.message(TOLD);
    assert_eq!((&told["level"], &told["check"], &told["pid"]), (&json!("warn"), &json!("endless"), &json!(first[1])));
    assert!(told["since"].as_i64().is_some());
    until("the next run", || (ids(&runner, "ids").len() == 4).then_some(()));
    assert!(!runner.file("together").exists());
    assert!(!first.iter().any(|id| is_alive(*id)));

    stop(&mut runner);
    runner.spawn();
    until("the next run", || (ids(&runner, "ids").len() == 6).then_some(()));
    let told = runner.lines_of("log").iter().filter(|line| line["message"] == TOLD).count();
    assert_eq!(told, 1, "a stop that kills leaves nothing");
    stop(&mut runner);
}

#[test]
fn what_ignores_term_is_killed_and_what_a_finished_run_has_started_is_left_alone() {
    let daemon = "[ -e daemon ] || { nohup sleep 1000 > /dev/null 2>&1 & echo $! > daemon; }";
    let stubborn = "trap '' TERM; echo $$ >> ids; while :; do sleep 0.1; done";
    let checks = json!({"starts": every_second(daemon), "stubborn": every_second(stubborn)});
    let mut runner = killing(Runner::with_checks(checks)).argument("-p").argument("pid").start();
    runner.results("starts", 1);
    let first = until("a run", || ids(&runner, "ids").first().copied());
    crash(&mut runner);
    runner.spawn();
    assert_eq!(runner.message(TOLD)["check"], "stubborn");
    let skipped = runner.message("previous check command execution in progress");
    assert_eq!(skipped["check"]["name"], "stubborn", "it is under way until it is gone");
    until("the next run", || (ids(&runner, "ids").len() == 2).then_some(()));
    assert!(!is_alive(first));
    let daemon = ids(&runner, "daemon")[0];
    assert!(is_alive(daemon));
    kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
    stop(&mut runner);
}

#[test]
fn a_record_that_cannot_be_used_is_told_and_checks_run() {
    let runner = Runner::with_checks(json!({"tick": every_second("true")}));
    fs::create_dir(runner.file(".log.runs")).unwrap();
    let runner = runner.start();
    let told = runner.message(UNRECORDED);
    assert_eq!((&told["level"], &told["error"]), (&json!("warn"), &json!("Is a directory (os error 21)")));
    assert_eq!(told["record"], json!(runner.file(".log.runs")));
    runner.results("tick", 1);
}

#[test]
fn a_log_that_cannot_be_opened_has_a_record_all_the_same_or_it_is_told_why_not() {
    let checks = json!({"endless": every_second("echo $$ >> ids; sleep 1000")});
    let mut runner = killing(Runner::with_checks(checks)).before("exec >>stdout");
    fs::create_dir(runner.file("log")).unwrap();
    runner.spawn();
    until("a run", || ids(&runner, "ids").first().copied());
    crash(&mut runner);
    runner.spawn();
    let told = |message: &str| runner.lines_of("stdout").into_iter().find(|line| line["message"] == message);
    assert_eq!(until("what is left", || told(TOLD))["check"], "endless");
    until("the next run", || (ids(&runner, "ids").len() == 2).then_some(()));
    stop(&mut runner);

    let runner = Runner::with_checks(json!({})).before("exec >stdout");
    let mut process = runner.command().args(["-l", "missing/log"]).spawn().unwrap();
    let told =
        until("the warning", || runner.lines_of("stdout").into_iter().find(|line| line["message"] == UNRECORDED));
    process.kill().unwrap();
    process.wait().unwrap();
    let want = json!(["missing/.log.runs", "No such file or directory (os error 2)"]);
    assert_eq!(json!([told["record"], told["error"]]), want);
}

#[test]
fn a_record_by_its_former_name_is_read_and_goes() {
    let stubborn = "trap '' TERM; echo $$ >> ids; while :; do sleep 0.1; done";
    let mut runner = killing(Runner::with_checks(json!({"stubborn": every_second(stubborn)}))).start();
    until("a run", || ids(&runner, "ids").first().copied());
    crash(&mut runner);
    fs::rename(runner.file(".log.runs"), runner.file("log.runs")).unwrap();
    runner.spawn();
    assert_eq!(runner.message(TOLD)["check"], "stubborn");
    assert!(runner.file(".log.runs").exists() && !runner.file("log.runs").exists());
    stop(&mut runner);
    // The stop has not waited for it.
    runner.spawn();
    until("the next run", || (ids(&runner, "ids").len() == 2).then_some(()));
    stop(&mut runner);
}

#[test]
fn a_second_runner_on_the_same_pid_file_or_log_does_not_run() {
    let checks = || json!({"tick": every_second("echo $$ >> ids; sleep 1000")});
    let mut first = killing(Runner::with_checks(checks())).argument("-p").argument("pid").start();
    until("a run", || ids(&first, "ids").first().copied());
    let pid = fs::read_to_string(first.file("pid")).unwrap();
    for more in [["-p", "pid"].as_slice(), &["-p", "pid", "-b"]] {
        let (status, log) = ended(first.command().args(more));
        assert_eq!(status, Some(2), "{more:?}");
        assert!(log.contains("another runner uses the same pid file or log"), "{log}");
        assert!(log.ends_with("\"SENSU NOT RUNNING!\"}\n"), "{log}");
    }
    assert_eq!((fs::read_to_string(first.file("pid")).unwrap(), ids(&first, "ids").len()), (pid, 1));
    stop(&mut first);

    let mut first = killing(Runner::with_checks(checks())).start();
    until("a run", || ids(&first, "ids").first().copied());
    for more in [["-l", "log"].as_slice(), &["-l", "log", "-b"]] {
        let (status, _) = ended(first.command().args(more));
        assert_eq!(status, Some(2), "{more:?}");
    }
    let refused = first.message("SENSU NOT RUNNING!");
    assert_eq!((&refused["level"], ids(&first, "ids").len()), (&json!("fatal"), 1));
    stop(&mut first);
}

#[test]
fn a_second_runner_on_the_same_log_does_not_run_whatever_their_pid_files_are() {
    for pid_files in [[Some("one"), Some("two")], [Some("one"), None], [None, Some("two")]] {
        let [first, second] = pid_files.map(|name| name.map(|name| ["-p", name]).into_iter().flatten());
        let runner = Runner::with_checks(json!({"tick": every_second("echo $$ >> ids; sleep 1000")}));
        let mut other = runner.command();
        other.args(["-l", "log"]).args(second);
        let mut runner = killing(first.fold(runner, |runner, word| runner.argument(word)));
        runner.spawn();
        until("a run", || ids(&runner, "ids").first().copied());
        assert_eq!(ended(&mut other).0, Some(2), "{pid_files:?}");
        let refused = runner.message(
            "another runner uses the same pid file or log, stop it or give this one a pid file and log of its own",
        );
        assert_eq!(refused["record"], ".log.runs", "{pid_files:?}");
        assert_eq!(ids(&runner, "ids").len(), 1, "{pid_files:?}");
        stop(&mut runner);
    }
}

/// So it is by `-l /var/log/x.log` where that directory is syslog's too.
#[test]
fn a_second_runner_does_not_run_where_the_record_is_not_believed() {
    let runner = Runner::with_checks(json!({"tick": every_second("echo $$ >> ids; sleep 1000")}));
    fs::set_permissions(runner.file("."), Permissions::from_mode(0o775)).unwrap();
    let mut first = killing(runner).start();
    until("a run", || ids(&first, "ids").first().copied());
    let is_unrecorded = first.lines_of("log").iter().any(|line| line["message"] == UNRECORDED);
    assert_eq!(
        is_unrecorded,
        geteuid().is_root(),
        "what is left of a crash is believed of root's own directories only"
    );
    for more in [["-l", "log"].as_slice(), &["-l", "log", "-p", "pid"]] {
        assert_eq!(ended(first.command().args(more)).0, Some(2), "{more:?}");
    }
    assert_eq!(ids(&first, "ids").len(), 1);
    stop(&mut first);
}
