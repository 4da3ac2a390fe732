//! What only a process shows: exit codes, signals, systemd. The process is the example `minimal`.

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/minimal");
    assert!(built.exists(), "build the example first: cargo build -p service --examples");
    built
}

fn config(folder: &Path) -> String {
    let file = folder.join("config.yml");
    std::fs::write(&file, "answer: 42\n").unwrap();
    format!("--config.file={}", file.display())
}

/// Runs the program to its end.
fn run(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().unwrap()
}

/// A program that serves; killed when the test fails.
struct Program {
    child: Child,
    address: SocketAddr,
    log: BufReader<File>,
}

impl Program {
    fn start(mut command: Command) -> Self {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let child = command.stderr(Stdio::from(writer)).spawn().unwrap();
        // The command holds a copy of the pipe's end, which would keep the log from ending.
        drop(command);
        let mut log = BufReader::new(File::from(reader));
        let line = wait_for_line(&mut log, "Listening on ");
        let address = line.split("Listening on ").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        Self { child, address, log }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn get(&self, path: &str) -> String {
        self.request("GET", path)
    }

    fn request(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).unwrap();
        got
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for_line(log: &mut impl std::io::BufRead, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the log ended without `{text}`: {seen}");
        if line.contains(text) {
            return line;
        }
        seen.push_str(&line);
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command.args([&config(folder), "--web.listen-address=127.0.0.1:0"]);
    command
}

#[test]
fn version_and_help_name_the_program_and_its_flags() {
    let version = run(&["--version"]);
    assert!(version.status.success());
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("minimal {}\n", env!("CARGO_PKG_VERSION")));
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for flag in
        ["--web.listen-address <ADDRESS>", "[default: :9799]", "--web.config.file", "--log.level", "--log.format"]
    {
        assert!(help.contains(flag), "{flag}: {help}");
    }
}

#[test]
fn bad_flags_and_configuration_end_with_2_and_every_failure_on_its_line() {
    assert_eq!(run(&["--no-such-flag"]).status.code(), Some(2));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    std::fs::write(&file, "answer: 41\nanswer: 42\nanswer: 43\n").unwrap();
    let ended = run(&[&format!("--config.file={}", file.display()), "--log.level=error"]);
    assert_eq!(ended.status.code(), Some(2));
    let file = file.display();
    let expected = format!(
        "minimal: {file}:1: `answer: 41` is not `answer: 42`\nminimal: {file}:3: `answer: 43` is not `answer: 42`\n"
    );
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), expected);
}

#[test]
fn other_failures_end_with_1_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let flag = format!("--web.listen-address={address}");
    let ended = run(&[&config(folder.path()), &flag, "--log.level=error"]);
    assert_eq!(ended.status.code(), Some(1));
    let expected = format!("minimal: cannot listen on {address}: Address already in use (os error 98)\n");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), expected);
}

