//! A Prometheus, an Alertmanager and a node in one server, which say what a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use check_result::api::{self, Checks, Entry, Filter, Unavailable};
use check_result::log::LoggedResult;
use check_result::{CheckResult, CheckState, HistoryLimits};
use futures_util::stream::{self, Stream, StreamExt as _};
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the servers say.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// Nodes: instance, and whether each is up.
    pub(crate) nodes: Vec<(String, bool)>,
    /// Checks: instance, name, exit status.
    pub(crate) checks: Vec<(String, String, i64)>,
    /// Alerts of Alertmanager's API.
    pub(crate) alerts: Vec<Value>,
    /// Silences of Alertmanager's API.
    pub(crate) silences: Vec<Value>,
    /// Whether Prometheus tells nobody what its targets are.
    pub(crate) secretive: bool,
    /// Whether it has no such API, as Thanos and Mimir.
    pub(crate) scrapes_nothing: bool,
    /// The tenant that every question has to name, below the path `/prometheus`.
    pub(crate) tenant: Option<&'static str>,
    /// What is answered instead of everything.
    pub(crate) fault: Option<Fault>,
    /// Whether nobody knows since when nodes are down.
    pub(crate) no_since: bool,
    /// Whether the rules record what fails.
    pub(crate) records: bool,
    /// Queries that begin so are refused.
    pub(crate) refuses: Option<&'static str>,
    /// The job of all of it, where that is another than of nodes.
    pub(crate) job: Option<&'static str>,
    /// What Prometheus says is missing in its answers.
    pub(crate) warning: Option<&'static str>,
}

/// What a server may do instead of answering.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A status and no JSON.
    Status(u16),
    /// Half of a JSON text.
    Half,
    /// Nothing, ever.
    Hangs,
    /// Its head and a little of its body, and then nothing.
    Stalls,
    /// A little of its body, and then the connection breaks.
    Breaks,
    /// This text.
    Says(&'static str),
}

/// The servers; dropped, they end with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
    asked: Arc<Mutex<Vec<String>>>,
    credentials: Arc<Mutex<Vec<String>>>,
}

/// The checks of the node, whose results are given.
struct Node(Vec<CheckState>);

impl Servers {
    pub(crate) async fn start(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let servers =
            Self { address, world: Arc::new(Mutex::new(world)), asked: Arc::default(), credentials: Arc::default() };
        let router = Router::new()
            .route("/api/v1/query", get(query))
            .route("/api/v1/query_range", get(range))
            .route("/api/v1/targets", get(targets))
            .route(
                "/api/v2/alerts",
                get(async |State(servers): State<Servers>| servers.answer(|world| json!(world.alerts)).await),
            )
            .route(
                "/api/v2/silences",
                get(async |State(servers): State<Servers>| servers.answer(|world| json!(world.silences)).await),
            )
            .layer(middleware::from_fn_with_state(servers.clone(), of_tenant))
            .with_state(servers.clone())
            .merge(api::router(Arc::new(Node(states()))).layer(middleware::from_fn_with_state(servers.clone(), note)));
        let router = Router::new().nest("/prometheus", router.clone()).merge(router);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        servers
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().unwrap());
    }

    /// The queries that Prometheus was asked until now.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// What the node was asked with, question by question.
    pub(crate) fn credentials(&self) -> Vec<String> {
        self.credentials.lock().unwrap().clone()
    }

    async fn answer(&self, say: impl Fn(&World) -> Value) -> Response {
        let world = self.world.lock().unwrap().clone();
        match world.fault {
            None => Json(say(&world)).into_response(),
            Some(Fault::Status(status)) => (StatusCode::from_u16(status).unwrap(), "<h1>no</h1>").into_response(),
            Some(Fault::Half) => "{\"status\":\"success\",\"data\":{\"resultType\":\"vec".into_response(),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Stalls) => Body::from_stream(begun().chain(stream::pending())).into_response(),
            Some(Fault::Breaks) => {
                let broken = stream::iter([Err(std::io::Error::other("the machine is switched off"))]);
                Body::from_stream(begun().chain(broken)).into_response()
            }
            Some(Fault::Says(text)) => text.into_response(),
        }
    }
}

/// The first bytes of an answer.
fn begun() -> impl Stream<Item = std::io::Result<&'static str>> + Send {
    stream::iter([Ok("{\"status\":")])
}

