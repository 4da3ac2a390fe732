//! What holds of any request, whatever the servers of a cluster have said.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::{Json, Router};
use html5ever::tokenizer::Tag;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use service::http::ClientOptions;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use url::{Url, form_urlencoded};
use web_ui::{App, Config};

use crate::html::{Templates, attribute};
use crate::properties;
use crate::request::{halves, request};

/// What a node, a Prometheus or an Alertmanager may say.
const HOSTILE: &str = "<script>alert(1)</script>\"'&--> \u{1b}[31m\u{202e} {{ 7 }}\n</pre><img src=x onerror=alert(1)>";
const CONFIG: &str = "clusters: [{name: tokyo, prometheus: [{url: 'http://ADDRESS'}], alertmanagers: [{url: 'http://ADDRESS'}]}]\n\
                      refresh: {alerts: 1h, nodes: 1h}\n";
/// Where a browser has web-ui.
const HERE: &str = "http://ui.example.org/";
const ATTRIBUTES: &str = "Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly";
/// No page of these few things is nearly as long, though an output can be shown several times.
const LONGEST: usize = 16 << 20;

struct Ui {
    runtime: Runtime,
    app: Arc<App>,
    routes: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::of("web-ui/templates", is_harmless));

static UI: LazyLock<Ui> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("there can be a runtime");
    let app = runtime.block_on(async {
        let config = Config::parse(&CONFIG.replace("ADDRESS", &servers().await)).expect("it is valid");
        let options = ClientOptions::new(service::build_info!());
        App::start(&config, options, &mut Registry::default()).expect("there can be clients")
    });
    Ui { runtime, routes: app.routes(), app }
});

/// The address of a Prometheus, an Alertmanager and a node in one.
#[expect(clippy::disallowed_methods, reason = "a fake on loopback needs no time limits")]
async fn servers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let address = listener.local_addr().expect("it has an address").to_string();
    let routes = Router::new().fallback(said).with_state(address.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// What each of them says is hostile.
async fn said(State(address): State<String>, request: Request) -> Json<Value> {
    let labels = json!({"check": HOSTILE, "source": HOSTILE, "job": "j", "instance": "web-1", "alertname": HOSTILE});
    let at = "2026-11-21T02:30:00Z";
    let data =
        |kind: &str, result: Value| json!({"data": {"resultType": kind, "result": [result]}, "warnings": [HOSTILE]});
    let past = |status: i64| json!({"logged": at, "status": status, "changed": true, "output": HOSTILE});
    Json(match request.uri().path() {
        "/api/v1/query" => data("vector", json!({"metric": labels, "value": [1_787_000_000, "2"]})),
        "/api/v1/query_range" => data("matrix", json!({"metric": labels, "values": [[1_787_000_000, "1"]]})),
        "/api/v1/targets" => {
            let target = |name: &str| json!({"labels": {"job": "j", "instance": name}, "scrapeUrl": format!("http://{address}/metrics")});
            let targets = ["web-1", "web-2", "web-3", HOSTILE].map(target);
            json!({"data": {"activeTargets": targets}})
        }
        "/api/v1/checks" => json!([{
            "labels": labels, "status": HOSTILE, "exit_code": 2, "output": HOSTILE, "occurrences": 1, "status_changed": 1,
        }]),
        path if path.ends_with("/history") => json!({"labels": labels, "history": [past(2), past(0)]}),
        path if path.starts_with("/api/v1/checks/") => json!({
            "labels": labels, "client": HOSTILE, "client_attributes": {"address": HOSTILE}, "occurrences": 1, "status_changed": 1,
            "check": {
                "name": HOSTILE, "command": HOSTILE, "status": 2, "output": HOSTILE, "handlers": [HOSTILE], HOSTILE: HOSTILE,
                "hooks": {HOSTILE: {"output": HOSTILE}},
            },
        }),
        "/api/v2/silences" if request.method() == Method::POST => json!({"silenceID": HOSTILE}),
        _ => json!([]),
    })
}

/// A request, whose body is the form that is sent, and in the next lines what the servers answered (as `answers` reads it): the answer has a
/// known status and form, a page is made of the templates' elements and attributes and leads nowhere but to web-ui and to the `http(s)`
/// addresses that alerts have, nobody is redirected elsewhere, and a browser keeps nothing but a language and a name.
pub(crate) fn requests(input: &[u8]) {
    let Some(request) = request(input) else { return };
    let (head, body) = request.into_parts();
    let (form, answers) = halves(&body, b'\n').unwrap_or((&body, b""));
    for (cluster, _) in &UI.app.snapshot().0 {
        cluster.begin_with(Arc::new(properties::view(answers)));
    }
    let mut request = Request::from_parts(head, Body::from(form.to_vec()));
    // What is compressed is a library's.
    request.headers_mut().remove(ACCEPT_ENCODING);
    if !form.is_empty() {
        request.headers_mut().insert(CONTENT_LENGTH, form.len().into());
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = ask(request);
    is_known(&answer);
    if method == Method::GET && is_of(&answer, "text/html") {
        comes_back(&TEMPLATES.wrote(&answer.text), &path);
    }
    for cookie in answer.headers.get_all(SET_COOKIE) {
        is_kept(cookie, form);
    }
}

fn ask(mut request: Request) -> Answer {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000))));
    UI.runtime.block_on(async {
        let answer = UI.routes.clone().oneshot(request).await.expect("it answers whatever comes");
        let (head, body) = answer.into_parts();
        let mut answer = Answer { status: head.status, headers: head.headers, text: String::new() };
        // Events go on until somebody stops.
        if !is_of(&answer, "text/event-stream") {
            let body = Limited::new(body, LONGEST).collect().await.expect("the body is as short as what it is about");
            answer.text = String::from_utf8(body.to_bytes().to_vec()).expect("answers are UTF-8");
        }
        answer
    })
}

