//! The detail API over a real socket: router on one side, client and raw requests on the other.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use check_result::api::{
    Checks, Detail, Entry, FetchError, Filter, History, Labels, Summary, Unavailable, answer, router,
};
use check_result::log::LoggedResult;
use check_result::{CheckResult, CheckState, HistoryLimits, Object, Status};
use reqwest::{Client, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A store in memory. A filter for the check `down` finds it unavailable.
pub(crate) struct Store(pub(crate) Vec<Entry>);

impl Checks for Store {
    async fn find(&self, filter: &Filter) -> Result<Vec<Entry>, Unavailable> {
        if filter.labels.get("check").is_some_and(|check| check == "down") {
            return Err(Unavailable("the store is away".into()));
        }
        Ok(self.0.iter().filter(|entry| filter.matches(&entry.labels, entry.state.status())).cloned().collect())
    }
}

pub(crate) fn object(value: Value) -> Object {
    value.as_object().unwrap().clone()
}

pub(crate) fn entry(name: &str, source: Option<&str>, results: &[(i64, &str)]) -> Entry {
    let logged = |(at, &(status, output)): (i64, &(i64, &str))| {
        let mut check =
            json!({"name": name, "executed": 100 + at, "duration": 0.5, "output": output, "status": status});
        if let Some(source) = source {
            check["source"] = json!(source);
        }
        let result = CheckResult::new("web-1", object(check)).unwrap();
        LoggedResult { logged: format!("2026-11-21T02:30:{at:02}Z").parse().unwrap(), result }
    };
    let mut results = (0..).zip(results).map(logged);
    let mut state = CheckState::new(results.next().unwrap(), &HistoryLimits::default());
    results.for_each(|result| state.apply(result, &HistoryLimits::default()));
    let mut labels = Labels::from([("check".to_owned(), name.to_owned())]);
    labels.extend(source.map(|source| ("source".to_owned(), source.to_owned())));
    let client_attributes = Some(Arc::new(object(json!({"address": "10.0.0.1"}))));
    Entry { labels, state: Arc::new(state), client_attributes, expiry: None }
}

pub(crate) struct Server {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Server {
    pub(crate) async fn start(app: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let guard = stop.clone().drop_guard();
        #[expect(clippy::disallowed_methods, reason = "the router is under test here, not how it is served")]
        let serve = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
        tokio::spawn(serve.into_future());
        Self { address, _stop: guard }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(crate) async fn get(&self, path: &str, accept: &str) -> (StatusCode, String) {
        let request = client().get(self.url(path)).header("Accept", accept);
        let response = request.send().await.unwrap();
        let status = response.status();
        let body = service::http::read_limited(response, 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn json(&self, path: &str) -> (StatusCode, Value) {
        let (status, body) = self.get(path, "*/*").await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

pub(crate) async fn server() -> Server {
    let checks = vec![
        entry("disk", None, &[(0, "DISK OK\n"), (2, "DISK CRITICAL: / 99%\nmore\n"), (2, "DISK CRITICAL: / 100%\n")]),
        entry("ping", None, &[(0, "PING OK\n")]),
        entry("ping", Some("router-a"), &[(1, "PING WARNING\n")]),
        entry("snmp", Some("router-a"), &[(3, "")]),
        entry("bgp", Some("router-a"), &[(0, "")]),
        entry("bgp", Some("router-b"), &[(0, "")]),
    ];
    Server::start(router(Arc::new(Store(checks)))).await
}

pub(crate) fn client() -> Client {
    let info = service::build_info!();
    service::http::fleet_client(&service::http::ClientOptions::new(info)).unwrap()
}

/// What a client is told at `url`.
async fn fetch<T: DeserializeOwned>(url: Url) -> Result<T, FetchError> {
    let response = client().get(url).send().await.unwrap();
    let status = response.status();
    answer("host:1", status, &service::http::read_limited(response, 1 << 20).await.unwrap())
}

#[tokio::test]
async fn the_client_reads_what_the_router_serves() {
    let server = server().await;
    let detail: Detail = fetch(server.url("/api/v1/checks/disk")).await.unwrap();
    assert_eq!(detail.result.output(), "DISK CRITICAL: / 100%\n");
    assert_eq!((detail.status(), detail.occurrences, detail.status_changed), (Status::Critical, 2, 101));
    assert_eq!(detail.client_attributes["address"], "10.0.0.1");
    let proxied: Detail = fetch(server.url("/api/v1/checks/ping?source=router-a")).await.unwrap();
    assert_eq!(proxied.result.source(), Some("router-a"));
    let failing: Vec<Summary> = fetch(server.url("/api/v1/checks?status=critical")).await.unwrap();
    assert_eq!((failing.len(), failing[0].exit_code), (1, 2));
    let history: History = fetch(server.url("/api/v1/checks/disk/history?limit=2")).await.unwrap();
    assert_eq!(history.history.iter().map(|entry| entry.changed).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn lists_filters_and_text() {
    let server = server().await;
    let (status, list) = server.json("/api/v1/checks?status=critical,warning").await;
    assert_eq!(status, StatusCode::OK);
    let first = json!({"labels": {"check": "disk"}, "status": "CRITICAL", "exit_code": 2, "output": "DISK CRITICAL: / 100%",
        "occurrences": 2, "status_changed": 101, "executed": 102});
    assert_eq!((list.as_array().unwrap().len(), &list[0]), (2, &first));
    let (_, first) = server.json("/api/v1/checks?status=critical,warning&limit=1").await;
    assert_eq!(first, json!([list[0]]));
    let (_, table) = server.get("/api/v1/checks?source=router-a", "text/plain").await;
    assert_eq!(table, "WARNING   router-a/ping  PING WARNING\nUNKNOWN   router-a/snmp\nOK        router-a/bgp\n");
    assert_eq!(server.get("/api/v1/checks/disk", "text/plain").await.1, "DISK CRITICAL: / 100%\n");
}

#[tokio::test]
async fn a_name_alone_means_the_clients_own_check() {
    let server = server().await;
    for (path, status) in [
        ("/api/v1/checks/ping", StatusCode::OK),
        ("/api/v1/checks/snmp", StatusCode::OK),
        ("/api/v1/checks/bgp", StatusCode::CONFLICT),
        ("/api/v1/checks/none", StatusCode::NOT_FOUND),
        ("/api/v1/checks/ping?source=router-z", StatusCode::NOT_FOUND),
        ("/api/v1/checks/down", StatusCode::SERVICE_UNAVAILABLE),
        ("/api/v1/checks?status=bad", StatusCode::BAD_REQUEST),
        ("/api/v1/checks?statsu=ok", StatusCode::OK),
        ("/api/v1/checks/disk?limit=1", StatusCode::BAD_REQUEST),
        ("/api/v1/checks/disk/history?limit=x", StatusCode::BAD_REQUEST),
    ] {
        let (got, body) = server.json(path).await;
        assert_eq!(got, status, "{path}");
        assert!(status == StatusCode::OK || body["error"].is_string(), "{path}: {body}");
    }
    let (_, body) = server.json("/api/v1/checks/ping").await;
    assert_eq!(body["check"]["output"], "PING OK\n");
    let (_, body) = server.json("/api/v1/checks/bgp").await;
    assert_eq!(body["labels"][1], json!({"check": "bgp", "source": "router-b"}));
}

#[tokio::test]
async fn history_is_newest_first_and_limited() {
    let server = server().await;
    let (_, body) = server.json("/api/v1/checks/disk/history").await;
    let outputs: Vec<_> = body["history"].as_array().unwrap().iter().map(|entry| &entry["output"]).collect();
    assert_eq!(outputs, ["DISK CRITICAL: / 100%\n", "DISK CRITICAL: / 99%\nmore\n", "DISK OK\n"]);
    let (_, body) = server.json("/api/v1/checks/disk/history?limit=1").await;
    assert_eq!(
        body["history"],
        json!([{"logged": "2026-11-21T02:30:02Z", "executed": 102, "duration": 0.5, "status": 2, "changed": false,
            "output": "DISK CRITICAL: / 100%\n"}])
    );
}

#[tokio::test]
async fn what_is_no_detail_is_said_in_words() {
    let long = "x".repeat(5_000);
    let (refused, wrong) = (json!({"error": long}).to_string(), json!({"check": long}).to_string());
    let page = Router::new()
        .route("/html", get(|| async { "<html>hello" }))
        .route("/wrong", get(|| async { wrong }))
        .route("/refused", get(|| async { (StatusCode::NOT_FOUND, refused) }))
        .route("/error", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "oh\u{1b}[31m no") }));
    let (checks, page) = (server().await, Server::start(page).await);
    for (url, kind, words) in [
        (checks.url("/api/v1/checks/none"), "not_found", "no result of a check with check=none is known here"),
        (checks.url("/api/v1/checks/bgp"), "ambiguous", "more than one such check: 2 checks match"),
        (page.url("/html"), "malformed", "something else than a check result: expected value"),
        (page.url("/wrong"), "malformed", "something else than a check result: invalid type: string \"xxx"),
        (page.url("/refused"), "not_found", "host:1 has no result of this check: xxx"),
        (page.url("/error"), "status", "answered 500 Internal Server Error: oh[31m no"),
    ] {
        let error: FetchError = fetch::<Detail>(url).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(words) && error.to_string().len() < 400, "{error}");
    }
}
