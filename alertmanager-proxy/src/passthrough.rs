//! Everything that is not the proxy's own business goes to an Alertmanager as it is, and its answer back.
//!
//! - any other method and path: the first Alertmanager that can be reached answers
//! - `/alertmanager/…`: the same for what the proxy answers itself, such as Alertmanager's `/metrics` and `/-/ready`
//!
//! Silences are gossiped among Alertmanagers, so one of them is enough. Bodies are streamed both ways. A request is tried at
//! the next Alertmanager where that can do no harm: when no connection came about, and after other failures and long waits
//! when its method is idempotent. That needs the body again, so only small ones, whose length is known, are kept for it. What is larger
//! than a posted body may be is answered with 413, a path that climbs (`..`) or is none (`*`) with 400, TRACE and CONNECT with 405.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{Redirect, Response};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;
use service::http::innermost;
use tokio::time::{sleep, timeout};

use crate::body::{self, Bodies, Held, Unread};
use crate::forward::{Forwarder, Peer};
use crate::intake::error;
use crate::setup::Shared;

/// Below it stands everything of Alertmanager's, without the proxy's own pages in front.
pub const PREFIX: &str = "/alertmanager";

/// For one exchange. Long lists of alerts take Alertmanager seconds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// After which the next Alertmanager is asked as well, where that does no harm; people wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a body that is kept for another try; a silence has a few hundred.
const KEPT: usize = 1 << 20;

/// Headers that are between two neighbours and not between the ends (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Passes requests on.
#[derive(Debug)]
pub struct Passthrough {
    /// The configuration in force.
    pub setup: Shared,
    /// Who knows the Alertmanagers.
    pub forwarder: Arc<Forwarder>,
    /// Reads the bodies that are kept.
    pub bodies: Arc<Bodies>,
}

/// A request's body, on its way.
enum Content {
    Kept(Held),
    /// The same with its limit.
    Streamed(Limited<Body>, usize),
}

/// Passes `request` on to the first Alertmanager that can be reached.
pub async fn pass(State(passthrough): State<Arc<Passthrough>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    // What is traced comes back with our credentials; a tunnel leads past every prefix.
    if matches!(parts.method, Method::TRACE | Method::CONNECT) {
        return error(StatusCode::METHOD_NOT_ALLOWED, 405, &format!("{} is not passed on", parts.method));
    }
    // `*` would become a part of the prefix's last segment.
    if !path.starts_with('/') {
        return error(StatusCode::BAD_REQUEST, 400, "the path does not begin with `/`");
    }
    if climbs(path) {
        return error(StatusCode::BAD_REQUEST, 400, "the path has a segment `.` or `..`");
    }
    match passthrough.content(&parts.headers, body).await {
        Ok(content) => passthrough.anywhere(&parts, content).await,
        Err(why) => unread(&why),
    }
}

/// [`PREFIX`] itself: the links of Alertmanager's page are relative to a folder.
pub async fn prefix() -> Redirect {
    Redirect::permanent(&format!("{PREFIX}/"))
}

// === impl Passthrough ===

impl Passthrough {
    /// Passes a request on to every Alertmanager, as alerts are; the answer is that of the first that has any: in the
    /// configured order, but those that are known to be down last.
    pub async fn everywhere(&self, parts: &Parts, body: &Bytes) -> Option<Response> {
        let (peers, limit) = (self.forwarder.by_reachability(), self.setup.load().config.forward.timeout);
        let answers = peers.iter().map(|peer| {
            let sent = self.send(peer, parts, reqwest::Body::from(body.clone()));
            timeout(limit, sent).map(|answered| answered.ok()?.ok())
        });
        join_all(answers).await.into_iter().flatten().next().map(back)
    }

    /// What may have to be sent again is read first.
    async fn content(&self, headers: &HeaderMap, body: Body) -> Result<Content, Unread> {
        let limit = self.setup.load().config.limits.max_body_bytes;
        match body::length(headers) {
            Some(..=KEPT) => self.bodies.read(headers, body, limit).await.map(Content::Kept),
            Some(length) if length > limit => Err(Unread::TooLarge(limit)),
            _ => Ok(Content::Streamed(Limited::new(body, limit), limit)),
        }
    }

