//! What the checks of a pair's nodes say: logged by the test itself, or by a runner that runs them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{Member, Pair};

/// What a check says that has never been told to say anything else.
pub fn fine(check: &str) -> String {
    format!("{check} OK: fine")
}

impl Pair {
    /// Logs a result of each of `checks` on a node.
    pub async fn log(&self, node: usize, checks: &[&str], status: u8, output: &str) -> anyhow::Result<()> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let results = checks.iter().map(|check| {
            json!({
                "command": "check", "interval": 60, "name": check, "issued": now, "executed": now, "duration": 0.1,
                "output": format!("{check} on {node}: {output}\n"), "status": status,
            })
        });
        self.log_results(node, results).await
    }

    /// Logs results on a node, as sensu-client has them.
    pub async fn log_results(&self, node: usize, results: impl IntoIterator<Item = Value>) -> anyhow::Result<()> {
        let lines = results.into_iter().map(|check| {
            let result = json!({
                "timestamp": "2026-01-01T00:00:00.000000+0000", "level": "info", "message": "publishing check result",
                "payload": {"client": self.plan.name(node), "check": check},
            });
            format!("{result}\n")
        });
        let lines: String = lines.collect();
        let mut file = tokio::fs::OpenOptions::new().append(true).open(self.check_log(node)).await?;
        file.write_all(lines.as_bytes()).await?;
        Ok(file.flush().await?)
    }

    /// What `check` prints and exits with on a node where a runner runs, from now on.
    pub fn set_check(&self, node: usize, check: &str, status: u8, output: &str) -> anyhow::Result<()> {
        let folder = self.data.join(self.plan.name(node));
        let new = folder.join("new");
        fs::write(&new, format!("{status}\n{output}\n")).with_context(|| new.display().to_string())?;
        Ok(fs::rename(&new, folder.join(check))?)
    }

    /// Starts a runner on a node. Each of `checks` runs each second and says what [`set_check`](Self::set_check) sets.
    pub async fn run_checks(&mut self, node: usize, checks: &[&str]) -> anyhow::Result<()> {
        let name = self.plan.name(node);
        fs::create_dir_all(self.data.join(name))?;
        let mut definitions = serde_json::Map::new();
        for check in checks {
            self.set_check(node, check, 0, &fine(check))?;
            let definition = json!({
                "command": format!("check-demo.sh {name}/{check}"), "standalone": true, "interval": 1, "timeout": 30, "handlers": ["mailer"],
            });
            definitions.insert((*check).to_owned(), definition);
        }
        let address = self.listen.get(&Member::Agent(node)).map_or(Ipv4Addr::LOCALHOST.into(), SocketAddr::ip);
        let client = json!({"name": name, "address": address, "subscriptions": ["web"]});
        self.write(&format!("{name}.json"), &json!({"client": client, "checks": definitions}).to_string())?;
        self.spawn(Member::Runner(node)).await
    }

    /// The results in a node's log and in what it was renamed to, in the order in which they were written.
    pub fn logged(&self, node: usize) -> anyhow::Result<Vec<Value>> {
        let texts = self.logs(node)?.iter().map(fs::read_to_string).collect::<std::io::Result<Vec<_>>>()?;
        let lines = texts.iter().flat_map(|text| text.lines());
        // A line may be torn where the disk was full.
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.filter_map(|mut line| Some(line.pointer_mut("/payload/check")?.take())).collect())
    }

    /// A node's log and what it was renamed to, the oldest first.
    pub(super) fn logs(&self, node: usize) -> anyhow::Result<Vec<PathBuf>> {
        let files = fs::read_dir(self.disk(node))?.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
        let is_log = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "checks");
        let mut logs: Vec<_> = files.into_iter().filter(is_log).collect();
        let log = self.check_log(node);
        logs.sort_by_key(|path| (*path == log, path.clone()));
        Ok(logs)
    }

    pub(super) fn check_log(&self, node: usize) -> PathBuf {
        self.disk(node).join("checks.log")
    }

    /// The folder of a node's log.
    pub(super) fn disk(&self, node: usize) -> PathBuf {
        self.data.join(format!("log-{node}"))
    }
}
