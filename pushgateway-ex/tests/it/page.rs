//! What holds of the page of groups, whatever it is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::Parser as _;
use html5ever::tokenizer::Tag;
use http_body_util::{BodyExt as _, Limited};
use pushgateway_ex::events::Events;
use pushgateway_ex::flags::Flags;
use pushgateway_ex::groups::{Groups, Limits};
use pushgateway_ex::keeper::Keeper;
use pushgateway_ex::labels::Key;
use pushgateway_ex::path::grouping_key;
use pushgateway_ex::web::route::{Paths, Route, Target, route};
use pushgateway_ex::web::{self, Gateway};
use serde_json::json;
use service::Server;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use url::{Url, form_urlencoded};

use crate::html::{Templates, attribute};

/// What anybody may push as a label or an output.
const HOSTILE: &str = "<script>alert(1)</script>\"'&--> \u{1b}[31m\u{202e} {{ 7 }}</pre><img src=x onerror=alert(1)>";
/// Groups on a page, and of each kind.
const PAGE: usize = 25;
const GROUPS: usize = 30;
const LONGEST: usize = 1 << 20;

struct Open {
    runtime: Runtime,
    keeper: Keeper,
    routes: Router,
}

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::of("pushgateway-ex/templates", is_harmless));

static OPEN: LazyLock<Open> = LazyLock::new(|| {
    let flags = Flags::try_parse_from(["pushgateway-ex"]).expect("no flag is needed");
    let groups = Groups::new(BTreeMap::new(), Limits { groups: 2 * GROUPS + 1, series: usize::MAX });
    let mut server = Server::new(service::build_info!(), &flags.web).expect("there is no web config");
    let events = Events::new(server.registry());
    let (keeper, _) = Keeper::start(groups, None, events.clone()).expect("there can be a thread");
    let parts = (keeper.clone(), events, server.request_limit(1));
    let gateway = Gateway::new(service::build_info!(), &flags, parts, CancellationToken::new());
    let runtime = Builder::new_current_thread().enable_all().build().expect("there can be a runtime");
    let open = Open { runtime, keeper, routes: web::router(Arc::new(gateway)) };
    let hostile = BASE64_URL_SAFE_NO_PAD.encode(HOSTILE);
    let result = json!({"name": HOSTILE, "source": "r", "output": HOSTILE, "status": 2, "command": "x"});
    let plain = json!({"name": "disk", "output": HOSTILE, "status": 2});
    for number in 0..GROUPS {
        let labels = format!("job@base64/{hostile}/number/{number}/Kind@base64/{hostile}");
        let metrics = "# HELP m <b>\n# TYPE m gauge\nm{y=\"<script>\"} 1\n".to_owned();
        for (path, body) in [("metrics", metrics), ("checks", plain.to_string())] {
            let push = Request::put(format!("/{path}/{labels}")).body(Body::from(body)).expect("it is a request");
            assert_eq!(open.ask(push).0, StatusCode::OK);
        }
    }
    // Whether or not a name may be so.
    open.ask(Request::put("/checks/job/hostile").body(Body::from(result.to_string())).expect("it is a request"));
    open
});

// === impl Open ===

impl Open {
    fn ask(&self, request: Request<Body>) -> (StatusCode, String) {
        self.runtime.block_on(async {
            let answer = self.routes.clone().oneshot(request).await.expect("it answers whatever comes");
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LONGEST).collect().await.expect("a page has so many groups");
            (status, String::from_utf8(body.to_bytes().to_vec()).expect("answers are UTF-8"))
        })
    }
}

/// The query of the page of groups: it has the groups whose labels hold what is looked for, a page of them, each with its own address, and
/// nothing gets into it as markup; the pages are all groups, one after the other.
pub(crate) fn page(query: &[u8]) {
    let Some(query) = std::str::from_utf8(query).ok().filter(|query| format!("/?{query}").parse::<Uri>().is_ok())
    else {
        return;
    };
    // What stands behind it is not sent.
    let query = query.split('#').next().unwrap_or_default();
    let (mut find, mut number) = (String::new(), 1);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "q" => find = value.trim().to_owned(),
            "page" => number = value.parse().unwrap_or(1),
            _ => {}
        }
    }
    let wanted = find.to_lowercase();
    let groups = OPEN.keeper.groups();
    let found: Vec<&Key> = groups.iter().map(|group| &group.key).collect();
    let found: Vec<_> =
        found.into_iter().filter(|key| key.labels.to_string().to_lowercase().contains(&wanted)).collect();
    let pages = found.len().div_ceil(PAGE).max(1);
    let part = |number: usize| found.chunks(PAGE).nth(number - 1).unwrap_or_default();
    let tags = shown(query, part(number.clamp(1, pages)));
    let field = tags.iter().find(|tag| attribute(tag, "name") == "q").expect("the page can be searched");
    assert_eq!(attribute(field, "value"), find.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}"));
    let next = tags.iter().find(|tag| attribute(tag, "rel") == "next").map(|tag| attribute(tag, "href"));
    assert_eq!(next.is_some(), number.clamp(1, pages) < pages, "{query}");
    if let Some(next) = next {
        shown(next.trim_start_matches('?'), part(number.max(1) + 1));
    }
}

/// The page has these groups, each with a button that deletes it.
fn shown(query: &str, expected: &[&Key]) -> Vec<Tag> {
    let request = Request::get(format!("/?{query}")).body(Body::empty()).expect("it is a request");
    let (status, text) = OPEN.ask(request);
    assert_eq!(status, StatusCode::OK, "{query}");
    let tags = TEMPLATES.wrote(&text);
    let paths = Paths { prefix: String::new(), telemetry: "/metrics".to_owned(), admin: false };
    let buttons = tags.iter().map(|tag| attribute(tag, "data-group")).filter(|address| !address.is_empty());
    let keys = buttons.map(|address| match route(&paths, &Method::DELETE, address) {
        Route::To(Target::Group(group)) => {
            let labels = grouping_key(&group.job, group.encoded, &group.labels).expect("it is a group's");
            Key { labels, checks: group.checks }
        }
        other => panic!("{address} is {other:?}"),
    });
    assert!(keys.eq(expected.iter().map(|key| (*key).clone())), "{query}");
    tags
}

/// Whether an attribute that means something to a browser has a value that a template gives it.
fn is_harmless(_: &Tag, name: &str, value: &str) -> bool {
    let is_of = |listed: &[&str]| listed.contains(&value);
    match name {
        "href" | "data-group" => {
            let here = Url::parse("http://gateway/").expect("it is an address");
            here.join(value).is_ok_and(|there| there.origin() == here.origin())
        }
        "rel" => is_of(&["prev", "next", "stylesheet"]),
        "method" => value == "get",
        "type" => is_of(&["button", "search"]),
        "class" => is_of(&["faint", "failed"]),
        _ => true,
    }
}
