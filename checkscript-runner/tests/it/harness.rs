//! A runner in a directory of its own, and waiting for what it logs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Far longer than anything here takes; a test that fails says so after this time.
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory with `config.json` and `conf.d`, and what runs on it.
pub(crate) struct Runner {
    directory: TempDir,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// What a shell does before it becomes the runner.
    before: &'static str,
    process: Option<Child>,
}

impl Runner {
    /// With a client `web-1` and nothing else; tests run beside each other, so it leaves sensu-client's ports alone.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("conf.d")).unwrap();
        let runner = Self { directory, arguments: Vec::new(), environment: Vec::new(), before: "", process: None };
        let no = json!({"enabled": false});
        let client = json!({"name": "web-1", "address": "127.0.0.1", "socket": no, "http_socket": no});
        runner.write("config.json", &json!({"client": client}).to_string());
        runner
    }

    /// With these checks in `conf.d/checks.json`.
    pub(crate) fn with_checks(checks: Value) -> Self {
        let runner = Self::new();
        runner.checks(checks);
        runner
    }

    pub(crate) fn checks(&self, checks: Value) {
        self.write("conf.d/checks.json", &json!({"checks": checks}).to_string());
    }

    pub(crate) fn environment(mut self, name: &'static str, value: String) -> Self {
        self.environment.push((name, value));
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Has a shell do something before it becomes the runner.
    pub(crate) fn before(mut self, command: &'static str) -> Self {
        self.before = command;
        self
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How it would be started, its log on standard output.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{}\nexec \"$0\" \"$@\"", self.before));
        command.arg(env!("CARGO_BIN_EXE_checkscript-runner"));
        command.arg("-c").arg(self.file("config.json")).arg("-d").arg(self.file("conf.d")).args(&self.arguments);
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        for variable in [
            "SENSU_CLIENT_NAME",
            "SENSU_CLIENT_ADDRESS",
            "SENSU_CLIENT_SUBSCRIPTIONS",
            "SENSU_TRANSPORT_NAME",
            "SENSU_API_PORT",
            "RABBITMQ_URL",
            "REDIS_URL",
            "REDIS_SENTINEL_URLS",
            "NOTIFY_SOCKET",
            "WATCHDOG_USEC",
        ] {
            command.env_remove(variable);
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs to its end, the log on standard output, the directory's name replaced by `/etc/sensu`.
    pub(crate) fn run(&self) -> (Option<i32>, String) {
        let Output { status, stdout, .. } = self.command().output().unwrap();
        let text = String::from_utf8(stdout).unwrap();
        (status.code(), text.replace(self.directory.path().to_str().unwrap(), "/etc/sensu"))
    }

    /// Runs in the background, logging to `log`.
    pub(crate) fn start(mut self) -> Self {
        self.spawn();
        self
    }

    /// As [`Self::start`], also after an end.
    pub(crate) fn spawn(&mut self) {
        let mut command = self.command();
        self.process = Some(command.arg("-l").arg(self.file("log")).spawn().unwrap());
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.id()).unwrap()), signal).unwrap();
    }

    /// Waits for the process to end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        until("the runner ends", || process.try_wait().unwrap())
    }

    /// Every line of a log file.
    pub(crate) fn lines_of(&self, name: &str) -> Vec<Value> {
        let bytes = fs::read(self.file(name)).unwrap_or_default();
        let complete = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        complete.map(|line| serde_json::from_slice(line).expect("a line of JSON")).collect()
    }

    /// Waits until `find` finds something in the log.
    pub(crate) fn wait<T>(&self, what: &str, find: impl Fn(&[Value]) -> Option<T>) -> T {
        until(what, || find(&self.lines_of("log")))
    }

    /// Waits for a line with the message.
    pub(crate) fn message(&self, message: &str) -> Value {
        self.wait(message, |lines| lines.iter().find(|line| line["message"] == message).cloned())
    }

    /// Waits for `count` results of the check.
    pub(crate) fn results(&self, check: &str, count: usize) -> Vec<Value> {
        self.wait(check, |lines| {
            let results = results_of(lines, check);
            (results.len() >= count).then_some(results)
        })
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// The results of a check among log lines.
pub(crate) fn results_of(lines: &[Value], check: &str) -> Vec<Value> {
    let checks = lines.iter().filter_map(|line| line.pointer("/payload/check"));
    checks.filter(|result| result["name"] == check).cloned().collect()
}

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}
