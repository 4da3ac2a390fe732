//! The page of groups.
//!
//! ```text
//! GET /   /status     ?q=part-of-a-label&page=2
//! GET /assets/groups.css   /assets/groups.js
//! ```
//!
//! Searching and paging are done here: a browser gets a few groups at a time, however many there are. The page may load nothing but
//! its own style sheet and script, which its `Content-Security-Policy` says; all that it shows is escaped by the template.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use check_result::{cleaned, first_line};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::{Gateway, reply};
use crate::groups::{Check, Group, Groups, is_stamp};
use crate::labels::{Key, Labels};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";
/// Groups on a page.
const PAGE: usize = 25;
/// Bytes in which the first line of a check's output is looked for.
const OUTPUT: usize = 16 << 10;
/// Characters shown of a check's output.
const LINE: usize = 200;
/// Bytes of samples shown of a family.
const SAMPLES: usize = 16 << 10;

#[derive(Template)]
#[template(path = "groups.html")]
struct Page {
    found: usize,
    total: usize,
    query: String,
    groups: Vec<Shown>,
    previous: Option<String>,
    next: Option<String>,
    metrics: String,
    prefix: String,
    version: &'static str,
}

struct Shown {
    labels: String,
    address: String,
    pushed: String,
    failed: String,
    failing: bool,
    end: Option<ShownEnd>,
    /// Checks whose time is over.
    over: usize,
    series: usize,
    families: Vec<ShownFamily>,
    checks: Vec<ShownCheck>,
}

struct ShownCheck {
    name: String,
    status: &'static str,
    /// Its page.
    address: String,
    /// The beginning of its output; none where outputs are kept to some.
    line: String,
    end: Option<ShownEnd>,
}

/// Until when something is kept, or since when its time is over.
struct ShownEnd {
    at: String,
    over: bool,
}

struct ShownFamily {
    name: String,
    kind: &'static str,
    help: String,
    samples: String,
}

impl Gateway {
    pub(super) async fn page(&self, query: &str) -> Response {
        let groups = match self.keeper.current().await {
            Ok(groups) => groups,
            Err(error) => return reply::unavailable(error),
        };
        self.page_of(&groups, query)
    }

    fn page_of(&self, groups: &Groups, query: &str) -> Response {
        let (query, number) = asked(query);
        let wanted = query.to_lowercase();
        let found: Vec<_> =
            groups.iter().filter(|group| group.key.labels.to_string().to_lowercase().contains(&wanted)).collect();
        let last = found.len().div_ceil(PAGE).max(1);
        let number = number.clamp(1, last);
        let address = |number: usize| format!("?q={}&page={number}", utf8_percent_encode(&query, NON_ALPHANUMERIC));
        let prefix = &self.paths.prefix;
        let page = Page {
            found: found.len(),
            total: groups.len(),
            groups: found
                .iter()
                .skip((number - 1) * PAGE)
                .take(PAGE)
                .map(|group| shown(group, prefix, self.outputs))
                .collect(),
            previous: (number > 1).then(|| address(number - 1)),
            next: (number < last).then(|| address(number + 1)),
            metrics: self.telemetry_path(),
            prefix: prefix.clone(),
            version: self.status.version(),
            query,
        };
        match page.render() {
            Ok(html) => shielded("text/html; charset=utf-8", html),
            Err(error) => reply::error(StatusCode::INTERNAL_SERVER_ERROR, error),
        }
    }
}

pub(super) fn style() -> Response {
    shielded("text/css; charset=utf-8", include_str!("../../assets/groups.css"))
}

pub(super) fn script() -> Response {
    shielded("text/javascript; charset=utf-8", include_str!("../../assets/groups.js"))
}

/// An answer that is taken for nothing else, put into no other site's page, and loads nothing from elsewhere.
fn shielded(content_type: &'static str, body: impl Into<String>) -> Response {
    let mut response = reply::text(StatusCode::OK, body);
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "deny"),
        (REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is searched for, and which page.
fn asked(query: &str) -> (String, usize) {
    let (mut text, mut page) = (String::new(), 1);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "q" => text = value.trim().to_owned(),
            "page" => page = value.parse().unwrap_or(1),
            _ => {}
        }
    }
    (text, page)
}

fn shown(group: &Arc<Group>, prefix: &str, outputs: bool) -> Shown {
    let time = |at: Option<Timestamp>| at.map_or("never".to_owned(), moment);
    let own = group.families.iter().filter(|block| !is_stamp(block.name()));
    let samples = own.clone().filter(|_| !group.key.checks);
    Shown {
        labels: group.key.labels.to_string(),
        address: address(prefix, &group.key),
        pushed: time(group.pushed),
        failed: time(group.failed),
        failing: group.failed > group.pushed,
        end: group.expires.map(|at| ShownEnd { at: moment(at), over: group.expired }),
        over: group.checks.values().filter(|check| check.is_over()).count(),
        series: own.clone().map(|block| block.series().len()).sum(),
        families: samples
            .map(|block| ShownFamily {
                name: block.name().to_owned(),
                kind: block.kind().word(),
                help: cleaned(block.help().unwrap_or_default()).into_owned(),
                samples: beginning(block.text()),
            })
            .collect(),
        checks: group.checks.values().map(|own| check(own, &group.key.labels, outputs)).collect(),
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%F %T UTC").to_string()
}

fn check(check: &Check, labels: &Labels, outputs: bool) -> ShownCheck {
    let result = check.state.latest();
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // A label of the group hides the check's own of that name, as in its series.
    let own = result.source().filter(|_| labels.get("source").is_none()).map(|source| ("source", source));
    let filters = own.into_iter().chain(labels.iter().filter(|(name, _)| *name != "check"));
    let filters: Vec<_> = filters.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    // Relative, as the pages' own links, so that it works below a path that a proxy takes away.
    let named = labels.get("check").unwrap_or(result.name());
    let address = format!("detail/checks/{}?{}", encoded(named), filters.join("&"));
    let name = result.source().map_or(result.name().to_owned(), |source| format!("{source}/{}", result.name()));
    let output = if outputs { result.output() } else { "" };
    // Once it is clean: what is before it may be nothing but escapes.
    let line = first_line(&cleaned(&output[..output.floor_char_boundary(OUTPUT)])).chars().take(LINE).collect();
    let name = cleaned(&name).into_owned();
    let end = check.end.map(|end| ShownEnd { at: moment(end.at), over: end.over });
    ShownCheck { name, status: check.state.status().word(), address, line, end }
}

fn beginning(samples: &str) -> String {
    if samples.len() <= SAMPLES {
        return cleaned(samples).into_owned();
    }
    let end = samples[..samples.floor_char_boundary(SAMPLES)].rfind('\n').map_or(0, |end| end + 1);
    format!("{}… and {} more lines", cleaned(&samples[..end]), samples[end..].lines().count())
}

/// Where the group is deleted: every value encoded, so that any value has a path.
fn address(prefix: &str, key: &Key) -> String {
    let (labels, kind) = (&key.labels, if key.checks { "checks" } else { "metrics" });
    let value = |value: &str| if value.is_empty() { "=".to_owned() } else { URL_SAFE_NO_PAD.encode(value) };
    let mut address = format!("{prefix}/{kind}/job@base64/{}", value(labels.get("job").unwrap_or_default()));
    for (name, own) in labels.iter().filter(|(name, _)| *name != "job") {
        address.push_str(&format!("/{name}@base64/{}", value(own)));
    }
    address
}
