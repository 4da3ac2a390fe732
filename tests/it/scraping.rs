//! The real Prometheus scrapes an agent in both formats and reads the same from them, performance data included.
//!
//! Prometheus has no setting (before 2.49) for the format that it asks for. So a relay stands between it and the agent: one
//! that asks as Prometheus does, which gets OpenMetrics, and one that asks for the classic text.

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::get;
use e2e::{Part, Process, get_json, get_text, program, tool, until};
use serde_json::{Value, json};
use service::http::{ClientOptions, read_limited, upstream_client};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::PATIENCE;
use crate::transparency::promtool_finds_no_fault_in;

const CLASSIC: &str = "text/plain;version=0.0.4";

/// Awkward in every way that a format could get wrong.
const OUTPUT: &str =
    "DISK WARNING | '/va\"r\\'=91%;90;@10:95;0;100 time=12ms;;;0 'a b'=-1.5KB;~:5;;; load=1e-3 reads=7c\n";

/// A log with one result.
fn log() -> String {
    let check = json!({"name": "disk", "source": "ä\"\\\n", "interval": 60, "handlers": ["mail"], "issued": 1,
        "executed": 1, "duration": 0.25, "output": OUTPUT, "status": 1});
    let result = json!({"timestamp": "2026-01-01T00:00:00.000000+0000", "level": "info",
        "message": "publishing check result", "payload": {"client": "node", "check": check}});
    format!("{result}\n")
}

/// A configuration with a job for each of these addresses. YAML takes JSON.
fn config(targets: [(&str, String); 2]) -> String {
    let jobs = targets.map(|(name, address)| json!({"job_name": name, "static_configs": [{"targets": [address]}]}));
    json!({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}).to_string()
}

/// Where the page at `url` is to be had: as `accept` says or, without it, as who asks accepts. The answer must have a type
/// that begins with `format`.
async fn relay(url: String, accept: Option<&'static str>, format: &'static str) -> String {
    let page = async move |asked: HeaderMap| {
        let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
        let accept = accept.map_or_else(|| asked[ACCEPT].clone(), HeaderValue::from_static);
        let response = client.get(&url).header(ACCEPT, accept).send().await.unwrap();
        let answered = response.headers()[CONTENT_TYPE].clone();
        assert!(answered.to_str().unwrap().starts_with(format), "{answered:?}");
        ([(CONTENT_TYPE, answered)], read_limited(response, 1 << 20).await.unwrap())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    #[expect(clippy::disallowed_methods, reason = "a relay of one test")]
    tokio::spawn(axum::serve(listener, Router::new().route("/metrics", get(page))).into_future());
    address
}

fn start(name: &str, mut command: Command, folder: &Path) -> Process {
    command.current_dir(folder);
    Process::start(name, command, &folder.join(format!("{name}.out"))).unwrap()
}

/// What a process logs behind `text`.
async fn says(folder: &Path, name: &str, text: &str) -> String {
    until(name, PATIENCE, || async {
        let log = std::fs::read_to_string(folder.join(format!("{name}.out")))?;
        let said = log.split(text).nth(1).and_then(|rest| rest.split([' ', '\n', '"']).next());
        said.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("it has not said {text}: {log}"))
    })
    .await
    .unwrap()
}

/// The checks' series that Prometheus has of `job`, with their values.
async fn series(prometheus: &str, job: &str) -> anyhow::Result<BTreeMap<String, Value>> {
    // Without the agent's own, which change from scrape to scrape.
    let query = format!(r#"{{__name__=~"checkscript_.*",__name__!~"checkscript_agent_.*",job="{job}"}}"#);
    let answer = get_json(&format!("{prometheus}/api/v1/query?query={query}")).await?;
    let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    anyhow::ensure!(!found.is_empty(), "{job}: {answer}");
    let one = |series: Value| {
        let mut labels = series["metric"].as_object().unwrap().clone();
        labels.retain(|name, _| !matches!(name.as_str(), "job" | "instance"));
        (json!(labels).to_string(), series["value"][1].clone())
    };
    Ok(found.into_iter().map(one).collect())
}

#[tokio::test]
async fn prometheus_reads_the_same_from_both_formats() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path();
    let mut agent = Command::new(program(Part::Agent));
    agent.args(["--check.log=log", "--state.file=", "--check.perfdata", "--web.listen-address=127.0.0.1:0"]);
    std::fs::write(folder.join("log"), log()).unwrap();
    let _agent = start("agent", agent, folder);
    let address = says(folder, "agent", "address=").await;
    let url = format!("http://{address}/metrics");
    let open = relay(url.clone(), None, "application/openmetrics-text; version=1.0.0").await;
    let classic = relay(url.clone(), Some(CLASSIC), "text/plain; version=0.0.4").await;
    let targets = [("openmetrics", open), ("classic", classic)];
    std::fs::write(folder.join("prometheus.yml"), config(targets)).unwrap();
    let mut prometheus = Command::new(tool("prometheus"));
    prometheus.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"]);
    let _prometheus = start("prometheus", prometheus, folder);
    let prometheus = format!("http://{}", says(folder, "prometheus", "msg=\"Listening on\" address=").await);
    let (open, classic) = until("both jobs to be scraped", PATIENCE, || async {
        Ok((series(&prometheus, "openmetrics").await?, series(&prometheus, "classic").await?))
    })
    .await
    .unwrap();
    assert_eq!(open, classic);
    for name in ["status", "info", "perfdata", "perfdata_warning", "perfdata_critical", "perfdata_min", "perfdata_max"]
    {
        let name = format!("\"__name__\":\"checkscript_{name}\"");
        assert!(open.keys().any(|labels| labels.contains(&name)), "{name}: {open:#?}");
    }
    promtool_finds_no_fault_in("agent with performance data", &get_text(&url).await.unwrap());
}