#[test]
fn sigterm_and_sigint_stop_with_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Program::start(command(folder.path()));
        assert!(program.get("/answer").ends_with("\r\n\r\n42\n"));
        program.signal(signal);
        wait_for_line(&mut program.log, "msg=\"Stopped minimal\"");
        assert_eq!(program.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn sighup_reloads_and_a_bad_configuration_leaves_the_old_one() {
    const GAUGE: &str = "\nminimal_config_last_reload_successful ";
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(command(folder.path()));
    program.signal(Signal::SIGHUP);
    wait_for_line(&mut program.log, "Reloaded the configuration");
    assert!(program.get("/metrics").contains(&format!("{GAUGE}1\n")));
    std::fs::write(folder.path().join("config.yml"), "answer: 41\n").unwrap();
    program.signal(Signal::SIGHUP);
    let line = wait_for_line(&mut program.log, "Could not reload the configuration");
    assert!(line.contains("level=error") && line.contains("config.yml:1: `answer: 41`"), "{line}");
    assert!(program.get("/metrics").contains(&format!("{GAUGE}0\n")));
    assert!(program.get("/answer").ends_with("42\n"));
}

#[test]
fn systemd_is_told_of_start_reload_stop_and_life() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::running::NEVER)).unwrap();
    let mut command = command(folder.path());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000");
    let mut program = Program::start(command);
    let mut seen = String::new();
    let mut expect = |text: &str| {
        while !seen.contains(text) {
            let mut message = [0; 4096];
            let length = socket.recv(&mut message).unwrap();
            seen.push_str(std::str::from_utf8(&message[..length]).unwrap());
        }
        seen = seen.split_off(seen.find(text).unwrap() + text.len());
    };
    expect("READY=1\n");
    expect("WATCHDOG=1\n");
    program.signal(Signal::SIGHUP);
    expect("RELOADING=1\nMONOTONIC_USEC=");
    expect("READY=1\n");
    program.signal(Signal::SIGTERM);
    expect("STOPPING=1\n");
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_program_whose_work_is_stuck_is_not_healthy_and_does_not_feed_the_watchdog() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::running::NEVER)).unwrap();
    let mut command = command(folder.path());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000");
    let mut program = Program::start(command);
    assert!(program.get("/-/healthy").starts_with("HTTP/1.1 200 "));
    program.request("POST", "/stick");
    let healthy = program.get("/-/healthy");
    assert!(healthy.starts_with("HTTP/1.1 503 ") && healthy.ends_with("Not healthy: the work is stuck\n"), "{healthy}");
    wait_for_line(&mut program.log, "Not feeding the watchdog: the work is stuck");
    // What was sent before is received; from here on there is nothing but what the stop says.
    let receive = || {
        let mut message = [0; 4096];
        socket.recv(&mut message).map(|length| String::from_utf8_lossy(&message[..length]).into_owned())
    };
    socket.set_nonblocking(true).unwrap();
    while receive().is_ok() {}
    wait_for_line(&mut program.log, "Not feeding the watchdog");
    program.signal(Signal::SIGTERM);
    wait_for_line(&mut program.log, "Stopped minimal");
    assert_eq!(receive().unwrap(), "STOPPING=1\n");
}

#[test]
fn a_socket_of_systemd_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A shell does what systemd does: the socket becomes file descriptor 3, and the variables name this process.
    let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(program()).args([&config(folder.path()), "--web.systemd-socket"]);
    command.stdin(Stdio::from(OwnedFd::from(listener)));
    let program = Program::start(command);
    assert_eq!(program.address, address);
    assert!(program.get("/answer").ends_with("42\n"));
}

#[test]
fn no_socket_of_systemd_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&[&config(folder.path()), "--web.systemd-socket", "--log.level=error"]);
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.starts_with("minimal: systemd passed no socket: "), "{said}");
}

#[test]
fn json_logs_are_one_object_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    command.arg("--log.format=json");
    let mut program = Program::start(command);
    program.signal(Signal::SIGTERM);
    let line = wait_for_line(&mut program.log, "Stopped minimal");
    assert!(
        line.starts_with("{\"timestamp\":\"") && line.contains("\"level\":\"INFO\",\"message\":\"Stopped minimal\"")
    );
}

#[test]
fn too_many_open_files_are_survived() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 24; exec \"$@\"", "sh"]).arg(program());
    command.args([&config(folder.path()), "--web.listen-address=127.0.0.1:0"]);
    let mut program = Program::start(command);
    let many: Vec<_> = (0..30).map(|_| TcpStream::connect(program.address).unwrap()).collect();
    let line = wait_for_line(&mut program.log, "Cannot accept connections");
    assert!(line.contains("level=error") && line.contains("Too many open files"), "{line}");
    drop(many);
    wait_for_line(&mut program.log, "Accepting connections again");
    let page = program.get("/metrics");
    let errors = page.lines().find_map(|line| line.strip_prefix("http_accept_errors_total ")).unwrap();
    assert!(errors.parse::<u64>().unwrap() >= 1, "{errors}");
    assert!(program.get("/answer").ends_with("42\n"));
}