    async fn anywhere(&self, parts: &Parts, content: Content) -> Response {
        let peers = self.forwarder.by_reachability();
        let mut failures = Vec::new();
        let kept = match content {
            Content::Kept(kept) => kept,
            Content::Streamed(body, limit) => {
                let Some(first) = peers.first() else { return unreachable(&[]) };
                let body = reqwest::Body::wrap_stream(body.into_data_stream());
                return match self.send(first, parts, body).await {
                    Ok(response) => back(response),
                    Err(failure) if body::is_too_large(&failure) => unread(&Unread::TooLarge(limit)),
                    Err(failure) => unreachable(&[told(first, &failure)]),
                };
            }
        };
        let idempotent = parts.method.is_idempotent();
        let (mut left, mut tries) = (peers.iter(), FuturesUnordered::new());
        let mut next = left.next();
        loop {
            if let Some(peer) = next.take() {
                let sent = self.send(peer, parts, reqwest::Body::from(kept.bytes().clone()));
                tries.push(async move { (peer, sent.await) });
            }
            tokio::select! {
                tried = tries.next() => match tried {
                    Some((_, Ok(response))) => return back(response),
                    Some((peer, Err(failure))) => {
                        failures.push(told(peer, &failure));
                        if failure.is_connect() || idempotent {
                            next = left.next();
                        }
                    }
                    None => break,
                },
                () = sleep(PATIENCE), if idempotent && left.len() > 0 => next = left.next(),
            }
        }
        unreachable(&failures)
    }

    async fn send(&self, peer: &Peer, parts: &Parts, body: reqwest::Body) -> reqwest::Result<reqwest::Response> {
        let path = parts.uri.path();
        let below = path.strip_prefix(PREFIX).filter(|below| below.starts_with('/'));
        let mut url = peer.at(below.unwrap_or(path));
        url.set_query(parts.uri.query());
        let mut headers = parts.headers.clone();
        strip(&mut headers);
        headers.remove(HOST);
        let way = peer.way();
        if way.has_credentials {
            headers.remove(AUTHORIZATION);
        }
        let request = way.client.request(parts.method.clone(), url).headers(headers).timeout(TIMEOUT);
        // A body, if only an empty one, would give a GET the header `Content-Length: 0`.
        let bodiless = !parts.headers.contains_key(CONTENT_LENGTH) && !parts.headers.contains_key(TRANSFER_ENCODING);
        if bodiless && parts.method != Method::POST { request.send().await } else { request.body(body).send().await }
    }
}

/// Whether a path would leave the Alertmanager's own prefix, behind which others may stand that know its credentials; also where it is
/// decoded only there, or twice, and by servers that pass control characters over or take `..;a` for `..` with a parameter.
fn climbs(path: &str) -> bool {
    let once = percent_decode_str(path).decode_utf8_lossy();
    let path = percent_decode_str(&once).decode_utf8_lossy().replace(|c: char| c.is_ascii_control(), "");
    let mut segments = path.split(['/', '\\']).map(|segment| segment.split(';').next());
    segments.any(|segment| matches!(segment, Some("." | "..")))
}

/// Alertmanager's answer as ours.
fn back(response: reqwest::Response) -> Response {
    let mut answer: http::Response<reqwest::Body> = response.into();
    strip(answer.headers_mut());
    answer.map(Body::new)
}

/// Removes what concerns only the connection it came by.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        // Not as text: one name that is none must not save the others.
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn told(peer: &Peer, failure: &reqwest::Error) -> String {
    format!("{}: {}", peer.name(), innermost(failure))
}

fn unread(why: &Unread) -> Response {
    let (status, _) = why.status();
    error(status, status.as_u16(), &why.to_string())
}

fn unreachable(failures: &[String]) -> Response {
    if failures.is_empty() {
        return error(StatusCode::BAD_GATEWAY, 502, "no Alertmanager is known: none has been found in DNS yet");
    }
    error(StatusCode::BAD_GATEWAY, 502, &format!("no Alertmanager could be reached: {}", failures.join("; ")))
}
