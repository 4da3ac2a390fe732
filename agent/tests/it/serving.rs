//! Scrapes and the detail API while the log grows and rotates.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use checkscript_agent::App;
use checkscript_agent::flags::Flags;
use clap::Parser as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use service::http::{ClientOptions, fleet_client};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A log and an agent that follows it.
pub(crate) struct Agent {
    folder: TempDir,
    pub(crate) base: String,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Agent {
    pub(crate) async fn on(folder: TempDir, more: &[&str]) -> Self {
        let log = folder.path().join("log");
        let log = log.to_str().unwrap();
        let own = ["checkscript-agent", "--check.log", log, "--web.listen-address=127.0.0.1:0"];
        let flags = Flags::try_parse_from(own.iter().chain(more)).unwrap();
        let app = App::new(service::build_info!(), &flags).unwrap();
        let base = format!("http://{}", app.addresses()[0]);
        let stop = CancellationToken::new();
        let running = tokio::spawn(app.run(stop.clone()));
        Self { folder, base, stop, running }
    }

    pub(crate) async fn get(&self, path: &str, accept: &str) -> (StatusCode, String) {
        // The first answer comes when the log is read, which takes as long as a busy machine lets it.
        let options = ClientOptions { timeout: Duration::from_secs(60), ..ClientOptions::new(service::build_info!()) };
        let client = fleet_client(&options).unwrap();
        let response = client.get(format!("{}{path}", self.base)).header("Accept", accept).send().await.unwrap();
        let status = response.status();
        let body = service::http::read_limited(response, 8 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path, "*/*").await.1).unwrap()
    }

