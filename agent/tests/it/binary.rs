//! The process: its command line and its end.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};

use crate::serving::result;

fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checkscript-agent"));
    command.args(arguments);
    command
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = agent(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn bad_flags_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let web_config = folder.path().join("web.yml");
    std::fs::write(&web_config, "tls_sever_config: {}\n").unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (flag, reason) in [
        ("--check.log=[", "`[` is no file or glob"),
        ("--check.log=", "is no file or glob: it is empty"),
        ("--check.info-attributes=a-b", "`a-b` cannot be a label"),
        ("--check.info-attributes=team,output", "`output` cannot be a label: it is what a run says"),
        ("--check.forget-after=soon", "not a duration"),
        ("--check.forget-after=0s", "every check would be dropped at once"),
        ("--check.forget-any-after=500ms", "every check would be dropped at once"),
        ("--web.listen-address=nonsense", "nonsense"),
        ("--history.results=1001", "1001 is not in 0..=1000"),
        ("--detail.output-bytes=1MiB", "invalid digit"),
        ("--detail.allow-users=", "a name is empty"),
        ("--detail.allow-users=ops", "user `ops` is allowed, but the web config has no such user"),
        ("--detail.allow-client-names=proxy", "names of client certificates are allowed, but none are verified"),
        ("--web.max-requests=0", "0 is not in 1..=65535"),
        (&format!("--state.file={}/none/state", folder.path().display()), "/none; make it (systemd: StateDirectory=)"),
        (&format!("--state.file={}", folder.path().display()), "this is a directory; name a file in it"),
        (&format!("--state.file={}", fifo.display()), "this is no regular file; name one"),
        (&format!("--web.config.file={}", web_config.display()), "tls_sever_config"),
    ] {
        let (code, stderr) = refused(&[flag]);
        assert!(code == Some(2) && stderr.contains(reason), "{flag}: {code:?} {stderr}");
    }
}

