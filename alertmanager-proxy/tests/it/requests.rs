//! What holds of any request to the proxy, whether it answers itself or passes it on.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alertmanager_proxy::{App, Config};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use html5ever::tokenizer::Tag;
use http::header::{CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use service::http::ClientOptions;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use url::{Url, form_urlencoded};

use crate::html::{Templates, attribute};
use crate::request::request;

/// What a label may say.
const HOSTILE: &str = "<script>alert(1)</script>\"'&--> \u{1b}[31m\u{202e} {{ 7 }}";
/// The proxy before an Alertmanager that shares its server with others. No node answers.
const CONFIG: &str = "alertmanagers: [{url: 'http://ADDRESS/am/', basic_auth: {username: me, password: secret}}]\n\
                      sources: [{match: {check: '.+'}, url: 'http://{{ labels.instance }}/api/v1/checks/{{ labels.check }}', \
                      allow: [127.0.0.0/8]}]\n";
const CREDENTIALS: &str = "Basic bWU6c2VjcmV0";
/// Between two neighbours, by RFC 9110 and by habit.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What the proxy's client says for itself, where nobody else does or whoever does.
const CLIENTS: [&str; 5] = ["accept", "authorization", "content-length", "host", "user-agent"];
const SAID: &str = "x-said";
const STATES: [&str; 5] = ["failed", "outdated", "incomplete", "waiting", "enriched"];
const LONGEST: usize = 4 << 20;

struct Proxy {
    runtime: Runtime,
    routes: Router,
    /// What it does beside ends with it.
    _app: App,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What the overview is asked for.
struct Wanted {
    states: Vec<String>,
    find: String,
    page: usize,
    limit: usize,
}

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::of("alertmanager-proxy/templates", is_harmless));

static PROXY: LazyLock<Proxy> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("there can be a runtime");
    let (routes, app) = runtime.block_on(async {
        let config = Config::parse(&CONFIG.replace("ADDRESS", &alertmanager().await)).expect("it is valid");
        let options = ClientOptions::new(service::build_info!());
        let app = App::start(config, options, &mut Registry::default()).expect("there can be clients");
        let alert = |check: &str, instance: &str| {
            let labels = json!({"alertname": HOSTILE, "check": check, "instance": instance, "source": HOSTILE});
            json!({"labels": labels, "annotations": {"output": HOSTILE}})
        };
        let alerts = json!([
            alert("disk", "127.0.0.1:9"),
            alert(HOSTILE, "127.0.0.1:9"),
            alert("ping", HOSTILE),
            alert("a&b", "")
        ]);
        let post = Request::post("/api/v2/alerts").header(CONTENT_TYPE, "application/json");
        let post = post.body(Body::from(alerts.to_string())).expect("it is a request");
        let taken = app.routes().oneshot(post).await.expect("it answers whatever comes");
        assert_eq!(taken.status(), StatusCode::OK);
        (app.routes(), app)
    });
    Proxy { runtime, routes, _app: app }
});

/// The address of an Alertmanager that says in a header what it was asked.
#[expect(clippy::disallowed_methods, reason = "a fake on loopback needs no time limits")]
async fn alertmanager() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(said)).await });
    address.to_string()
}

async fn said(request: Request) -> Response {
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers: Vec<_> = headers.collect();
    let said = json!({"method": request.method().as_str(), "uri": request.uri().to_string(), "headers": headers});
    let own = [
        (SAID, said.to_string()),
        ("connection", "x-hop, \u{e9}".to_owned()),
        ("x-hop", "no".to_owned()),
        ("proxy-authenticate", "Basic".to_owned()),
    ];
    (own, Json(json!({}))).into_response()
}