async fn query(State(servers): State<Servers>, Query(asked): Query<Vec<(String, String)>>) -> Response {
    let expression = asked.into_iter().find(|(name, _)| name == "query").unwrap().1;
    servers.asked.lock().unwrap().push(expression.clone());
    let refused = servers.world.lock().unwrap().refuses;
    if refused.is_some_and(|beginning| expression.starts_with(beginning)) {
        let body = json!({"status": "error", "errorType": "execution", "error": "too many samples"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
    }
    let say = |world: &World| {
        let data = json!({"resultType": "vector", "result": world.vector(&expression)});
        json!({"status": "success", "data": data, "warnings": world.warning.map(|text| [text])})
    };
    servers.answer(say).await
}

/// The check was as its values are now, but for a day ago, when it was OK, and the hour before, of which nothing is known.
async fn range(State(servers): State<Servers>, Query(asked): Query<Vec<(String, String)>>) -> Response {
    let get = |name: &str| asked.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let (expression, [start, end, step]) =
        (get("query"), ["start", "end", "step"].map(|name| get(name).parse::<i64>().unwrap()));
    assert!((end - start) / step < 300, "{asked:?}");
    servers.asked.lock().unwrap().push(expression.clone());
    servers
        .answer(|world| {
            let is_it = |(_, check, _): &&(String, String, i64)| expression.contains(&format!("check={check:?}"));
            let series = |(.., status): &(String, String, i64)| {
                let at = |point: i64| match point {
                    ..100 => Some(0),
                    100..112 => None,
                    _ => Some(*status),
                };
                let points = (0..=(end - start) / step)
                    .filter_map(|point| Some(json!([start + point * step, at(point)?.to_string()])));
                json!({"metric": {}, "values": points.collect::<Vec<_>>()})
            };
            let result: Vec<_> = world.checks.iter().filter(is_it).map(series).collect();
            json!({"status": "success", "data": {"resultType": "matrix", "result": result}})
        })
        .await
}

/// Every node is this server.
async fn targets(State(servers): State<Servers>) -> Response {
    if servers.world.lock().unwrap().scrapes_nothing {
        return (StatusCode::NOT_FOUND, "404 page not found").into_response();
    }
    let address = servers.address;
    let target = |job: &str, instance: &str| json!({"labels": {"job": job, "instance": instance}, "scrapeUrl": format!("http://{address}/metrics?x=y")});
    let listed = |world: &World| {
        let nodes = world.nodes.iter().filter(|_| !world.secretive);
        nodes.map(|(instance, _)| target(world.job(), instance)).collect::<Vec<_>>()
    };
    servers.answer(|world| json!({"data": {"activeTargets": listed(world)}})).await
}

impl World {
    fn job(&self) -> &'static str {
        self.job.unwrap_or("checkscript")
    }

    /// What the queries of web-ui give, told apart by how they begin.
    fn vector(&self, expression: &str) -> Vec<Value> {
        let sample = |metric: Value, value: i64| json!({"metric": metric, "value": [1_700_000_000, value.to_string()]});
        let labels = |instance: &str| json!({"job": self.job(), "instance": instance});
        let check = |(instance, check, status): &(String, String, i64)| {
            sample(json!({"job": self.job(), "instance": instance, "check": check}), *status)
        };
        if expression.starts_with("up") {
            self.nodes.iter().map(|(instance, up)| sample(labels(instance), i64::from(*up))).collect()
        } else if expression.starts_with("timestamp") {
            self.nodes
                .iter()
                .filter(|(_, up)| *up)
                .map(|(instance, _)| sample(labels(instance), 1_700_000_000))
                .collect()
        } else if expression.starts_with("max by") {
            self.nodes
                .iter()
                .filter(|(_, up)| !up && !self.no_since)
                .map(|(instance, _)| sample(labels(instance), 1_600_000_000))
                .collect()
        } else if expression.starts_with("count by (job, instance)") {
            let count = |instance: &str| self.checks.iter().filter(|(of, ..)| of == instance).count() as i64;
            self.nodes.iter().map(|(instance, _)| sample(labels(instance), count(instance))).collect()
        } else if expression == "count by (check) (checkscript_status)" {
            self.checks.iter().map(|(_, check, _)| sample(json!({"check": check}), 1)).collect()
        } else if expression.starts_with("{__name__=~") {
            let failing = self.checks.iter().filter(|(.., status)| *status != 0);
            let recorded = failing.map(|failing| {
                let mut sample = check(failing);
                sample["metric"]["__name__"] = json!("check:checkscript_status:failing");
                sample
            });
            let count = sample(json!({"__name__": "checkscript_status:failing:count"}), 0);
            recorded.chain([count]).filter(|_| self.records).collect()
        } else if expression.starts_with("sum by (alertname) (changes(") {
            vec![sample(json!({"alertname": "CheckCritical"}), 3)]
        } else if expression.starts_with("last_over_time(checkscript_status{job=") {
            let of = |(instance, ..): &&(String, String, i64)| expression.contains(&format!("instance={instance:?}"));
            self.checks.iter().filter(of).map(check).collect()
        } else if expression.starts_with("max_over_time(timestamp(up{job=") {
            vec![sample(json!({}), 1_650_000_000)]
        } else if let Some(name) = asked_check(expression) {
            let one = self.checks.iter().filter(|(_, check, _)| *check == name);
            let value = |one: &(String, String, i64)| match expression {
                status if status.starts_with("checkscript_status{") => Some(one.2),
                // WARNING and stale go together here.
                stale if stale.contains(" < (time()") => (one.2 == 1).then_some(1_600_000_000),
                _ => Some(1_700_000_000),
            };
            one.filter_map(|one| {
                let mut sample = check(one);
                sample["value"][1] = json!(value(one)?.to_string());
                Some(sample)
            })
            .collect()
        } else if expression == "checkscript_status != 0" {
            self.checks.iter().filter(|(.., status)| *status != 0).map(check).collect()
        } else {
            assert!(expression.starts_with("count by (check) (checkscript_last_execution"), "{expression}");
            Vec::new()
        }
    }
}

/// `disk` was OK and is CRITICAL; `load` is OK.
fn states() -> Vec<CheckState> {
    let result = |name: &str, output: &str, status: i64, executed: i64| {
        let check = json!({"name": name, "command": "check-it", "interval": 300, "output": output, "status": status, "executed": executed});
        let Value::Object(check) = check else { unreachable!("it is written as an object") };
        LoggedResult {
            logged: jiff::Timestamp::from_second(executed).unwrap(),
            result: CheckResult::new("web-1", check).unwrap(),
        }
    };
    let limits = HistoryLimits::default();
    let mut disk = CheckState::new(result("disk", "OK: all fine\nsame line\n", 0, 1_700_000_000), &limits);
    let failing = "CRITICAL: \u{1b}[31m<script>alert(1)</script>\u{202e}\nsame line\n";
    disk.apply(result("disk", failing, 2, 1_700_000_060), &limits);
    vec![disk, CheckState::new(result("load", "load is 0.1", 0, 1_700_000_000), &limits)]
}

impl Checks for Node {
    async fn find(&self, filter: &Filter) -> Result<Vec<Entry>, Unavailable> {
        let entry = |state: &CheckState| {
            let labels = [("check".to_owned(), state.latest().name().to_owned())].into();
            Entry { labels, state: Arc::new(state.clone()), client_attributes: None, expiry: None }
        };
        Ok(self.0.iter().map(entry).filter(|entry| filter.matches(&entry.labels, entry.state.status())).collect())
    }

    fn labels(&self) -> Option<&'static [&'static str]> {
        Some(&["check", "source"])
    }
}

/// The name of the check in `checkscript_status{check="…"}` and the like.
fn asked_check(expression: &str) -> Option<String> {
    let rest = expression.strip_prefix("checkscript_")?.split_once("{check=\"")?.1;
    let (mut name, mut chars) = (String::new(), rest.chars());
    loop {
        match chars.next()? {
            '"' => return Some(name),
            '\\' => name.push(chars.next()?),
            c => name.push(c),
        }
    }
}

/// Keeps what the node is asked with.
async fn note(State(servers): State<Servers>, request: Request, next: Next) -> Response {
    let credentials = request.headers().get(AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
    servers.credentials.lock().unwrap().push(credentials.to_owned());
    next.run(request).await
}

/// As Mimir does where it has tenants.
async fn of_tenant(State(servers): State<Servers>, request: Request, next: Next) -> Response {
    let tenant = servers.world.lock().unwrap().tenant;
    let is_right = |tenant| request.headers().get("x-scope-orgid").is_some_and(|named| named == tenant);
    match tenant.is_none_or(is_right) {
        true => next.run(request).await,
        false => (StatusCode::UNAUTHORIZED, "no org id").into_response(),
    }
}
