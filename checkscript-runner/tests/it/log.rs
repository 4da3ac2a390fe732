//! The log file: rotation, and what happens when it cannot be written.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{mkfifo, pipe2};
use serde_json::{Value, json};

use crate::harness::{Runner, results_of, until};

/// A check whose runs are numbered in their output, so that a lost result shows.
fn ticking() -> Runner {
    let command = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) | tee count";
    Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": command}}))
}

/// Root may do everything; here it does not, so that a directory's mode holds for it as for anyone.
const BOUND_BY_MODES: &str =
    "[ $(id -u) -ne 0 ] || exec setpriv --bounding-set=-dac_override,-dac_read_search -- \"$0\" \"$@\"";

fn told(lines: &[Value], message: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["message"] == message).cloned().collect()
}

/// A check whose runs fill some KiB each.
fn ticking_widely() -> Runner {
    let command =
        "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) | tee count; head -c 3000 /dev/zero | tr '\\0' x";
    Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": command}}))
}

fn count(lines: &[Value]) -> usize {
    results_of(lines, "tick").len()
}

fn assert_none_is_lost(lines: &[Value]) {
    let results = results_of(lines, "tick");
    let numbers: Vec<&str> =
        results.iter().map(|tick| tick["output"].as_str().unwrap().lines().next().unwrap()).collect();
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
fn a_log_that_cannot_be_opened_at_the_start_is_taken_as_soon_as_it_can() {
    let runner = ticking().before("exec >stdout");
    fs::create_dir(runner.file("log")).unwrap();
    let runner = runner.start();
    until("results elsewhere", || (count(&runner.lines_of("stdout")) >= 2).then_some(()));
    fs::remove_dir(runner.file("log")).unwrap();
    let in_use = runner.message("log file is in use, earlier lines went elsewhere");
    let elsewhere = runner.lines_of("stdout");
    assert_eq!((&in_use["level"], &in_use["lines"]), (&json!("warn"), &json!(elsewhere.len())));
    assert_eq!(told(&elsewhere, "log file is not writable").len(), 1);
    runner.results("tick", 2);
    assert_none_is_lost(&[runner.lines_of("stdout"), runner.lines_of("log")].concat());
    assert_eq!(runner.lines_of("stdout").len(), elsewhere.len());
}

#[test]
fn usr2_takes_the_log_that_could_not_be_opened_at_the_start_or_says_again_why_not() {
    let runner = ticking().before("exec >stdout");
    fs::create_dir(runner.file("log")).unwrap();
    let runner = runner.start();
    until("a result elsewhere", || (count(&runner.lines_of("stdout")) >= 1).then_some(()));
    runner.signal(Signal::SIGUSR2);
    let refusals = || told(&runner.lines_of("stdout"), "log file is not writable").len();
    until("the second refusal", || (refusals() == 2).then_some(()));
}

#[test]
fn a_pipe_is_taken_as_soon_as_it_is_read_and_holds_up_neither_the_start_nor_the_stop() {
    let mut runner = ticking().before("exec >stdout");
    mkfifo(&runner.file("log"), Mode::S_IRWXU).unwrap();
    runner.spawn();
    until("results elsewhere", || (count(&runner.lines_of("stdout")) >= 2).then_some(()));
    let refused = told(&runner.lines_of("stdout"), "log file is not writable");
    assert_eq!(refused[0]["error"], "a pipe that nobody reads, or a socket");
    let first = BufReader::new(File::open(runner.file("log")).unwrap()).lines().next().unwrap().unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["message"], "log file is in use, earlier lines went elsewhere");
    // Nobody reads it any more.
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.exit().code(), Some(0));
}

