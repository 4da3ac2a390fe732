//! What headers say of a push.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use clap::Parser as _;
use jiff::{SignedDuration, Timestamp};
use pushgateway_ex::events::Events;
use pushgateway_ex::flags::Flags;
use pushgateway_ex::groups::{Groups, Limits};
use pushgateway_ex::keeper::Keeper;
use pushgateway_ex::labels::{Key, Labels};
use pushgateway_ex::web::{self, Gateway};
use service::{Server, is_foreign};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const TTL: &str = "pushgateway-ttl";
/// The units of a time to live and their milliseconds, in the order in which they are written.
const UNITS: [(&str, i64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

struct Open {
    runtime: Runtime,
    keeper: Keeper,
    routes: Router,
}

static OPEN: LazyLock<Open> = LazyLock::new(|| {
    let flags = Flags::try_parse_from(["pushgateway-ex"]).expect("no flag is needed");
    let groups = Groups::new(BTreeMap::new(), Limits { groups: 1, series: usize::MAX });
    let mut server = Server::new(service::build_info!(), &flags.web).expect("there is no web config");
    let events = Events::new(server.registry());
    let (keeper, _) = Keeper::start(groups, None, events.clone()).expect("there can be a thread");
    let parts = (keeper.clone(), events, server.request_limit(1));
    let gateway = Gateway::new(service::build_info!(), &flags, parts, CancellationToken::new());
    let runtime = Builder::new_current_thread().enable_all().build().expect("there can be a runtime");
    Open { runtime, keeper, routes: web::router(Arc::new(gateway)) }
});

/// The headers of a push of text: it is taken unless they say that it is something else, and stays as long as they say.
pub(crate) fn pushed(headers: &HeaderMap) {
    let mut push = Request::put("/metrics/job/j").body(Body::from("m 1\n")).expect("it is a request");
    push.headers_mut().clone_from(headers);
    let before = Timestamp::now();
    let answer = OPEN.runtime.block_on(OPEN.routes.clone().oneshot(push)).expect("it answers whatever comes");
    let now = Timestamp::now();
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let is_text = !text(CONTENT_TYPE.as_str()).contains("application/vnd.google.protobuf")
        && !["gzip", "snappy"].contains(&&*text(CONTENT_ENCODING.as_str()));
    let written = headers.get(TTL).map(|ttl| written(ttl.to_str().unwrap_or_default()));
    match answer.status() {
        StatusCode::OK => {
            assert!(is_text, "{headers:?}");
            let labels = Labels::new([("job".to_owned(), "j".to_owned())]);
            let groups = OPEN.keeper.groups();
            let expires = groups.get(&Key::metrics(labels)).expect("it was just pushed").expires;
            match written {
                None => assert_eq!(expires, None, "no flag says so"),
                Some(Some(ttl)) if ttl.is_zero() => assert_eq!(expires, None, "{headers:?}"),
                Some(Some(ttl)) => {
                    let expires = expires.expect("it says when");
                    assert!((before + ttl..=now + ttl).contains(&expires), "{headers:?}: {expires}");
                }
                // However it is written: it is not over before it is there, and for ever says only who says nothing or zero.
                Some(None) => {
                    let is_zero = !text(TTL).contains(|c: char| matches!(c, '1'..='9'));
                    assert!(expires.map_or(is_zero, |expires| expires >= before), "{headers:?}: {expires:?}");
                }
            }
        }
        StatusCode::BAD_REQUEST => {
            let is_over = |ttl: SignedDuration| now.checked_add(ttl).is_err();
            assert!(!is_text || written.is_some_and(|ttl| ttl.is_none_or(is_over)), "{headers:?}");
        }
        StatusCode::FORBIDDEN => {
            let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
            assert!(is_foreign(&Method::PUT, headers, host), "{headers:?}");
        }
        status => panic!("{status}: {headers:?}"),
    }
}

/// A time to live as the documentation writes it: numbers with units, the largest first.
fn written(text: &str) -> Option<SignedDuration> {
    let (mut rest, mut units, mut sum) = (text, UNITS.iter(), 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| (1..=6).contains(digits))?;
        let (number, more) = rest.split_at(digits);
        let end = more.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(more.len());
        let (unit, after) = more.split_at(end);
        let (_, milliseconds) = units.find(|(known, _)| *known == unit)?;
        sum += number.parse::<i64>().ok()? * milliseconds;
        rest = after;
    }
    (!text.is_empty()).then(|| SignedDuration::from_millis(sum))
}