/// A request: what is passed on comes to a path below the Alertmanager's prefix, whoever decodes it, with the proxy's credentials and all that
/// concerns both ends, and nothing else; so does the answer. What the proxy answers itself has a known status and form; of its alerts it
/// lists those that are asked for, and nothing gets into a page as markup. What changes something and began at another site is refused.
pub(crate) fn requests(input: &[u8]) {
    let Some(request) = request(input) else { return };
    let (head, body) = request.into_parts();
    let asked = (head.method.clone(), head.uri.clone(), head.headers.clone());
    let answer = PROXY.runtime.block_on(async {
        let request = Request::from_parts(head, Body::from(body));
        let (head, body) = PROXY.routes.clone().oneshot(request).await.expect("it answers whatever comes").into_parts();
        let body = Limited::new(body, LONGEST).collect().await.expect("the body is as short as the alerts are few");
        Answer { status: head.status, headers: head.headers, body: body.to_bytes().to_vec() }
    });
    let between = |name: &&str| answer.headers.contains_key(*name);
    assert_eq!(HOP_BY_HOP.iter().chain(&["x-hop"]).find(|name| between(name)), None, "{asked:?}");
    assert_eq!(answer.status == StatusCode::FORBIDDEN, is_foreign(&asked), "{asked:?}");
    match answer.headers.get(SAID) {
        Some(said) => {
            let said = serde_json::from_slice(said.as_bytes()).unwrap_or_else(|error| panic!("{error}: {said:?}"));
            passed_on(&asked, &said);
        }
        None => answered(&asked, &answer),
    }
}

/// Whether a browser says that what changes something began elsewhere, or, where it does not say, has an origin whose authority is not the host.
fn is_foreign((method, _, headers): &(Method, Uri, HeaderMap)) -> bool {
    let header = |name| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let began = match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), _) => ![&b"same-origin"[..], b"none"].contains(&site.as_bytes()),
        (None, None) => false,
        (None, Some(origin)) => {
            let authority = str::from_utf8(origin.as_bytes()).ok().and_then(|origin| origin.split_once("://"));
            let authority = authority.map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
            authority.is_none_or(|own| own.is_empty() || !own.as_bytes().eq_ignore_ascii_case(header(HOST)))
        }
    };
    began && ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

fn passed_on((method, uri, headers): &(Method, Uri, HeaderMap), said: &Value) {
    assert!(![Method::TRACE, Method::CONNECT].contains(method) && said["method"] == method.as_str(), "{method} {said}");
    let to = said["uri"].as_str().expect("it is text");
    let (path, query) = to.split_once('?').map_or((to, None), |(path, query)| (path, Some(query)));
    let decoded = plain(path).replace('\\', "/");
    let bare = decoded.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    for path in [path, &decoded, &bare.collect::<Vec<_>>().join("/")] {
        let mut url = Url::parse("http://alertmanager/").expect("it is an address");
        url.set_path(path);
        assert!(url.path().starts_with("/am/"), "{uri} became {to}");
    }
    let below = uri.path().strip_prefix("/alertmanager").filter(|below| below.starts_with('/')).unwrap_or(uri.path());
    assert_eq!(decoded, format!("/am{}", plain(below).replace('\\', "/")), "{uri} became {to}");
    assert_eq!(query.map(plain), uri.query().map(plain), "{uri} became {to}");

    let mut taken = BTreeMap::<String, Vec<Vec<u8>>>::new();
    let all: Vec<(String, Vec<u8>)> = serde_json::from_value(said["headers"].clone()).expect("they are a list");
    all.into_iter().for_each(|(name, value)| taken.entry(name).or_default().push(value));
    let named = headers.get_all(CONNECTION).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let named: Vec<_> = named.map(|name| name.trim_ascii().to_ascii_lowercase()).collect();
    let is_between = |name: &str| HOP_BY_HOP.contains(&name) || named.iter().any(|one| one == name.as_bytes());
    for name in taken.keys().filter(|name| !CLIENTS.contains(&name.as_str())) {
        assert!(!is_between(name), "{name} of {headers:?}");
    }
    assert_eq!(taken.get("authorization"), Some(&vec![CREDENTIALS.as_bytes().to_vec()]), "{headers:?}");
    let is_passed = |name: &&str| !is_between(name) && (!CLIENTS.contains(name) || *name == "user-agent");
    for name in headers.keys().map(|name| name.as_str()).filter(is_passed) {
        let values: Vec<_> = headers.get_all(name).into_iter().map(|value| value.as_bytes().to_vec()).collect();
        assert_eq!(taken.get(name), Some(&values), "{name} of {headers:?}");
    }
}