#[test]
fn a_directory_that_loses_its_permission_and_regains_it_costs_no_line() {
    let runner = ticking().before(BOUND_BY_MODES);
    fs::create_dir(runner.file("logs")).unwrap();
    symlink("logs/log", runner.file("log")).unwrap();
    let runner = runner.start();
    runner.results("tick", 1);
    fs::rename(runner.file("logs/log"), runner.file("logs/log.1")).unwrap();
    let mode = |mode| fs::set_permissions(runner.file("logs"), Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    runner.signal(Signal::SIGUSR2);
    let refusals = || told(&runner.lines_of("logs/log.1"), "log file is not writable");
    until("the refusal", || refusals().pop());
    let so_far = count(&runner.lines_of("logs/log.1"));
    until("the file of before goes on", || (count(&runner.lines_of("logs/log.1")) >= so_far + 2).then_some(()));
    assert_eq!(refusals().len(), 1);
    assert!(refusals()[0]["error"].as_str().unwrap().contains("Permission denied"));
    mode(0o755);
    runner.message("log file is in use, earlier lines went elsewhere");
    runner.results("tick", 1);
    assert_none_is_lost(&[runner.lines_of("logs/log.1"), runner.lines_of("log")].concat());
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

/// How long a file may become; `ulimit` counts blocks of 512 bytes.
const ROOM: &str = "ulimit -S -f 8";
const ROOM_BYTES: usize = 8 * 512;

/// The log ends within a line because there is no more room, not because a line is just being written.
fn torn(runner: &Runner) -> Option<()> {
    let log = fs::read(runner.file("log")).unwrap_or_default();
    (log.len() == ROOM_BYTES && !log.ends_with(b"\n")).then_some(())
}

#[test]
fn a_line_that_the_end_of_the_room_has_cut_is_completed_when_there_is_room_again() {
    completes_a_cut_line(ticking_widely().before(ROOM).start());
}

#[test]
fn the_log_goes_on_although_standard_error_cannot_be_written_either() {
    completes_a_cut_line(ticking_widely().before("ulimit -S -f 8; exec 2>/dev/full").start());
}

fn completes_a_cut_line(runner: Runner) {
    until("no room", || torn(&runner));
    let limit = Command::new("prlimit").args(["--fsize=unlimited:", "--pid", &runner.id().to_string()]).status();
    assert!(limit.unwrap().success());
    let so_far = count(&runner.lines_of("log"));
    assert_none_is_lost(&runner.results("tick", so_far + 2).into_iter().map(as_line).collect::<Vec<_>>());
}

fn as_line(result: Value) -> Value {
    json!({"payload": {"check": result}})
}

#[test]
fn a_torn_line_is_written_anew_into_a_file_that_was_truncated() {
    let runner = ticking_widely().before(ROOM).start();
    until("no room", || torn(&runner));
    let before = runner.lines_of("log");
    OpenOptions::new().write(true).truncate(true).open(runner.file("log")).unwrap();
    runner.results("tick", 1);
    assert_none_is_lost(&[before, runner.lines_of("log")].concat());
    assert_ne!(fs::read(runner.file("log")).unwrap()[0], b'\n');
}

#[test]
fn a_torn_end_that_was_found_is_closed_before_the_first_line() {
    let runner = ticking();
    runner.write("log", "{\"timestamp\":\"torn");
    let runner = runner.start();
    let first = until("a line", || {
        let log = fs::read_to_string(runner.file("log")).unwrap();
        (log.matches('\n').count() > 1).then_some(log)
    });
    assert!(first.starts_with("{\"timestamp\":\"torn\n{\"timestamp\":\"20"), "{first}");
}

#[test]
fn a_deleted_log_is_created_anew_at_once_and_lines_wait_while_its_directory_is_gone() {
    let runner = ticking();
    fs::create_dir(runner.file("logs")).unwrap();
    symlink("logs/log", runner.file("log")).unwrap();
    let runner = runner.start();
    runner.results("tick", 1);
    let mut deleted = File::open(runner.file("log")).unwrap();
    fs::remove_file(runner.file("logs/log")).unwrap();
    runner.results("tick", 1);
    let mut first = Vec::new();
    deleted.read_to_end(&mut first).unwrap();
    runner.write("first", std::str::from_utf8(&first).unwrap());
    // What was written while the file went is in both at most.
    let runs = |file: &str| results_of(&runner.lines_of(file), "tick");
    let last = runs("first").last().unwrap().clone();
    assert!(runs("log").iter().all(|result| result["issued"].as_i64() >= last["issued"].as_i64()));

    fs::rename(runner.file("logs"), runner.file("gone")).unwrap();
    fs::remove_file(runner.file("gone/log")).unwrap();
    let ran = || fs::read_to_string(runner.file("count")).unwrap_or_default().trim().parse::<u32>().ok();
    let now = ran();
    until("a run that cannot be logged", || (ran() > now).then_some(()));
    assert!(!runner.file("log").exists());
    fs::create_dir(runner.file("logs")).unwrap();
    let numbers: Vec<u32> = runner.results("tick", 2).iter().map(number).collect();
    assert!(numbers[0] <= now.unwrap() + 1, "nothing is skipped: {numbers:?} after {now:?}");
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

fn number(result: &Value) -> u32 {
    result["output"].as_str().unwrap().trim().parse().unwrap()
}

#[test]
fn a_line_is_one_write() {
    let checks = json!({"tick": {"standalone": true, "interval": 1, "command": "echo tick"}});
    // A pipe in packet mode keeps writes apart.
    let (reader, writer) = pipe2(OFlag::O_DIRECT | OFlag::O_CLOEXEC).unwrap();
    let runner = Runner::with_checks(checks);
    let mut process = runner.command().stdout(writer).spawn().unwrap();
    let mut reader = File::from(reader);
    let mut buffer = [0; 4096];
    let mut results = 0;
    while results == 0 {
        let length = reader.read(&mut buffer).unwrap();
        let line: Value = serde_json::from_slice(&buffer[..length]).unwrap();
        assert_eq!(buffer[..length].iter().position(|byte| *byte == b'\n'), Some(length - 1));
        results += count(&[line]);
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn the_log_rotates_itself_and_loses_nothing() {
    let wide =
        "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) | tee count; head -c 40000 /dev/zero | tr '\\0' x";
    let runner = Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": wide}}));
    runner.write("log", "");
    fs::set_permissions(runner.file("log"), Permissions::from_mode(0o640)).unwrap();
    let rotating = ["--log_rotate_size", "64K", "--log_rotate_count", "2"];
    let runner = rotating.iter().fold(runner, |runner, argument| runner.argument(argument)).start();
    until("a second rotation", || (count(&runner.lines_of("log.2")) > 0).then_some(()));
    let lines = [runner.lines_of("log.2"), runner.lines_of("log.1"), runner.lines_of("log")].concat();
    assert_none_is_lost(&lines);
    for name in ["log", "log.1", "log.2"] {
        let metadata = fs::metadata(runner.file(name)).unwrap();
        assert!(metadata.len() <= 64 << 10 && metadata.mode() & 0o777 == 0o640, "{name}: {metadata:?}");
    }
}

#[test]
fn trap_switches_to_debug_and_back() {
    let runner = ticking().start();
    runner.results("tick", 1);
    runner.signal(Signal::SIGTRAP);
    let processing = runner.message("processing check");
    assert_eq!((&processing["level"], &processing["check"]["name"]), (&json!("debug"), &json!("tick")));
    runner.message("attempting to execute check command");
    let status = runner.message("log status");
    let want = json!(["file", runner.file("log"), null, 0, 0]);
    let fields = ["stream", "log_file", "error", "lines_lost", "results_lost"].map(|field| status[field].clone());
    assert_eq!(Value::from(fields.to_vec()), want);
    runner.signal(Signal::SIGTRAP);
    let debug = |lines: &[Value]| lines.iter().filter(|line| line["level"] == "debug").count();
    // A run that began before the signal was taken may be told yet, the ones after it are not.
    let so_far = count(&runner.lines_of("log"));
    runner.results("tick", so_far + 1);
    let told = debug(&runner.lines_of("log"));
    runner.results("tick", so_far + 2);
    assert_eq!(debug(&runner.lines_of("log")), told);
}
