//! What holds of any request to the detail API and the pages.

use std::io::Read as _;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use check_result::api::{Checks, Entry, Filter, Labels, Unavailable};
use check_result::log::LoggedResult;
use check_result::pages::Site;
use check_result::{CheckResult, CheckState, HistoryLimits, api, pages};
use flate2::read::GzDecoder;
use html5ever::tokenizer::Tag;
use http_body_util::{BodyExt as _, Limited};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use crate::html::{Templates, attribute};

/// What a hostile script may print.
const HOSTILE: &str =
    "CRITICAL <script>alert(1)</script>\u{202e} \u{1b}[31m\"'&\nmore </pre><img src=x onerror=alert(1)>\n";
/// No page of these few checks is nearly as long.
const LONGEST: usize = 1 << 20;

struct Store(Vec<Entry>);

impl Checks for Store {
    async fn find(&self, filter: &Filter) -> Result<Vec<Entry>, Unavailable> {
        Ok(self.0.iter().filter(|entry| filter.matches(&entry.labels, entry.state.status())).cloned().collect())
    }

    fn labels(&self) -> Option<&'static [&'static str]> {
        Some(&["check", "source"])
    }
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("there can be a runtime"));

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::of("lib/check-result/templates", is_harmless));

static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    let checks = [
        ("disk", None, 0),
        ("<em>", None, 1),
        ("a b/c", None, 2),
        ("ping", Some("router-a"), 3),
        ("ping", Some("\"r"), 2),
    ];
    let store = Arc::new(Store(checks.into_iter().map(entry).collect()));
    let site = Site { name: "test", version: "0", time_zone: TimeZone::UTC };
    api::router(Arc::clone(&store)).merge(pages::router(store, site))
});

fn entry((name, source, status): (&str, Option<&str>, i64)) -> Entry {
    let logged = |(status, second): (i64, i64)| {
        let mut check = json!({
            "name": name, "command": HOSTILE, "status": status, "output": HOSTILE, "executed": 1_787_000_000 + second,
            "duration": 0.5, "interval": 60, "hooks": {"critical": {"output": HOSTILE, "command": "<u>"}}, HOSTILE: HOSTILE,
            "playbook": "https://wiki.example/?a=\"b\"&c=<d>", "dashboard": "javascript:alert(1)", "notes": "http://x onclick=alert(1)",
        });
        if let Some(source) = source {
            check["source"] = source.into();
        }
        let Value::Object(check) = check else { panic!("an object") };
        let result = CheckResult::new("<client>", check).expect("it is a result");
        LoggedResult { logged: "2026-11-21T02:30:00Z".parse().expect("it is a time"), result }
    };
    let mut state = CheckState::new(logged((status, 0)), &HistoryLimits::default());
    [(0, 60), (status, 120)].map(logged).into_iter().for_each(|next| state.apply(next, &HistoryLimits::default()));
    let mut labels = Labels::from([("check".to_owned(), name.to_owned())]);
    labels.extend(source.map(|source| ("source".to_owned(), source.to_owned())));
    Entry { labels, state: Arc::new(state), client_attributes: None, expiry: None }
}

/// An answer whose body is read.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The head of a request, `GET /path?query` and lines of headers: it is answered in a known way and form, nothing in it or in an output gets
/// into a page as markup, HEAD says the same without a body, and who knows the answer is not sent it again.
pub(crate) fn requests(head: &[u8]) {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let Some((method, uri)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let (Ok(method), Ok(uri)) = (method.parse::<Method>(), uri.parse::<Uri>()) else { return };
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    };
    let headers: Vec<_> = lines.filter_map(header).collect();
    let asked = ask(&method, &uri, &headers);
    is_known(&asked);
    if method != Method::GET {
        return;
    }
    let only_head = ask(&Method::HEAD, &uri, &headers);
    assert_eq!((only_head.status, only_head.body.len()), (asked.status, 0), "{head}");
    if let Some(tag) = asked.headers.get(ETAG).filter(|_| asked.status == StatusCode::OK) {
        let known = headers.iter().filter(|(name, _)| name != IF_NONE_MATCH).cloned();
        let known = ask(&method, &uri, &known.chain([(IF_NONE_MATCH, tag.clone())]).collect::<Vec<_>>());
        assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0), "{head}");
        assert_eq!(known.headers.get(ETAG), Some(tag));
    }
}