    /// Waits until the check `name` has been seen `occurrences` times in a row.
    async fn seen(&self, name: &str, occurrences: u64) -> Value {
        let asking = async {
            loop {
                let detail = self.json(&format!("/api/v1/checks/{name}")).await;
                if detail["occurrences"] == occurrences {
                    return detail;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), asking).await.unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn stopped(self) -> TempDir {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        self.folder
    }
}

fn append(path: &std::path::Path, lines: &[String]) {
    let mut log = OpenOptions::new().append(true).create(true).open(path).unwrap();
    log.write_all(lines.concat().as_bytes()).unwrap();
}

pub(crate) fn result(name: &str, status: i64, output: &str) -> String {
    let check = json!({"command": "check.sh", "interval": 60, "handlers": ["mailer"], "name": name,
        "issued": 1_795_228_248, "executed": 1_795_228_248, "duration": 0.004, "output": output, "status": status});
    let payload = json!({"client": "web-1", "check": check});
    let event = json!({"timestamp": "2026-11-21T02:30:48.072590+0000", "level": "info",
        "message": "publishing check result", "payload": payload});
    format!("{event}\n")
}

pub(crate) fn folder_with(lines: &[String]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("log"), lines);
    folder
}

#[tokio::test]
async fn the_first_scrape_shows_the_last_state_in_the_asked_format() {
    let lines =
        [result("disk", 0, "OK"), "not json\n".to_owned(), result("disk", 2, "a | b=1%"), result("disk", 2, "x")];
    let agent = Agent::on(folder_with(&lines), &[]).await;
    let (_, text) = agent.get("/metrics", "text/plain;version=0.0.4").await;
    assert!(text.contains("\ncheckscript_agent_last_look_timestamp_seconds 1"), "{text}");
    for line in [
        "# TYPE checkscript_status gauge",
        r#"checkscript_status{check="disk"} 2"#,
        r#"checkscript_occurrences{check="disk"} 2"#,
        r#"checkscript_info{check="disk",handlers=",mailer,"} 1"#,
        "# TYPE checkscript_agent_log_lines_total counter",
        r#"checkscript_agent_log_lines_total{kind="result"} 3"#,
        r#"checkscript_agent_log_lines_total{kind="invalid"} 1"#,
        "checkscript_agent_checks 1",
    ] {
        assert!(text.lines().any(|got| got == line), "{line}\n{text}");
    }
    let (_, open_metrics) = agent.get("/metrics", "application/openmetrics-text;version=1.0.0").await;
    assert!(open_metrics.ends_with("# EOF\n") && open_metrics.contains("# TYPE checkscript_agent_log_lines counter"));
    agent.stopped().await;
}

#[tokio::test]
async fn a_result_is_counted_once_through_rotations_and_a_restart() {
    let agent = Agent::on(tempfile::tempdir().unwrap(), &[]).await;
    assert_eq!(agent.get("/api/v1/checks/disk", "*/*").await.0, StatusCode::NOT_FOUND);
    append(&agent.path("log"), &[result("disk", 1, "one"), result("disk", 1, "two")]);
    agent.seen("disk", 2).await;
    fs::rename(agent.path("log"), agent.path("log.1")).unwrap();
    append(&agent.path("log.1"), &[result("disk", 1, "three")]);
    append(&agent.path("log"), &[result("disk", 1, "four")]);
    let detail = agent.seen("disk", 4).await;
    assert_eq!(detail["check"]["output"], "four");

    let agent = Agent::on(agent.stopped().await, &[]).await;
    agent.seen("disk", 4).await;
    append(&agent.path("log"), &[result("disk", 1, "five")]);
    agent.seen("disk", 5).await;
    agent.stopped().await;
}

#[tokio::test]
async fn one_huge_output_neither_fills_the_memory_nor_hides_the_next_result() {
    let huge = "x".repeat(3 << 20);
    let agent = Agent::on(folder_with(&[result("big", 2, &huge), result("small", 0, "OK")]), &[]).await;
    let (_, output) = agent.get("/api/v1/checks/big", "text/plain").await;
    assert!(output.len() < (1 << 20) + 100 && output.ends_with("[output cut: 1048576 of 3145728 bytes kept]\n"));
    assert_eq!(agent.get("/api/v1/checks/small", "text/plain").await.1, "OK");
    agent.stopped().await;
}

#[tokio::test]
async fn every_page_and_nothing_else() {
    let agent = Agent::on(folder_with(&[result("disk", 0, "OK | used=41% v=1.2.3")]), &["--check.perfdata"]).await;
    for (path, status) in [
        ("/", StatusCode::OK),
        ("/-/healthy", StatusCode::OK),
        ("/-/ready", StatusCode::OK),
        ("/api/v1/checks", StatusCode::OK),
        ("/api/v1/checks/disk/history", StatusCode::OK),
        ("/api/v1/checks/..%2f..%2fetc%2fpasswd", StatusCode::NOT_FOUND),
        ("/nothing", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(agent.get(path, "*/*").await.0, status, "{path}");
    }
    let (_, text) = agent.get("/metrics", "").await;
    assert!(text.contains(r#"checkscript_perfdata{check="disk",label="used",unit="ratio"} 0.41"#), "{text}");
    assert!(text.contains(r#"checkscript_perfdata_skipped{check="disk"} 1"#), "{text}");
    agent.stopped().await;
}

#[tokio::test]
async fn stopped_while_it_reads_the_logs_it_does_not_become_ready() {
    let folder = folder_with(&[result("disk", 0, "OK")]);
    let [log, state, said] = ["log", "state", "said"].map(|name| folder.path().join(name));
    let subscriber = tracing_subscriber::fmt().with_writer(Arc::new(fs::File::create(&said).unwrap())).finish();
    let _said = tracing::subscriber::set_default(subscriber);
    let flags = [format!("--check.log={}", log.display()), format!("--state.file={}", state.display())];
    let own = ["checkscript-agent", "--web.listen-address=127.0.0.1:0"].map(str::to_owned);
    let flags = Flags::try_parse_from(own.iter().chain(&flags)).unwrap();
    let app = App::new(service::build_info!(), &flags).unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    app.run(stop).await.unwrap();
    assert!(state.exists(), "what was read is saved");
    let said = fs::read_to_string(&said).unwrap();
    assert!(said.contains("the state comes from the logs") && !said.contains("Ready"), "{said}");
}

#[tokio::test]
async fn a_parameter_that_there_is_not_is_refused() {
    let agent = Agent::on(folder_with(&[result("disk", 0, "OK")]), &[]).await;
    for folder in ["/api/v1/checks", "/api/v1/checks/disk", "/api/v1/checks/disk/history", "/", "/checks/disk"] {
        assert_eq!(agent.get(&format!("{folder}?status=ok&source="), "*/*").await.0, StatusCode::OK, "{folder}");
        let (status, said) = agent.get(&format!("{folder}?statsu=ok"), "*/*").await;
        assert!(status == StatusCode::BAD_REQUEST && said.contains("statsu"), "{folder}: {status} {said}");
    }
    agent.stopped().await;
}

#[tokio::test]
async fn a_state_file_that_cannot_be_written_is_tried_again_though_the_log_is_quiet() {
    let folder = folder_with(&[result("disk", 0, "OK")]);
    let (state, in_the_way) = (folder.path().join("state"), folder.path().join("state.new"));
    fs::create_dir(&in_the_way).unwrap();
    let flag = format!("--state.file={}", state.display());
    let agent = Agent::on(folder, &[&flag, "--state.interval=5ms"]).await;
    let failures = async {
        loop {
            let (_, metrics) = agent.get("/metrics", "").await;
            let name = "checkscript_agent_state_write_failures_total ";
            let count = metrics.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if count.is_some_and(|count| count.parse::<u64>().unwrap() > 1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        fs::remove_dir(&in_the_way).unwrap();
        while !state.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), failures).await.unwrap();
    agent.stopped().await;
}
