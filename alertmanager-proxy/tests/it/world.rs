//! A running proxy and what stands around it.

use std::net::SocketAddr;
use std::time::Duration;

use alertmanager_proxy::{Flags, Program};
use axum::Router;
use clap::Parser as _;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use service::http::{ClientOptions, read_limited, upstream_client};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take that happens at once on a quiet machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy on a port of its own.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) stop: CancellationToken,
    directory: TempDir,
    program: JoinHandle<anyhow::Result<()>>,
}

impl Proxy {
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with_web_config(config, "")
    }

    pub(crate) fn start_with_web_config(config: &str, web: &str) -> Self {
        Self::start_with(config, web, "--web.shutdown-timeout=10s")
    }

    pub(crate) fn start_with(config: &str, web: &str, more: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let web_file = directory.path().join("web.yml");
        std::fs::write(&web_file, web).unwrap();
        let file = directory.path().join("proxy.yml");
        std::fs::write(&file, config).unwrap();
        let flag = format!("--config.file={}", file.display());
        let web_flag = format!("--web.config.file={}", web_file.display());
        let flags = ["alertmanager-proxy", &flag, &web_flag, "--web.listen-address=127.0.0.1:0", more];
        let flags = Flags::parse_from(flags);
        let program = Program::start(service::build_info!(), &flags).unwrap();
        let (address, stop) = (program.addresses()[0], CancellationToken::new());
        let program = tokio::spawn(program.run(stop.clone()));
        Self { address, client: client(), stop, directory, program }
    }

    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.directory.path().join("proxy.yml"), config).unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Posts alerts as Prometheus does.
    pub(crate) async fn post(&self, alerts: &Value) -> StatusCode {
        let request = self.client.post(self.url("/api/v2/alerts")).json(alerts);
        request.send().await.unwrap().status()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        read(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    /// The value of one series of `/metrics`.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics").await;
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    /// Waits until the series has that value.
    pub(crate) async fn until_metric(&self, series: &str, value: f64) {
        let reached = async { while self.metric(series).await != Some(value) {} };
        tokio::time::timeout(PATIENCE, reached).await.expect("the metric gets there");
    }

    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.program).await.expect("the proxy stops").unwrap().unwrap();
    }
}

/// A config with one source, for nodes on loopback.
pub(crate) fn config(alertmanagers: &[SocketAddr], more: &str) -> String {
    let urls: Vec<_> = alertmanagers.iter().map(|address| json!({"url": format!("http://{address}")})).collect();
    format!(
        r#"alertmanagers: {}
sources:
  - match: {{check: ".+"}}
    url: "http://{{{{ labels.instance }}}}/api/v1/checks/{{{{ labels.check }}}}"
    allow: ["127.0.0.0/8"]
{more}
"#,
        Value::from(urls)
    )
}

/// An alert of a check, as a rule makes it.
pub(crate) fn alert(check: &str, instance: SocketAddr) -> Value {
    json!({
        "labels": {"alertname": "CheckCritical", "check": check, "instance": instance.to_string()},
        "annotations": {"summary": "a check failed"}, "generatorURL": "http://prometheus/graph",
        "startsAt": ago(60), "endsAt": ago(-240)
    })
}

/// The same, resolved.
pub(crate) fn resolved(mut alert: Value) -> Value {
    alert["endsAt"] = json!(ago(0));
    alert
}

/// The time so many seconds ago.
pub(crate) fn ago(seconds: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds)).to_string()
}

pub(crate) fn client() -> Client {
    upstream_client(&ClientOptions::new(service::build_info!())).unwrap()
}

pub(crate) async fn read(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = read_limited(response, 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Serves `router` until the test ends.
#[expect(clippy::disallowed_methods, reason = "a fake on loopback needs no time limits")]
pub(crate) async fn serve(router: Router, address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A port where nobody listens.
pub(crate) async fn closed_port() -> SocketAddr {
    TcpListener::bind(any_port()).await.unwrap().local_addr().unwrap()
}
