//! The agent follows a log that is written at full speed and rotated by the real logrotate, and is killed now and then: what it
//! knows is compared with what was written, result by result.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command as Sync;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use e2e::{Part, Process, get_json, program, tool, until};
use tempfile::TempDir;
use tokio::process::Command;

use crate::PATIENCE;

/// Results are of so many checks, in turn.
const CHECKS: usize = 40;
/// What an agent can be told to keep of each.
const MOST: usize = CHECKS * 1_000;
const ROTATIONS: usize = 8;

struct Node {
    folder: TempDir,
    written: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl Node {
    /// A log that is written as fast as can be, opened anew when it is another file.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // logrotate distrusts directories that others may write to.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (written, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let path = folder.path().join("log");
        let mut log = open(&path);
        let writer = std::thread::spawn({
            let (written, stop) = (Arc::clone(&written), Arc::clone(&stop));
            move || {
                for number in (0..MOST).take_while(|_| !stop.load(Ordering::Relaxed)) {
                    if fs::metadata(&path).is_ok_and(|named| named.ino() != log.metadata().unwrap().ino()) {
                        log = open(&path);
                    }
                    log.write_all(line(number).as_bytes()).unwrap();
                    written.store(number + 1, Ordering::Relaxed);
                }
            }
        });
        Self { folder, written, stop, writer: Some(writer) }
    }

    async fn agent(&self, run: usize) -> (Process, String) {
        let file = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(program(Part::Agent));
        command.args(["--web.listen-address=127.0.0.1:0", "--history.results=1000", "--state.interval=50ms"]);
        command.arg(format!("--check.log={}", file("log").display()));
        command.arg(format!("--state.file={}", file("state").display()));
        let out = file(&format!("agent-{run}.out"));
        let process = Process::start("agent", command, &out).unwrap();
        let address = until("the agent", PATIENCE, || async {
            let text = fs::read_to_string(&out)?;
            let address = text.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
            address.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("not yet"))
        });
        (process, address.await.unwrap())
    }

    /// Waits until so many more lines are written, or the writer is done.
    async fn writes(&self, more: usize) {
        let wanted = (self.written.load(Ordering::Relaxed) + more).min(MOST);
        until("the writer", PATIENCE, || async {
            anyhow::ensure!(self.written.load(Ordering::Relaxed) >= wanted, "not yet");
            Ok(())
        })
        .await
        .unwrap();
    }

    fn logrotate(&self, how: &str) {
        let config = self.folder.path().join("logrotate.conf");
        let log = self.folder.path().join("log");
        fs::write(&config, format!("{} {{\n rotate 50\n {how}\n}}\n", log.display())).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        let program = tool("logrotate");
        let mut command = Sync::new(&program);
        command.arg("--force").arg("--state").arg(self.folder.path().join("logrotate.state")).arg(&config);
        let output =
            command.output().unwrap_or_else(|error| panic!("{}: {error}; run `make tools`", program.display()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Rotates, the agent being killed at every third rotation and away during another one. The agent at the end, its address,
    /// and how much was written in all.
    async fn rotated(&mut self, how: &str) -> (Process, String, usize) {
        let mut agent = self.agent(0).await;
        for rotation in 1..=ROTATIONS {
            self.writes(300).await;
            if rotation % 3 == 0 {
                agent.0.kill().await.unwrap();
            }
            self.logrotate(how);
            if rotation % 3 == 0 {
                self.writes(100).await;
                self.logrotate(how);
                agent = self.agent(rotation).await;
            }
        }
        self.stop.store(true, Ordering::Relaxed);
        self.writer.take().unwrap().join().unwrap();
        (agent.0, agent.1, self.written.load(Ordering::Relaxed))
    }

    /// The numbers in the log's files.
    fn in_files(&self) -> BTreeSet<usize> {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = names.filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name == "log" || name.starts_with("log.") && !name.ends_with("conf")
        });
        logs.flat_map(|path| numbers(&text(&path))).collect()
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

fn line(number: usize) -> String {
    let (check, status) = (number % CHECKS, number / CHECKS / 7 % 4);
    format!(
        r#"{{"timestamp":"2026-11-21T02:{:02}:{:02}.{:06}+0000","level":"info","message":"publishing check result","payload":{{"client":"web-1","check":{{"name":"c{check}","output":"{number}","status":{status}}}}}}}"#,
        number / 60_000,
        number / 1_000 % 60,
        number % 1_000 * 1_000,
    ) + "\n"
}

fn text(path: &PathBuf) -> String {
    if path.extension().is_some_and(|extension| extension == "gz") {
        let unpacked = Sync::new("gzip").arg("-dc").arg(path).output().unwrap();
        return String::from_utf8(unpacked.stdout).unwrap();
    }
    let mut text = String::new();
    File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The numbers of the whole lines.
fn numbers(log: &str) -> Vec<usize> {
    let output = |line: &str| line.strip_suffix('\n')?.split(r#""output":""#).nth(1)?.split('"').next()?.parse().ok();
    log.split_inclusive('\n').filter(|line| line.starts_with('{')).filter_map(output).collect()
}

/// What the agent knows of a check, oldest first.
async fn known(address: &str, check: usize) -> anyhow::Result<Vec<usize>> {
    let history = get_json(&format!("http://{address}/api/v1/checks/c{check}/history?limit=1000")).await?;
    let entries = history["history"].as_array().cloned().unwrap_or_default();
    Ok(entries.iter().rev().map(|entry| entry["output"].as_str().unwrap().parse().unwrap()).collect())
}

/// Waits until the agent knows the last line, and gives what it knows of every check.
async fn all_known(address: &str, written: usize) -> Vec<Vec<usize>> {
    let last = written - 1;
    until("the last result", PATIENCE, || async {
        let known = known(address, last % CHECKS).await?;
        anyhow::ensure!(known.last() == Some(&last), "{:?}, not {last}", known.last());
        Ok(())
    })
    .await
    .unwrap();
    let mut all = Vec::new();
    for check in 0..CHECKS {
        all.push(known(address, check).await.unwrap());
    }
    all
}

#[tokio::test]
async fn renamed_and_compressed_logs_give_every_result_once() {
    let mut node = Node::start();
    let (mut agent, address, written) = node.rotated("create\n compress\n delaycompress").await;
    for (check, known) in all_known(&address, written).await.into_iter().enumerate() {
        assert_eq!(known, (check..written).step_by(CHECKS).collect::<Vec<_>>(), "c{check} of {written} results");
    }
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn copied_and_truncated_logs_give_every_result_once_that_is_in_a_file() {
    let mut node = Node::start();
    let (mut agent, address, written) = node.rotated("copytruncate\n compress\n delaycompress").await;
    let in_files = node.in_files();
    let all = all_known(&address, written).await;
    assert!(all.iter().all(|known| known.windows(2).all(|pair| pair[0] < pair[1])), "one was counted twice: {all:?}");
    let all: BTreeSet<usize> = all.into_iter().flatten().collect();
    // What was written between a copy and its truncation is in no file; of that the agent may have seen some before.
    assert_eq!(in_files.difference(&all).collect::<Vec<_>>(), Vec::<&usize>::new(), "of {written} results");
    agent.stop().await.unwrap();
}
