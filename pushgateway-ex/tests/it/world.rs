//! A gateway in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use check_result::{CheckResult, HistoryLimits};
use clap::Parser as _;
use jiff::Timestamp;
use pushgateway_ex::App;
use pushgateway_ex::flags::Flags;
use pushgateway_ex::groups::{Groups, Limits, Results, Term};
use pushgateway_ex::labels::Labels;
use reqwest::{Client, Response};
use serde_json::json;
use service::http::{ClientOptions, fleet_client, read_limited};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) base: String,
    client: Client,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

pub(crate) fn app(flags: &[&str]) -> anyhow::Result<App> {
    let own = ["pushgateway-ex", "--web.listen-address=127.0.0.1:0"];
    let flags = Flags::try_parse_from(own.iter().chain(flags))?;
    App::new(service::BuildInfo { name: "pushgateway", ..service::build_info!() }, &flags)
}

pub(crate) fn client() -> Client {
    fleet_client(&ClientOptions::new(service::build_info!())).unwrap()
}

impl Gateway {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let app = app(flags).unwrap();
        let base = format!("http://{}", app.addresses()[0]);
        let stop = CancellationToken::new();
        let running = tokio::spawn(app.run(stop.clone()));
        Self { base, client: client(), stop, running }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let url = format!("{}{path}", self.base);
        answer(self.client.request(method, url).body(body).send().await.unwrap()).await
    }

    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: &'static str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let request = self.client.request(method, format!("{}{path}", self.base)).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request.send().await.unwrap()).await
    }

    /// Those of the answer.
    pub(crate) async fn headers(&self, path: &str) -> HeaderMap {
        self.client.get(format!("{}{path}", self.base)).send().await.unwrap().headers().clone()
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        self.send(Method::PUT, path, body).await
    }

    /// Puts what is compressed already.
    pub(crate) async fn push_packed(&self, path: &str, gzip: Vec<u8>) -> (u16, String) {
        let request = self.client.put(format!("{}{path}", self.base)).header("Content-Encoding", "gzip").body(gzip);
        answer(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        self.send(Method::GET, path, "").await.1
    }

    pub(crate) async fn accepting(&self, accept: &str) -> Vec<u8> {
        let url = format!("{}/metrics", self.base);
        let response = self.client.get(url).header("Accept", accept).send().await.unwrap();
        read_limited(response, 64 << 20).await.unwrap().to_vec()
    }

    /// The scrape's lines that are not the gateway's own.
    pub(crate) async fn pushed(&self) -> Vec<String> {
        let page = self.get("/metrics").await;
        let lines = page.lines().filter(|line| line.contains("job=") && !line.starts_with("push_"));
        lines.map(str::to_owned).collect()
    }

    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        self.ended().await;
    }

    pub(crate) async fn ended(self) {
        self.running.await.unwrap().unwrap();
    }
}

pub(crate) async fn answer(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = read_limited(response, 64 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Asks again until it is so, for which only time has to pass.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asking).await.unwrap();
}

/// Groups of these jobs and checks as an older gateway may have taken them: each check `many` has more values than are taken now.
pub(crate) fn older_groups(jobs: &[(&str, &[&str])]) -> Groups {
    let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 9, series: 999 });
    for (job, names) in jobs {
        let labels = Labels::new([("job".to_owned(), (*job).to_owned())]);
        let result = |name: &&str| {
            let lists = if *name == "many" { vec![json!([0]); 20_000] } else { Vec::new() };
            let check = json!({"name": name, "output": "", "status": 0, "x": lists});
            CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap()
        };
        let term = Term { at: Timestamp::UNIX_EPOCH, expires: None, own: false };
        let pushed = Results { labels, results: names.iter().map(result).collect(), replace: true, term };
        groups.results(pushed, &HistoryLimits::default()).unwrap();
    }
    groups
}
