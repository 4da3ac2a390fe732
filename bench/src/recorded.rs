//! A server before another one: it passes requests on and counts them, or answers each as the other one answered it first.
//!
//! So one real Prometheus plays several clusters, whose answers are as long as its own and cost it nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use reqwest::{Client, Url};
use service::http::{ClientOptions, read_limited, upstream_client};
use tokio::sync::Mutex;

use crate::serve::serve;

/// The longest answer.
const LIMIT: usize = 256 << 20;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(100);

/// Parameters that differ from one refresh to the next.
const MOMENTS: [&str; 3] = ["time", "start", "end"];

/// The server, until the bench ends.
#[derive(Debug)]
pub(crate) struct Recorded {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    client: Client,
    /// What was answered first to each request; none where each is passed on.
    answers: Option<Mutex<HashMap<String, Answer>>>,
    requests: AtomicU64,
    bytes: AtomicU64,
    /// Microseconds until the other server's answers were there.
    took: AtomicU64,
}

#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

#[derive(Debug)]
struct Request {
    method: Method,
    uri: Uri,
    form: Option<HeaderValue>,
    body: Bytes,
}

/// What was asked of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    /// How long the other server took in all, in seconds.
    pub(crate) took: f64,
}

// === impl Recorded ===

impl Recorded {
    /// Passes everything on to the server at `upstream`.
    pub(crate) fn passing(upstream: &str) -> anyhow::Result<Self> {
        Self::start(upstream, None)
    }

    /// Passes each request on once.
    pub(crate) fn playing(upstream: &str) -> anyhow::Result<Self> {
        Self::start(upstream, Some(Mutex::default()))
    }

    fn start(upstream: &str, answers: Option<Mutex<HashMap<String, Answer>>>) -> anyhow::Result<Self> {
        let options = ClientOptions { timeout: PATIENCE, ..ClientOptions::new(service::build_info!()) };
        let (client, zero) = (upstream_client(&options)?, AtomicU64::default);
        let upstream = upstream.to_owned();
        let shared = Arc::new(Shared { upstream, client, answers, requests: zero(), bytes: zero(), took: zero() });
        let address = serve(Router::new().fallback(answer).with_state(Arc::clone(&shared)))?;
        Ok(Self { address, shared })
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked of it so far.
    pub(crate) fn load(&self) -> Load {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Load {
            requests: of(&self.shared.requests),
            bytes: of(&self.shared.bytes),
            took: of(&self.shared.took) as f64 / 1e6,
        }
    }
}

// === impl Shared ===

impl Shared {
    async fn ask(&self, request: Request) -> anyhow::Result<Answer> {
        let Request { method, uri, form, body } = request;
        let url = format!("{}{uri}", self.upstream);
        let (started, mut request) = (Instant::now(), self.client.request(method, url).body(body));
        if let Some(form) = form {
            request = request.header(CONTENT_TYPE, form);
        }
        let response = request.send().await?;
        let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE).cloned());
        let body = read_limited(response, LIMIT).await?;
        let took = u64::try_from(started.elapsed().as_micros())?;
        self.took.fetch_add(took, Ordering::Relaxed);
        Ok(Answer { status, kind, body })
    }

    /// What was answered to the same request before, or else now. Of several that ask at the same time one is passed on.
    async fn play(&self, answers: &Mutex<HashMap<String, Answer>>, request: Request) -> anyhow::Result<Answer> {
        let (key, mut answers) = (request.key(), answers.lock().await);
        if let Some(answer) = answers.get(&key) {
            return Ok(answer.clone());
        }
        let answer = self.ask(request).await?;
        if answer.status.is_success() {
            answers.insert(key, answer.clone());
        }
        Ok(answer)
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request { method, uri, form: headers.get(CONTENT_TYPE).cloned(), body };
    let answer = match &shared.answers {
        Some(answers) => shared.play(answers, request).await,
        None => shared.ask(request).await,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    };
    shared.requests.fetch_add(1, Ordering::Relaxed);
    shared.bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
    let kind = answer.kind.map(|kind| (CONTENT_TYPE, kind));
    (answer.status, kind.into_iter().collect::<HeaderMap>(), answer.body).into_response()
}

// === impl Request ===

impl Request {
    /// What is asked, whenever it is.
    fn key(&self) -> String {
        let Self { method, uri, body, .. } = self;
        let url = Url::parse(&format!("http://server{uri}"));
        let query: Vec<_> =
            url.iter().flat_map(Url::query_pairs).filter(|(name, _)| !MOMENTS.contains(&&**name)).collect();
        format!("{method} {} {query:?} {}", uri.path(), String::from_utf8_lossy(body))
    }
}

// === impl Load ===

impl Load {
    /// What was asked since then.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            bytes: self.bytes - earlier.bytes,
            took: self.took - earlier.took,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_makes_no_other_request() {
        let key = |uri: &'static str| {
            let (method, uri) = (Method::GET, Uri::from_static(uri));
            Request { method, uri, form: None, body: Bytes::new() }.key()
        };
        assert_eq!(key("/q?query=a&time=1"), key("/q?query=a&time=2"));
        assert_ne!(key("/q?query=a&time=1"), key("/q?query=b&time=1"));
    }
}