fn ask(method: &Method, uri: &Uri, headers: &[(HeaderName, HeaderValue)]) -> Answer {
    let mut request = Request::new(Body::empty());
    (*request.method_mut(), *request.uri_mut()) = (method.clone(), uri.clone());
    request.headers_mut().extend(headers.iter().map(|(name, value)| (Some(name.clone()), value.clone())));
    RUNTIME.block_on(async {
        let response: Response<Body> = ROUTES.clone().oneshot(request).await.expect("it answers whatever comes");
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.expect("the body is as short as what it is about");
        Answer { status: head.status, headers: head.headers, body: body.to_bytes().to_vec() }
    })
}

fn is_known(answer: &Answer) {
    let Answer { status, headers, body } = answer;
    assert!(matches!(status.as_u16(), 200 | 304 | 400 | 404 | 405 | 409), "{status}");
    assert!(headers.contains_key(VARY) && headers.contains_key(X_CONTENT_TYPE_OPTIONS));
    if body.is_empty() {
        return;
    }
    let body = match headers.get(CONTENT_ENCODING) {
        Some(encoding) => inflated(encoding, body),
        None => body.clone(),
    };
    let text = std::str::from_utf8(&body).expect("answers are UTF-8");
    match headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default() {
        kind if kind.starts_with("application/json") => {
            let said: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(status.is_success() || said["error"].as_str().is_some_and(|error| !error.is_empty()), "{text}");
        }
        kind if kind.starts_with("text/html") => {
            assert!(headers.contains_key(CONTENT_SECURITY_POLICY));
            TEMPLATES.wrote(text);
        }
        kind => assert!(kind.starts_with("text/plain") || kind.starts_with("text/css"), "{kind}"),
    }
}

fn inflated(encoding: &HeaderValue, body: &[u8]) -> Vec<u8> {
    assert_eq!(encoding, "gzip", "nothing else is spoken");
    let mut inflated = Vec::new();
    let read = GzDecoder::new(body).take(LONGEST as u64).read_to_end(&mut inflated);
    assert!(read.expect("it is gzip") < LONGEST, "no page of these few checks is nearly as long");
    inflated
}

/// Whether an attribute that means something to a browser has a value that a template gives it.
fn is_harmless(tag: &Tag, name: &str, value: &str) -> bool {
    let is_of = |listed: &[&str]| listed.contains(&value);
    match name {
        "action" => is_within(value),
        "href" if attribute(tag, "rel") == "noreferrer" => {
            value.starts_with("https://") || value.starts_with("http://")
        }
        "href" => is_within(value),
        "rel" => is_of(&["stylesheet", "noreferrer", "prev", "next"]),
        "http-equiv" => value == "refresh",
        // The seconds of a refresh, behind which an address could stand.
        "content" => value.parse::<u32>().is_ok() || is_of(&["width=device-width, initial-scale=1", "light dark"]),
        "method" => value == "get",
        "type" => is_of(&["hidden", "search"]),
        "class" => value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b' '),
        _ => true,
    }
}

/// Whether an address leads to a page beside the one that it stands on: from its root on, all that others say in it encoded.
fn is_within(address: &str) -> bool {
    let root = |root: &str| address.strip_prefix(root);
    let path = root("../").map(|rest| rest.trim_start_matches("../")).or_else(|| root("./")).or_else(|| root("/"));
    path.is_some_and(|path| {
        !path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%?=&,/".contains(&byte))
    })
}
