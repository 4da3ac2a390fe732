//! A log that is rotated while the runner writes at full speed and the agent follows: with the real logrotate, and by
//! the runner itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Sync, Stdio};

use e2e::{Part, Process, get_text, program, repository, tool, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::PATIENCE;

const CHECKS: usize = 60;
/// Long enough that a hundred results or so fill what a log that rotates itself may hold.
const PADDING: usize = 2000;

/// A runner whose checks number their runs, and an agent that follows its log.
struct Node {
    folder: TempDir,
    runner: Process,
    agent: Process,
}

impl Node {
    async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // logrotate distrusts directories and configurations that others may write to.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("config.json"), config().to_string()).unwrap();
        let mut runner = Command::new(program(Part::Runner));
        runner.args(["-c", "config.json", "-d", ".", "-l", "checks.log", "-p", "pid"]).args(arguments);
        runner.current_dir(folder.path());
        let mut agent = Command::new(program(Part::Agent));
        agent.args(["--web.listen-address=127.0.0.1:0", "--state.file="]);
        agent.arg(format!("--check.log={}", file("checks.log").display()));
        let agent = Process::start("agent", agent, &file("agent.out")).unwrap();
        // It is to see every rotation as it happens, not what is left of it.
        until("the agent", PATIENCE, || async {
            anyhow::ensure!(text(&file("agent.out")).contains("address="), "not yet");
            Ok(())
        })
        .await
        .unwrap();
        let runner = Process::start("runner", runner, &file("runner.out")).unwrap();
        Self { folder, runner, agent }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until the file holds results of so many runs.
    async fn holds(&self, name: &str, results: usize) {
        until(&format!("{results} results in {name}"), PATIENCE, || async {
            let found = numbers(&text(&self.file(name))).values().map(Vec::len).sum::<usize>();
            anyhow::ensure!(found >= results, "{found}");
            Ok(())
        })
        .await
        .unwrap();
    }

    /// The log's files, the oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = names.filter(|path| path.to_string_lossy().contains("checks.log")).collect();
        files.retain(|path| !path.to_string_lossy().ends_with(".runs"));
        let age = |path: &PathBuf| {
            let name = path.to_string_lossy().replace(".gz", "");
            name.rsplit('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        files.sort_by_key(|path: &PathBuf| std::cmp::Reverse::<u32>(age(path)));
        files
    }

    /// Stops the runner and gives how many results it has written, of which none may be lost, torn or glued.
    async fn finish(&mut self) -> usize {
        assert!(self.runner.stop().await.unwrap().success());
        let log: String = self.files().iter().map(|file| text(file)).collect();
        let found = numbers(&log);
        assert_eq!(found.len(), CHECKS);
        for (check, numbers) in &found {
            let ran: usize = text(&self.file(&format!("count-{check}"))).trim().parse().unwrap();
            assert_eq!(*numbers, (1..=ran).collect::<Vec<_>>(), "{check}");
        }
        found.values().map(Vec::len).sum()
    }

    /// Waits until the agent has taken exactly so many results.
    async fn agent_has(&mut self, results: usize) {
        let address = text(&self.file("agent.out"));
        let address = address.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let url = format!("http://{address}/metrics");
        let metrics = until("the agent to have every result", PATIENCE, || async {
            let metrics = get_text(&url).await?;
            let found = lines(&metrics, "result");
            anyhow::ensure!(found >= results, "{found}, not {results}");
            Ok(metrics)
        })
        .await
        .unwrap();
        assert_eq!((lines(&metrics, "result"), lines(&metrics, "invalid")), (results, 0));
        self.agent.stop().await.unwrap();
    }
}

/// How many lines of a kind the agent says it has read.
fn lines(metrics: &str, kind: &str) -> usize {
    let name = format!("checkscript_agent_log_lines_total{{kind=\"{kind}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

fn config() -> Value {
    let command = format!(
        "n=$(($(cat count-:::check:::) + 1)); echo $n > count-:::check:::; echo $n; printf %{PADDING}s | tr ' ' x"
    );
    let checks: Value = (0..CHECKS)
        .map(|check| {
            let command = command.replace(":::check:::", &check.to_string()).replace("cat ", "cat 2>/dev/null ");
            (check.to_string(), json!({"standalone": true, "interval": 1, "command": command}))
        })
        .collect();
    json!({"client": {"name": "node", "address": "127.0.0.1"}, "checks": checks})
}

/// A file's text, also of a compressed one; nothing where there is none.
fn text(file: &Path) -> String {
    if file.extension().is_some_and(|extension| extension == "gz") {
        let unpacked = Sync::new("gzip").arg("-dc").arg(file).stderr(Stdio::inherit()).output().unwrap();
        return String::from_utf8(unpacked.stdout).unwrap();
    }
    fs::read_to_string(file).unwrap_or_default()
}

/// The numbers of the runs in a log, by check. Every whole line has to be an event.
fn numbers(log: &str) -> BTreeMap<String, Vec<usize>> {
    let mut numbers: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for line in log.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(check) = event.pointer("/payload/check") {
            let number = check["output"].as_str().unwrap().lines().next().unwrap().parse().unwrap();
            numbers.entry(check["name"].as_str().unwrap().to_owned()).or_default().push(number);
        }
    }
    numbers
}

/// Rotates now, by a configuration for `checks.log`.
fn logrotate(node: &Node, config: &str) {
    let file = node.file("logrotate.conf");
    fs::write(&file, config).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let program = tool("logrotate");
    let mut command = Sync::new(&program);
    command.arg("--force").arg("--state").arg(node.file("state")).arg(&file);
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}; run `make tools`", program.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The example as it is installed, with this node's files and user.
fn shipped(node: &Node) -> String {
    let config = fs::read_to_string(repository().join("packaging/debian/checkscript-runner.logrotate")).unwrap();
    let owner = Sync::new("sh").args(["-c", "echo $(id -un) $(id -gn)"]).output().unwrap();
    let config = config
        .replace("/var/log/checkscript/checkscript-runner.log", node.file("checks.log").to_str().unwrap())
        .replace("/run/checkscript-runner/checkscript-runner.pid", node.file("pid").to_str().unwrap())
        .replace("sensu sensu", String::from_utf8(owner.stdout).unwrap().trim())
        // Here it is this user already, and only root may become another.
        .replace("runuser -u sensu -- ", "");
    assert!(!config.contains("sensu "), "{config}");
    assert!(!config.contains("/var/") && !config.contains("/run/"), "{config}");
    config
}

#[tokio::test]
async fn logrotate_with_the_shipped_configuration_loses_nothing() {
    let mut node = Node::start(&[]).await;
    node.holds("checks.log", CHECKS).await;
    for _ in 0..4 {
        logrotate(&node, &shipped(&node));
        // Only then: the agent follows one rotation after the other, as they come in life.
        node.holds("checks.log", CHECKS / 2).await;
    }
    assert!(node.file("checks.log.4.gz").exists());
    let results = node.finish().await;
    node.agent_has(results).await;
}

#[tokio::test]
async fn logrotate_by_copying_and_truncating_tears_and_glues_nothing() {
    let mut node = Node::start(&[]).await;
    node.holds("checks.log", CHECKS).await;
    let config = format!("{} {{\n rotate 9\n copytruncate\n}}\n", node.file("checks.log").display());
    for _ in 0..4 {
        logrotate(&node, &config);
        node.holds("checks.log", CHECKS / 2).await;
    }
    assert!(node.runner.stop().await.unwrap().success());
    // A copy may end within a line, and what came between the copy and the truncation is lost: whole lines are in order.
    let log: Vec<String> = node.files().iter().map(|file| text(file)).collect();
    assert_eq!(log.len(), 5);
    let mut all: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (check, found) in log.iter().flat_map(|log| numbers(log)) {
        all.entry(check).or_default().extend(found);
    }
    assert!(all.values().all(|numbers| numbers.windows(2).all(|pair| pair[0] < pair[1])), "{all:?}");
}

#[tokio::test]
async fn a_log_that_rotates_itself_loses_nothing() {
    let mut node = Node::start(&["--log_rotate_size", "256K", "--log_rotate_count", "50"]).await;
    until("the fourth rotation", PATIENCE, || async {
        anyhow::ensure!(node.file("checks.log.4").exists(), "{:?}", node.files());
        Ok(())
    })
    .await
    .unwrap();
    let results = node.finish().await;
    node.agent_has(results).await;
}
