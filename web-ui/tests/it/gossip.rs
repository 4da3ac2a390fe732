//! Alertmanagers that gossip, and a Prometheus, for faults that the real ones cannot show when a test wants them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

/// What all members know.
#[derive(Debug, Default)]
struct Known {
    alerts: Vec<Value>,
    silences: Vec<Value>,
    made: usize,
}

/// How a member behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Good,
    /// It answers nothing but 503.
    Down,
    /// It does what it is told, and answers 500.
    SaysNothing,
    /// It says what there is, and takes no change: 503.
    TakesNothing,
    /// It waits with every silence until it is let go.
    Holds,
    /// It refuses every silence.
    Refuses,
    /// It has not heard of any silence.
    Deaf,
}

/// Members of a cluster and its Prometheus, which is at the address of each.
pub(crate) struct Gossip {
    known: Arc<Mutex<Known>>,
    pub(crate) members: Vec<Member>,
}

#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) address: SocketAddr,
    known: Arc<Mutex<Known>>,
    mode: Arc<Mutex<(Mode, &'static str)>>,
    /// How often Prometheus has been asked whether an alert fires, and Alertmanager what does.
    asked: Arc<watch::Sender<(usize, usize)>>,
    prometheus: Arc<Mutex<Prometheus>>,
    /// How often it has been told to make, change or end a silence.
    told: Arc<watch::Sender<usize>>,
    held: Arc<Notify>,
}

/// What Prometheus says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prometheus {
    pub(crate) is_down: bool,
    pub(crate) fires: bool,
    pub(crate) node_is_down: bool,
    pub(crate) series_is_gone: bool,
}

impl Gossip {
    pub(crate) async fn start(count: usize) -> Self {
        let known = Arc::<Mutex<Known>>::default();
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(Member::start(Arc::clone(&known)).await);
        }
        Self { known, members }
    }

    /// The cluster's configuration.
    pub(crate) fn config(&self, name: &str) -> String {
        let urls: Vec<_> =
            self.members.iter().map(|member| format!("{{url: \"http://{}\"}}", member.address)).collect();
        format!("- {{name: {name}, prometheus: [{}], alertmanagers: [{}]}}\n", urls[0], urls.join(", "))
    }

    pub(crate) fn fire(&self, alerts: &[(&str, &str)]) {
        self.known.lock().unwrap().alerts = alerts.iter().map(|(instance, check)| alert(instance, check)).collect();
    }

    pub(crate) fn silences(&self) -> Vec<Value> {
        self.known.lock().unwrap().silences.clone()
    }

    /// How many silences were made or changed.
    pub(crate) fn made(&self) -> usize {
        self.known.lock().unwrap().made
    }

    pub(crate) fn has_active(&self) -> bool {
        self.silences().iter().any(|silence| silence["status"]["state"] == "active")
    }

    /// Changes a silence as somebody else would.
    pub(crate) fn change(&self, change: impl Fn(&mut Value)) {
        for silence in &mut self.known.lock().unwrap().silences {
            change(silence);
            silence["updatedAt"] = json!(Timestamp::now());
        }
    }
}

impl Member {
    async fn start(known: Arc<Mutex<Known>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let member = Self {
            address,
            known,
            mode: Arc::new(Mutex::new((Mode::Good, "0.25.0"))),
            asked: Arc::default(),
            prometheus: Arc::default(),
            told: Arc::default(),
            held: Arc::default(),
        };
        let router = Router::new()
            .route("/api/v1/query", get(query))
            .route("/api/v2/alerts", get(alerts))
            .route("/api/v2/silences", get(silences).post(post))
            .route("/api/v2/silence/{id}", get(silence).delete(expire))
            .route("/api/v2/status", get(status))
            .with_state(member.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        member
    }

    pub(crate) fn be(&self, mode: Mode) {
        self.mode.lock().unwrap().0 = mode;
    }

    pub(crate) fn version(&self, version: &'static str) {
        self.mode.lock().unwrap().1 = version;
    }

    pub(crate) fn prometheus(&self, prometheus: Prometheus) {
        *self.prometheus.lock().unwrap() = prometheus;
    }

    /// Waits until it has been asked for alerts so many times more.
    pub(crate) async fn is_asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let before = asked.borrow().1;
        asked.wait_for(|asked| asked.1 >= before + times).await.unwrap();
    }

    /// Waits until Prometheus has been asked so many times more whether the alert fires.
    pub(crate) async fn is_doubted(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let before = asked.borrow().0;
        asked.wait_for(|asked| asked.0 >= before + times).await.unwrap();
    }

    /// How often it has been told to change anything.
    pub(crate) fn told(&self) -> usize {
        *self.told.borrow()
    }

    /// Waits until it has been told to change anything.
    pub(crate) async fn is_told(&self) {
        self.told.subscribe().wait_for(|told| *told > 0).await.unwrap();
    }

    /// It holds nothing any more.
    pub(crate) fn let_go(&self) {
        self.be(Mode::Good);
        self.held.notify_one();
    }

    fn mode(&self) -> Mode {
        self.mode.lock().unwrap().0
    }

    fn silences(&self) -> Vec<Value> {
        if self.mode() == Mode::Deaf { Vec::new() } else { self.known.lock().unwrap().silences.clone() }
    }
}

