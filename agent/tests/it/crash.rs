//! The process is killed, stopped and started at random moments while a log is written at full speed and rotated: every
//! result is in its history once, in the order of writing.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Client;
use serde_json::Value;
use service::http::{ClientOptions, fleet_client};
use tempfile::TempDir;

/// How many lines are written in all.
const LINES: usize = 12_000;
/// By how many checks, in turn.
const CHECKS: usize = 40;
/// Lines between two rotations.
const ROTATION: usize = 1_500;

/// Deterministic: a failing run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

struct Agent {
    process: Child,
    base: String,
}

impl Agent {
    /// Starts the binary; it has read what there was when its port is known to serve.
    fn start(folder: &Path) -> Self {
        let flag = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
        let mut process = Command::new(env!("CARGO_BIN_EXE_checkscript-agent"))
            .args([flag("check.log", "log"), flag("state.file", "state")])
            .args(["--state.interval=5ms", "--history.results=1000", "--web.listen-address=127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let listening = lines.find(|line| line.contains("Listening on")).expect("it ended before it listened");
        let address = listening.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let base = format!("http://{address}");
        // The pipe has to be emptied while it runs.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, base }
    }

    fn kill(self) {
        drop(self);
    }

    fn stop(mut self) {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Agent {
    /// SIGKILL, also where a test fails.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(number: usize) -> String {
    format!(
        r#"{{"timestamp":"2026-11-21T02:{:02}:{:02}.{:06}+0000","level":"info","message":"publishing check result","payload":{{"client":"web-1","check":{{"name":"c{}","output":"{number}","status":{}}}}}}}"#,
        number / 60_000,
        number / 1_000 % 60,
        number % 1_000 * 1_000,
        number % CHECKS,
        number / CHECKS / 7 % 4,
    ) + "\n"
}

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// `log` to `log.1`, the older ones gzip, as logrotate does it with `delaycompress` and `create`.
fn rotate(folder: &Path) {
    let name = |number: usize| folder.join(format!("log.{number}"));
    let gz = |number: usize| folder.join(format!("log.{number}.gz"));
    let oldest = (2..).find(|&number| !gz(number).exists()).unwrap();
    (2..oldest).rev().for_each(|number| fs::rename(gz(number), gz(number + 1)).unwrap());
    if name(1).exists() {
        let modified = fs::metadata(name(1)).unwrap().modified().unwrap();
        fs::rename(name(1), name(2)).unwrap();
        let mut encoder = GzEncoder::new(File::create(gz(2)).unwrap(), Compression::fast());
        encoder.write_all(&fs::read(name(2)).unwrap()).unwrap();
        encoder.finish().unwrap().set_modified(modified).unwrap();
        fs::remove_file(name(2)).unwrap();
    }
    fs::rename(folder.join("log"), name(1)).unwrap();
    open(&folder.join("log"));
}

fn write(folder: PathBuf, written: &AtomicUsize) {
    let mut log = open(&folder.join("log"));
    for number in 0..LINES {
        if number % ROTATION == ROTATION - 1 {
            rotate(&folder);
        }
        log.write_all(line(number).as_bytes()).unwrap();
        // Until then, lines go into the renamed file.
        if number % ROTATION == 3 {
            log = open(&folder.join("log"));
        }
        written.store(number + 1, Ordering::Relaxed);
    }
}

/// The outputs that the agent knows of a check, oldest first.
async fn history(client: &Client, base: &str, check: usize) -> Vec<usize> {
    let url = format!("{base}/api/v1/checks/c{check}/history?limit=1000");
    let response = client.get(url).send().await.unwrap();
    let body = service::http::read_limited(response, 64 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let entries = body["history"].as_array().unwrap();
    entries.iter().rev().map(|entry| entry["output"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn killed_at_any_moment_it_counts_every_result_once() {
    // In memory where that can be had: the state is saved all the time here.
    let folder: TempDir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let writer = std::thread::spawn({
        let (folder, written) = (folder.path().to_owned(), Arc::clone(&written));
        move || write(folder, &written)
    });
    let mut random = Random(0x0915);
    let mut deaths = 0;
    while !writer.is_finished() || deaths < 12 {
        let agent = Agent::start(folder.path());
        // It dies after so many more lines, or scrapes where no more are written.
        let until = written.load(Ordering::Relaxed) + random.below(1_200);
        while written.load(Ordering::Relaxed) < until && !writer.is_finished() {
            std::thread::yield_now();
        }
        if random.below(4) == 0 {
            agent.stop()
        } else {
            agent.kill()
        }
        deaths += 1;
    }
    writer.join().unwrap();
    let agent = Agent::start(folder.path());
    let client = fleet_client(&ClientOptions::new(service::build_info!())).unwrap();
    for check in 0..CHECKS {
        let written: Vec<usize> = (check..LINES).step_by(CHECKS).collect();
        assert_eq!(history(&client, &agent.base, check).await, written, "check {check} after {deaths} deaths");
    }
    agent.stop();
}
