//! The log file: rotation, and what happens when it cannot be written.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Runner, results_of, until};

fn ticking() -> Runner {
    Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": "echo tick"}}))
}

#[test]
fn after_a_rename_lines_go_on_into_the_old_file_until_usr2() {
    let runner = ticking().start();
    runner.results("tick", 1);
    fs::rename(runner.file("log"), runner.file("log.1")).unwrap();
    let so_far = results_of(&runner.lines_of("log.1"), "tick").len();
    until("the old file grows", || (results_of(&runner.lines_of("log.1"), "tick").len() > so_far).then_some(()));
    assert!(!runner.file("log").exists());
    runner.signal(Signal::SIGUSR2);
    runner.results("tick", 1);
    let in_old = results_of(&runner.lines_of("log.1"), "tick").len();
    let in_both: Vec<_> = [runner.lines_of("log.1"), runner.lines_of("log")].concat();
    let seconds: Vec<i64> = results_of(&in_both, "tick").iter().map(|tick| tick["issued"].as_i64().unwrap()).collect();
    assert!(in_old > so_far && seconds.windows(2).all(|pair| pair[1] == pair[0] + 1), "nothing is lost: {seconds:?}");
}

#[test]
fn a_log_that_cannot_be_opened_is_told_and_the_present_one_kept() {
    let runner = ticking().start();
    runner.results("tick", 1);
    fs::rename(runner.file("log"), runner.file("log.1")).unwrap();
    fs::create_dir(runner.file("log")).unwrap();
    runner.signal(Signal::SIGUSR2);
    let told = until("the refusal", || {
        runner.lines_of("log.1").into_iter().find(|line| line["message"] == "log file is not writable")
    });
    assert_eq!((&told["level"], &told["log_file"]), (&json!("error"), &json!(runner.file("log"))));
}

#[test]
fn results_wait_while_the_disk_is_full() {
    let runner = ticking();
    symlink("/dev/full", runner.file("log")).unwrap();
    let runner = runner.start();
    // A slot has come and gone since.
    let started = jiff::Timestamp::now().as_second();
    until("a slot has come", || (jiff::Timestamp::now().as_second() > started + 1).then_some(()));
    fs::remove_file(runner.file("log")).unwrap();
    runner.signal(Signal::SIGUSR2);
    let lines = runner.wait("everything", |lines| (results_of(lines, "tick").len() >= 2).then(|| lines.to_vec()));
    assert_eq!(lines[0]["message"], "loading config file", "from the first line on");
    let seconds: Vec<i64> = results_of(&lines, "tick").iter().map(|tick| tick["issued"].as_i64().unwrap()).collect();
    assert!(seconds.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seconds:?}");
}