#[test]
fn sigterm_ends_it_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("--check.log={}", folder.path().join("log").display());
    let mut process = agent(&[&log, "--web.listen-address=127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Listening on")), "it ended before it listened");
    let killed = Command::new("kill").arg(process.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_state_file_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let flag = |name: &str, file: &str| format!("--{name}={}", folder.path().join(file).display());
    let state = flag("state.file", "state");
    let arguments = [&*flag("check.log", "log"), &*state, "--web.listen-address=127.0.0.1:0"];
    let mut process = agent(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Listening on")), "it ended before it listened");
    let (code, stderr) = refused(&arguments);
    let file = state.split_once('=').unwrap().1;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("another process uses state file {file},")), "{stderr}");
    assert!(stderr.contains("--state.file") && !stderr.contains("Listening on"), "{stderr}");
    // However it ends, the lock is free again.
    process.kill().unwrap();
    process.wait().unwrap();
    let mut next = agent(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(next.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Listening on")), "it ended before it listened");
    next.kill().unwrap();
    next.wait().unwrap();
}

#[test]
fn a_log_that_loses_its_permissions_is_told_and_read_on_when_it_has_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |mode: u32| {
        std::fs::write(path("new"), "{}\n").unwrap();
        std::fs::set_permissions(path("new"), Permissions::from_mode(mode)).unwrap();
        std::fs::rename(path("new"), path("log")).unwrap();
    };
    write(0o000);
    // Permissions count for root as for anybody without these two.
    let mut command = Command::new("setpriv");
    if nix::unistd::geteuid().is_root() {
        command.args(["--bounding-set", "-dac_override,-dac_read_search"]);
    }
    let log = format!("--check.log={}", path("log").display());
    command.args([env!("CARGO_BIN_EXE_checkscript-agent"), &log, "--web.listen-address=127.0.0.1:0"]);
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut says = |what: &str| assert!(lines.any(|line| line.contains(what)), "it never says: {what}");
    for _ in 0..2 {
        says("Cannot read log");
        std::fs::set_permissions(path("log"), Permissions::from_mode(0o600)).unwrap();
        says("Following log");
        write(0o000);
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_line_of_100_megabytes_is_passed_over_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = std::fs::File::create(&path).unwrap();
    // A hole that a truncation leaves, a line without end, and binary garbage.
    log.set_len(100 << 20).unwrap();
    std::io::Seek::seek(&mut log, std::io::SeekFrom::End(0)).unwrap();
    let piece = vec![b'x'; 1 << 20];
    (0..100).for_each(|_| log.write_all(&piece).unwrap());
    log.write_all(b"\n\xff\0{\n\0\n").unwrap();
    let log = format!("--check.log={}", path.display());
    let mut process = agent(&[&log, "--web.listen-address=127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("more than 16777216 bytes was skipped")), "it does not say so");
    assert!(lines.any(|line| line.contains("A log line was skipped")), "it does not say so");
    let peak = peak_of(&process);
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(peak < 100 << 10, "{peak} kB");
}

/// The most memory that the process had so far, in kB.
fn peak_of(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn long_outputs_of_many_checks_take_no_more_memory_than_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let long = "x".repeat(2 << 20);
    let results: Vec<_> = (0..48).map(|number| result(&format!("check-{number}"), 2, &long)).collect();
    std::fs::write(&path, results.concat()).unwrap();
    let (log, total) = (format!("--check.log={}", path.display()), "--detail.total-output-bytes=8388608");
    let arguments = [&*log, total, "--state.file=", "--web.listen-address=127.0.0.1:0"];
    let mut process = agent(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("hold more than 8388608 bytes")), "it does not say so");
    assert!(lines.any(|line| line.contains("msg=Ready")), "it never is ready");
    let peak = peak_of(&process);
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(peak < 64 << 10, "{peak} kB");
}

#[test]
fn a_line_of_very_many_exit_statuses_takes_no_more_memory_than_any_of_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let statuses: Vec<_> = (0..1_300_000).map(|number| format!("\"{number:07}\":1")).collect();
    let map = format!("\"exit_map\":{{{}}},\"name\":", statuses.join(","));
    std::fs::write(&path, result("disk", 2, "full").replacen("\"name\":", &map, 1)).unwrap();
    let log = format!("--check.log={}", path.display());
    let mut process =
        agent(&[&log, "--state.file=", "--web.listen-address=127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("A result of check disk is taken without its definition")), "it is not");
    assert!(lines.any(|line| line.contains("msg=Ready")), "it never is ready");
    let peak = peak_of(&process);
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(peak < 90 << 10, "{peak} kB");
}

#[test]
fn large_definitions_of_many_checks_take_no_more_memory_than_is_said_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let with = |name: String, more: &str| {
        result(&name, 2, "full").replacen("\"name\":", &format!("\"x\":{more},\"name\":"), 1)
    };
    let (lists, text) = (format!("[{}0]", "0,".repeat(9_000)), format!("\"{}\"", "x".repeat(60_000)));
    let results = (0..80).map(|number| with(format!("lists-{number}"), &lists));
    let results: String = results.chain((0..400).map(|number| with(format!("text-{number}"), &text))).collect();
    std::fs::write(path("log"), results).unwrap();
    let (log, state) = (format!("--check.log={}", path("log")), format!("--state.file={}", path("state")));
    let arguments = [&*log, &*state, "--web.listen-address=127.0.0.1:0"];
    for says in ["those of all checks take more than 16777216 bytes of memory", "with 480 checks"] {
        let mut process = agent(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(says)), "it does not say so: {says}");
        assert!(lines.any(|line| line.contains("msg=Ready")), "it never is ready");
        let peak = peak_of(&process);
        let killed = Command::new("kill").arg(process.id().to_string()).status().unwrap();
        assert!(killed.success());
        assert_eq!(process.wait().unwrap().code(), Some(0));
        assert!(peak < 90 << 10, "{peak} kB");
    }
}