fn down() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "\"away\"").into_response()
}

fn alert(instance: &str, check: &str) -> Value {
    json!({
        "fingerprint": format!("{instance}-{check}"),
        "labels": {"alertname": "CheckCritical", "job": "checkscript", "instance": instance, "check": check, "severity": "critical"},
        "annotations": {"output": format!("{check} failed")}, "startsAt": "2026-11-21T01:00:00Z",
        "updatedAt": "2026-11-21T01:01:00Z", "status": {"silencedBy": [], "inhibitedBy": []},
    })
}

async fn alerts(State(member): State<Member>) -> Response {
    member.asked.send_modify(|asked| asked.1 += 1);
    if member.mode() == Mode::Down {
        return down();
    }
    let mut alerts = member.known.lock().unwrap().alerts.clone();
    for alert in &mut alerts {
        let is_matched = |silence: &&Value| {
            let mut matchers = silence["matchers"].as_array().unwrap().iter();
            silence["status"]["state"] == "active"
                && matchers.all(|matcher| alert["labels"][matcher["name"].as_str().unwrap()] == matcher["value"])
        };
        let by: Vec<_> = member.silences().iter().filter(is_matched).map(|silence| silence["id"].clone()).collect();
        alert["status"]["silencedBy"] = by.into();
    }
    Json(alerts).into_response()
}

async fn silences(State(member): State<Member>) -> Response {
    if member.mode() == Mode::Down { down() } else { Json(member.silences()).into_response() }
}

async fn silence(State(member): State<Member>, Path(id): Path<String>) -> Response {
    match member.silences().into_iter().find(|silence| silence["id"] == id) {
        _ if member.mode() == Mode::Down => down(),
        Some(silence) => Json(silence).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn post(State(member): State<Member>, Json(mut body): Json<Value>) -> Response {
    member.told.send_modify(|told| *told += 1);
    match member.mode() {
        Mode::Down | Mode::TakesNothing => return down(),
        Mode::Holds => member.held.notified().await,
        Mode::Refuses => return (StatusCode::BAD_REQUEST, "\"silence invalid: no\"").into_response(),
        Mode::Good | Mode::SaysNothing | Mode::Deaf => {}
    }
    let mut known = member.known.lock().unwrap();
    known.made += 1;
    // Other matchers make another silence, and end this one.
    let stays = |silence: &&Value| silence["id"] == body["id"] && silence["matchers"] == body["matchers"];
    let id = match known.silences.iter().find(stays) {
        Some(silence) => silence["id"].as_str().unwrap().to_owned(),
        None => format!("s{}", known.made),
    };
    for silence in known.silences.iter_mut().filter(|silence| silence["id"] == body["id"]) {
        silence["status"] = json!({"state": "expired"});
        silence["updatedAt"] = json!(Timestamp::now());
    }
    let begins: Timestamp = body["startsAt"].as_str().unwrap().parse().unwrap();
    let state = if begins > Timestamp::now() + SignedDuration::from_secs(1) { "pending" } else { "active" };
    body["id"] = json!(id);
    body["status"] = json!({"state": state});
    body["updatedAt"] = json!(Timestamp::now());
    known.silences.retain(|silence| silence["id"] != id);
    known.silences.push(body);
    match member.mode() {
        Mode::SaysNothing => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => Json(json!({"silenceID": id})).into_response(),
    }
}

async fn expire(State(member): State<Member>, Path(id): Path<String>) -> Response {
    member.told.send_modify(|told| *told += 1);
    if matches!(member.mode(), Mode::Down | Mode::TakesNothing) {
        return down();
    }
    let mut known = member.known.lock().unwrap();
    for silence in known.silences.iter_mut().filter(|silence| silence["id"] == id) {
        silence["status"] = json!({"state": "expired"});
        silence["updatedAt"] = json!(Timestamp::now());
    }
    match member.mode() {
        Mode::SaysNothing => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => StatusCode::OK.into_response(),
    }
}

/// One without a version does not answer.
async fn status(State(member): State<Member>) -> Response {
    let version = member.mode.lock().unwrap().1;
    if version.is_empty() {
        return down();
    }
    Json(json!({"versionInfo": {"version": version}})).into_response()
}

async fn query(State(member): State<Member>, Query(asked): Query<Vec<(String, String)>>) -> Response {
    let expression = asked.into_iter().find(|(name, _)| name == "query").unwrap().1;
    let prometheus = *member.prometheus.lock().unwrap();
    let one = |is_there: bool| {
        if is_there {
            vec![json!({"metric": {"job": "checkscript", "instance": "web-1", "check": "disk"}, "value": [1, "1"]})]
        } else {
            Vec::new()
        }
    };
    let result = if expression.starts_with("ALERTS{") {
        member.asked.send_modify(|asked| asked.0 += 1);
        one(prometheus.fires)
    } else if expression.starts_with("up{") && expression.ends_with("} == 0") {
        one(prometheus.node_is_down)
    } else if expression.starts_with("count by (job, instance, check)") {
        one(!prometheus.series_is_gone)
    } else {
        Vec::new()
    };
    if prometheus.is_down {
        return down();
    }
    Json(json!({"status": "success", "data": {"resultType": "vector", "result": result}})).into_response()
}
