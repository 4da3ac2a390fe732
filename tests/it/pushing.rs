//! pushgateway-agent pushes to pushgateway-ex, through every crash, and to the real Pushgateway.

mod removed;
mod secured;

use std::path::PathBuf;

use e2e::{HASH, Part, Process, Signal, free_port, get_json, get_text, own, tool, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{PATIENCE, mail, stack};

/// A node's checks, and the folder with everything.
struct Node {
    folder: TempDir,
    metrics: String,
}

/// A gateway that may be started again at its address.
struct Gateway {
    process: Option<Process>,
    url: String,
    file: PathBuf,
    log: PathBuf,
    flags: Vec<String>,
}

fn free() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

// === impl Node ===

impl Node {
    /// With the checks `disk` and `load`, each second, that print the file `output`.
    fn new() -> Self {
        let node = Self { folder: tempfile::tempdir().unwrap(), metrics: free() };
        let (no, command) = (json!({"enabled": false}), format!("cat {}; exit 2", node.file("output").display()));
        let check = json!({"command": command, "standalone": true, "interval": 1});
        let client = json!({"name": "web-1", "address": "127.0.0.1", "socket": no, "http_socket": no});
        node.write("config.json", &json!({"client": client, "checks": {"disk": check, "load": check}}).to_string());
        node
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let new = self.file("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file(name)).unwrap();
    }

    fn agent(&self, flags: &[String]) -> Process {
        let mut command = Command::new(own("pushgateway-agent"));
        command.arg("-c").arg(self.file("config.json")).arg("-d").arg(self.file("none"));
        command.arg(format!("--web.listen-address={}", self.metrics)).args(flags);
        std::fs::create_dir_all(self.file("none")).unwrap();
        Process::start("pushgateway-agent", command, &self.file("agent.log")).unwrap()
    }

    fn gateway(&self, name: &str, flags: &[&str]) -> Gateway {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (file, log) = (self.file(name), self.file(&format!("{name}.log")));
        Gateway { process: None, url: format!("http://{}", free()), file, log, flags }
    }

    /// Waits until the agent's metric of a gateway is as wanted.
    async fn metric(&self, name: &str, gateway: &Gateway, wanted: impl Fn(f64) -> bool) {
        let (url, label) = (format!("http://{}/metrics", self.metrics), format!("gateway=\"{}\"", gateway.url));
        let what = format!("{name} of {}", gateway.url);
        let asked = until(&what, PATIENCE, || async {
            let page = get_text(&url).await?;
            let line =
                page.lines().find(|line| line.starts_with(name) && (line.contains(&label) || !line.contains('{')));
            let value: f64 = line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(f64::NAN);
            anyhow::ensure!(wanted(value), "{value}");
            Ok(())
        });
        asked.await.unwrap();
    }
}

// === impl Gateway ===

impl Gateway {
    fn start(&mut self) {
        let mut command = Command::new(own("pushgateway-ex"));
        command.arg(format!("--web.listen-address={}", self.url.trim_start_matches("http://"))).args(&self.flags);
        command.arg(format!("--persistence.file={}", self.file.display()));
        self.process = Some(Process::start("pushgateway-ex", command, &self.log).unwrap());
    }

    async fn kill(&mut self) {
        self.process.take().unwrap().kill().await.unwrap();
    }

    fn flag(&self) -> String {
        format!("--push.gateway={}", self.url)
    }

    /// Waits until the last result of the check has this output.
    async fn shows(&self, check: &str, output: &str) {
        let url = format!("{}/api/v1/checks/{check}?instance=web-1&job=checkscript-push", self.url);
        let what = format!("{output} of {check}");
        let shown = until(&what, PATIENCE, || async {
            let detail = get_json(&url).await?;
            anyhow::ensure!(detail["check"]["output"] == output, "{detail}");
            Ok(())
        });
        shown.await.unwrap();
    }

    async fn history(&self, check: &str) -> Vec<Value> {
        let url = format!("{}/api/v1/checks/{check}/history", self.url);
        get_json(&url).await.unwrap()["history"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn the_newest_results_survive_a_killed_gateway_and_a_killed_agent() {
    let node = Node::new();
    let (mut one, mut other) = (node.gateway("one", &[]), node.gateway("other", &[]));
    one.start();
    node.write("output", "first");
    let queue = format!("--push.queue.file={}", node.file("queue").display());
    let flags = [one.flag(), other.flag(), queue, "--push.interval=50ms".to_owned(), "--push.ttl=2h".to_owned()];
    let mut agent = node.agent(&flags);
    // The other one has never been there; that holds nothing up.
    one.shows("disk", "first").await;
    one.shows("load", "first").await;
    one.kill().await;
    node.write("output", "second");
    for gateway in [&one, &other] {
        node.metric("pushgateway_agent_results_superseded_total", gateway, |count| count >= 4.0).await;
        node.metric("pushgateway_agent_results_pending{", gateway, |count| count == 2.0).await;
    }
    node.metric("pushgateway_agent_queue_file_unsaved", &one, |count| count == 0.0).await;
    agent.kill().await.unwrap();
    // From now on the checks do not run: what arrives is what was kept.
    let client = json!({"name": "web-1", "socket": {"enabled": false}, "http_socket": {"enabled": false}});
    let seldom = json!({"command": "false", "standalone": true, "cron": "0 0 29 2 *"});
    node.write("config.json", &json!({"client": client, "checks": {"disk": seldom, "load": seldom}}).to_string());
    let mut agent = node.agent(&flags);
    one.start();
    other.start();
    for check in ["disk", "load"] {
        one.shows(check, "second").await;
        other.shows(check, "second").await;
        assert_eq!(other.history(check).await.len(), 1, "the newest alone was kept for the gateway that was away");
    }
    node.metric("pushgateway_agent_results_pending{", &other, |count| count == 0.0).await;
    assert!(agent.stop().await.unwrap().success());
}

#[tokio::test]
async fn a_stop_pushes_what_waits_or_has_the_gateway_forget() {
    let node = Node::new();
    node.write("output", "last words");
    let mut gateway = node.gateway("gateway", &[]);
    gateway.start();
    // Nothing is pushed before the stop.
    let mut agent = node.agent(&[gateway.flag(), "--push.interval=1h".to_owned()]);
    node.metric("pushgateway_agent_results_pending{", &gateway, |count| count == 2.0).await;
    node.metric("pushgateway_agent_results_pushed_total", &gateway, |count| count == 0.0).await;
    assert!(agent.stop().await.unwrap().success());
    gateway.shows("disk", "last words").await;

    let flags = [gateway.flag(), "--push.interval=0s".to_owned(), "--push.on-stop=delete".to_owned()];
    let mut agent = node.agent(&flags);
    node.metric("pushgateway_agent_results_pushed_total", &gateway, |count| count >= 2.0).await;
    assert!(agent.stop().await.unwrap().success());
    assert_eq!(get_json(&format!("{}/api/v1/checks", gateway.url)).await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_gateway_asks_for_a_password_and_its_refusal_is_told() {
    let node = Node::new();
    node.write("output", "secret");
    node.write("web.yml", &format!("basic_auth_users: {{node: {HASH}}}\n"));
    let web = format!("--web.config.file={}", node.file("web.yml").display());
    let mut gateway = node.gateway("gateway", &[&web]);
    gateway.start();
    let config = |password: &str| {
        let file = node.file("push.yml");
        let auth = format!("basic_auth: {{username: node, password: {password}}}");
        std::fs::write(&file, format!("gateways:\n- url: {}\n  {auth}\n", gateway.url)).unwrap();
        [format!("--push.config.file={}", file.display()), "--push.interval=50ms".to_owned()]
    };
    let mut agent = node.agent(&config("wrong"));
    let told = until("the refusal in the log", PATIENCE, || async {
        let log = std::fs::read_to_string(node.file("agent.log"))?;
        let line = log.lines().find(|line| line.contains("Could not push to"));
        line.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("{log}"))
    });
    let told: Value = serde_json::from_str(&told.await.unwrap()).unwrap();
    assert_eq!((&told["level"], &told["gateway"]), (&json!("warn"), &json!(gateway.url)));
    assert_eq!(told["error"], "answered 401 Unauthorized Unauthorized");
    agent.signal(Signal::SIGKILL).unwrap();
    agent.wait().await.unwrap();
    let _agent = node.agent(&config("secret"));
    node.metric("pushgateway_agent_results_pushed_total", &gateway, |count| count >= 2.0).await;
}

#[tokio::test]
async fn a_plain_pushgateway_gets_the_metrics() {
    let node = Node::new();
    node.write("output", "not for a Pushgateway");
    let url = format!("http://{}", free());
    let mut command = Command::new(tool("pushgateway"));
    command.arg(format!("--web.listen-address={}", url.trim_start_matches("http://"))).arg("--persistence.file=");
    let _gateway = Process::start("pushgateway", command, &node.file("pushgateway.log")).unwrap();
    let metrics = format!("{url}/metrics");
    until("the Pushgateway", PATIENCE, || get_text(&metrics)).await.unwrap();
    let flags = [format!("--push.gateway={url}"), "--push.metrics-only".to_owned(), "--push.on-stop=delete".to_owned()];
    let mut agent = node.agent(&flags);
    let shown = until("the metrics", PATIENCE, || async {
        let page = get_text(&metrics).await?;
        let labels = |check| format!("{{check=\"{check}\",instance=\"web-1\",job=\"checkscript-push\"}}");
        for (name, check, value) in [("status", "disk", 2), ("status", "load", 2), ("interval_seconds", "disk", 1)] {
            let line = format!("checkscript_{name}{} {value}\n", labels(check));
            anyhow::ensure!(page.contains(&line), "{line} in {page}");
        }
        Ok(())
    });
    shown.await.unwrap();
    assert!(agent.stop().await.unwrap().success());
    let page = get_text(&metrics).await.unwrap();
    assert!(!page.contains("web-1"), "{page}");
}

#[tokio::test]
async fn the_output_of_a_pushed_check_is_in_the_mail() {
    let (stack, data) = stack().await;
    let node = Node::new();
    let mut gateway = node.gateway("gateway", &[]);
    gateway.start();
    let config = |name: &str| data.path().join("config").join(name);
    let edit = |name: &str, edit: &dyn Fn(String) -> String| {
        let text = std::fs::read_to_string(config(name)).unwrap();
        std::fs::write(config(name), edit(text)).unwrap();
    };
    let target = gateway.url.trim_start_matches("http://");
    let job = format!("  - {{job_name: push, honor_labels: true, static_configs: [{{targets: [\"{target}\"]}}]}}\n");
    edit("prometheus.yml", &|text| text + job.as_str());
    edit("proxy.yml", &|text| text.replace("sources:\n", &format!("sources:\n  - pushgateway: {}\n", gateway.url)));
    stack.signal(Part::Proxy, Signal::SIGHUP).unwrap();
    stack.signal(Part::Prometheus, Signal::SIGHUP).unwrap();

    node.write("output", "PUSHED CRITICAL: <full>\nand a second line\n");
    let _agent = node.agent(&[gateway.flag(), "--push.interval=50ms".to_owned()]);
    let mail = mail(&stack, "ALERT - web-1/disk", "PUSHED CRITICAL: <full>\nand a second line\n").await;
    assert_eq!(mail.subject, "ALERT - web-1/disk: CRITICAL");
    let query = "query?query=checkscript_status%7Bjob%3D%22checkscript-push%22%7D";
    let answer = get_json(&format!("{}/api/v1/{query}", stack.url(Part::Prometheus))).await.unwrap();
    let labels = |series: &Value| (series["metric"]["instance"].clone(), series["metric"]["check"].clone());
    let mut found: Vec<_> = answer["data"]["result"].as_array().unwrap().iter().map(labels).collect();
    found.sort_by_key(|(_, check)| check.to_string());
    assert_eq!(found, [(json!("web-1"), json!("disk")), (json!("web-1"), json!("load"))]);
}
