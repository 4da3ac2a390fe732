//! The log file: rotation, and what happens when it cannot be written.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Runner, results_of, until};

/// A check whose runs are numbered in their output, so that a lost result shows.
fn ticking() -> Runner {
    let command = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) | tee count";
    Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": command}}))
}

fn assert_none_is_lost(lines: &[Value]) {
    let results = results_of(lines, "tick");
    let numbers: Vec<&str> = results.iter().map(|tick| tick["output"].as_str().unwrap().trim()).collect();
    let all: Vec<String> = (1..=results.len()).map(|number| number.to_string()).collect();
    assert_eq!(numbers, all);
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
    assert!(in_old > so_far);
    assert_none_is_lost(&[runner.lines_of("log.1"), runner.lines_of("log")].concat());
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
    until("a check has run", || runner.file("count").exists().then_some(()));
    fs::remove_file(runner.file("log")).unwrap();
    runner.signal(Signal::SIGUSR2);
    let lines = runner.wait("everything", |lines| (results_of(lines, "tick").len() >= 2).then(|| lines.to_vec()));
    assert_eq!(lines[0]["message"], "loading config file", "from the first line on");
    assert_none_is_lost(&lines);
}