/// What is read where it is decoded.
fn plain(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn answered((method, uri, _): &(Method, Uri, HeaderMap), answer: &Answer) {
    let Answer { status, headers, body } = answer;
    assert!(
        matches!(status.as_u16(), 200 | 308 | 400 | 403 | 404 | 405 | 410 | 413 | 415 | 422 | 503),
        "{method} {uri}: {status}"
    );
    let text = std::str::from_utf8(body).expect("answers are UTF-8");
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_asked = *method == Method::GET && !text.is_empty();
    let said = match kind {
        "application/json" if is_asked => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        _ => Value::Null,
    };
    let page = (kind.starts_with("text/html") && is_asked).then(|| TEMPLATES.wrote(text));
    assert!(page.is_none() || headers.contains_key(CONTENT_SECURITY_POLICY));
    if is_asked && ["/-/proxy/", "/-/proxy/api/alerts"].contains(&uri.path()) {
        match wanted(uri.query().unwrap_or_default()) {
            None => assert_eq!(*status, StatusCode::BAD_REQUEST, "{uri}"),
            Some(wanted) => {
                assert_eq!(*status, StatusCode::OK, "{uri}");
                match page {
                    Some(page) => shown(&wanted, &page),
                    None => listed(&wanted, &said),
                }
            }
        }
    }
}

/// What a query asks for; none where it cannot be understood.
fn wanted(query: &str) -> Option<Wanted> {
    let mut wanted = Wanted { states: Vec::new(), find: String::new(), page: 1, limit: 100 };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "state" => {
                let words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
                wanted.states = words.map(str::to_owned).collect();
                if !wanted.states.iter().all(|state| STATES.contains(&state.as_str())) {
                    return None;
                }
            }
            "find" => wanted.find = value.trim().to_lowercase(),
            "page" => wanted.page = value.parse().ok().filter(|page| *page > 0)?,
            "limit" => wanted.limit = value.parse().ok().filter(|limit| (1..=1_000).contains(limit))?,
            _ => return None,
        }
    }
    Some(wanted)
}

/// The alerts of a page are such as are asked for, and as many as there are on it.
fn listed(wanted: &Wanted, said: &Value) {
    let number =
        |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok()).expect("it is a number");
    let (total, alerts) = (number(&said["total"]), said["alerts"].as_array().expect("they are a list"));
    let before = (wanted.page - 1).saturating_mul(wanted.limit);
    assert_eq!(alerts.len(), total.saturating_sub(before).min(wanted.limit), "{said}");
    assert_eq!(number(&said["page"]), wanted.page);
    assert_eq!(number(&said["pages"]), total.div_ceil(wanted.limit).max(1));
    let all: usize = STATES.iter().map(|state| number(&said["states"][state])).sum();
    assert!(total <= all && (total == all || !wanted.states.is_empty() || !wanted.find.is_empty()), "{said}");
    for alert in alerts {
        let state = alert["state"].as_str().expect("it has one");
        assert!(wanted.states.is_empty() || wanted.states.iter().any(|one| one == state), "{alert}");
        let labels = alert["labels"].as_object().expect("they are an object").values();
        let texts = labels.chain([&alert["node"], &alert["error"], &alert["output"]]).filter_map(Value::as_str);
        let finds = |text: &str| text.to_lowercase().contains(&wanted.find);
        assert!(wanted.find.is_empty() || texts.into_iter().any(finds), "{alert}");
    }
}

/// Who looks for something sees on the page what that is, as a browser reads it.
fn shown(wanted: &Wanted, page: &[Tag]) {
    let field = page.iter().find(|tag| attribute(tag, "name") == "find").expect("the page can be searched");
    let find = wanted.find.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}");
    assert_eq!(attribute(field, "value"), find);
}

/// Whether an attribute that means something to a browser has a value that a template gives it.
fn is_harmless(_: &Tag, name: &str, value: &str) -> bool {
    let is_of = |listed: &[&str]| listed.contains(&value);
    match name {
        "href" => {
            let here = Url::parse("http://proxy/-/proxy/").expect("it is an address");
            here.join(value).is_ok_and(|there| there.origin() == here.origin())
        }
        "rel" => is_of(&["stylesheet", "prev", "next"]),
        "method" => value == "get",
        "type" => is_of(&["hidden", "search"]),
        "class" => value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b' '),
        _ => true,
    }
}
