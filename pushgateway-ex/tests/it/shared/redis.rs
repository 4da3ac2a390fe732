//! A Redis server of a test's own.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

/// A running server, killed when it goes.
pub(crate) struct Redis {
    child: Child,
    folder: TempDir,
    flags: Vec<String>,
    pub(crate) port: u16,
}

/// Ports below those that the system gives to who does not ask for one, so that none is taken between a stop and a start.
fn ports() -> impl Iterator<Item = u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1000).unwrap() * 11;
    std::iter::repeat_with(move || 21_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 11_000)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
}

/// The program, with a word of what to do where it is missing.
fn program() -> std::path::PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/redis-server");
    if tool.exists() { tool } else { "redis-server".into() }
}

impl Redis {
    /// Starts one that keeps everything on disk before it answers.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let own = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
        Self::run(own.iter().chain(flags).map(|flag| (*flag).to_owned()).collect())
    }

    /// A sentinel.
    pub(crate) fn sentinel(config: &Path) -> Self {
        Self::run(vec![config.display().to_string(), "--sentinel".to_owned()])
    }

    fn run(flags: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for port in ports().take(20) {
            if let Some(child) = run(folder.path(), port, &flags) {
                return Self { child, folder, flags, port };
            }
        }
        panic!("redis-server does not start: scripts/tools.sh fetches one");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// As a flag of a gateway.
    pub(crate) fn flag(&self) -> String {
        format!("--storage={}", self.url())
    }

    pub(crate) fn client(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends `STOP`, with which it answers nobody and drops nobody, or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Starts it again where it was.
    pub(crate) fn restart(&mut self) {
        self.child = run(self.folder.path(), self.port, &self.flags).expect("the port is still free");
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// None if the port is taken.
fn run(folder: &Path, port: u16, flags: &[String]) -> Option<Child> {
    let mut command = Command::new(program());
    // A file of settings comes first.
    command.args(flags).args(["--bind", "127.0.0.1", "--port", &port.to_string()]).arg("--dir").arg(folder);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("there is a redis-server: scripts/tools.sh");
    let mut log: Lines<BufReader<ChildStdout>> = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = ["Ready to accept connections", "+monitor master"];
    if log.by_ref().map(Result::unwrap).any(|line| ready.iter().any(|ready| line.contains(ready))) {
        // Who does not read holds up who writes.
        std::thread::spawn(move || log.for_each(drop));
        return Some(child);
    }
    child.wait().unwrap();
    None
}