fn is_of(answer: &Answer, kind: &str) -> bool {
    answer.headers.get(CONTENT_TYPE).is_some_and(|given| given.as_bytes().starts_with(kind.as_bytes()))
}

fn is_known(answer: &Answer) {
    let Answer { status, headers, text } = answer;
    let known = [200, 303, 400, 403, 404, 405, 406, 409, 413, 415, 421, 422, 502, 503];
    assert!(known.contains(&status.as_u16()), "{status}: {text}");
    let elsewhere = |location: &HeaderValue| {
        let here: Url = HERE.parse().expect("it is an address");
        let there = location.to_str().ok().and_then(|location| here.join(location).ok());
        there.is_none_or(|there| there.origin() != here.origin())
    };
    assert!(!headers.get(LOCATION).is_some_and(elsewhere), "{headers:?}");
    if is_of(answer, "application/json") && !text.is_empty() {
        serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    if is_of(answer, "text/html") {
        TEMPLATES.wrote(text);
        let active = text.chars().find(|c| is_active(*c));
        assert_eq!(active, None, "{text}");
    }
}

/// What a browser or a terminal would do something with.
fn is_active(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\t' | '\r');
    is_control || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Who chooses the other language on a page is led to it again.
fn comes_back(page: &[Tag], path: &str) {
    let mut forms = page.iter().filter(|tag| &*tag.name == "form").map(|form| attribute(form, "action"));
    let Some(choice) = forms.find(|action| action.starts_with("/language?")) else { return };
    let answer = ask(Request::post(choice).body(Body::empty()).expect("it is a request"));
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{choice}");
    let to = answer.headers[LOCATION].to_str().unwrap_or_else(|error| panic!("{error}: {choice}"));
    // Nobody comes by a link to a path that a browser would take for another host, or would have encoded, or to none.
    let is_odd = path.is_empty() || path.starts_with("//") || path.starts_with("/\\") || !path.is_ascii();
    let to = to.split('?').next().unwrap_or_default();
    assert!(to == path || (to == "/" && is_odd), "{path} became {to}");
}

/// A cookie is the language or the name of who makes a silence, which the next form has again.
fn is_kept(cookie: &HeaderValue, form: &[u8]) {
    let text = cookie.to_str().expect("what is encoded is ASCII");
    let (pair, attributes) = text.split_once("; ").expect("it has attributes");
    assert_eq!(attributes, ATTRIBUTES);
    let (name, value) = pair.split_once('=').expect("it is a pair");
    if name == "lang" {
        return assert!(["en", "ja"].contains(&value), "{text}");
    }
    assert_eq!(name, "author");
    let authors = form_urlencoded::parse(form).filter(|(name, _)| name == "author");
    let author = authors.last().expect("it has one").1.into_owned();
    let page = ask(Request::get("/silences/new").header(COOKIE, pair).body(Body::empty()).expect("it is a request"));
    let page = TEMPLATES.wrote(&page.text);
    let field = page.iter().find(|tag| attribute(tag, "id") == "author").expect("the form asks for it");
    assert_eq!(attribute(field, "value"), author.trim());
}

/// Whether an attribute that means something to a browser has a value that a template gives it.
fn is_harmless(tag: &Tag, name: &str, value: &str) -> bool {
    let is_of = |listed: &[&str]| listed.contains(&value);
    let here: Url = HERE.parse().expect("it is an address");
    let there = || here.join(value).ok();
    match name {
        "href" if attribute(tag, "rel") == "noreferrer" => {
            there().is_some_and(|there| matches!(there.scheme(), "http" | "https"))
        }
        "href" | "src" | "action" => there().is_some_and(|there| there.origin() == here.origin()),
        "rel" => is_of(&["icon", "stylesheet", "prev", "next", "noreferrer"]),
        "method" => is_of(&["get", "post", "dialog"]),
        "type" => is_of(&["hidden", "search", "radio", "checkbox", "datetime-local", "button", "module"]),
        "lang" => is_of(&["en", "ja"]),
        "class" | "id" | "form" | "for" | "list" => {
            value.bytes().all(|byte| byte.is_ascii_lowercase() || b" -".contains(&byte))
        }
        _ => true,
    }
}
