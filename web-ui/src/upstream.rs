//! Asking Prometheus and Alertmanager: one server, or several of which any one serves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use service::http::{ReadError, innermost, read_limited};
use url::Url;

use crate::texts::{Say, Texts, fill};

/// The longest answer that is read, in bytes: Alertmanager's, where 100,000 alerts with outputs fire, has more than 64 MiB.
const ANSWER: usize = 256 << 20;

/// From so many bytes on, an answer is parsed where it keeps no request waiting.
const LARGE: usize = 64 << 10;

/// How much of what a server says of a failure is shown.
const SAID: usize = 300;

/// A server.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Where its paths begin; no slash at the end.
    pub url: Url,
    client: Client,
    /// For one answer, where that is not the client's.
    patience: Option<Duration>,
}

/// Servers that know the same, as the two Prometheus servers of a pair.
#[derive(Debug)]
pub struct Replicas {
    members: Vec<Upstream>,
    /// Who answered last, and so is asked first: the two of a pair differ by moments, and a page should not jump.
    preferred: AtomicUsize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskError {
    /// Whom we asked: host and port.
    pub server: String,
    /// What happened.
    pub reason: Reason,
}

/// What may happen instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing came in time.
    Late,
    /// Not all of it came in time.
    Stalled,
    /// It is longer than so many bytes.
    TooLarge(usize),
    /// No connection, or it broke; in the system's words.
    Broken(String),
    /// A status that is a failure, and what the server says of it.
    Refused(StatusCode, String),
    /// Nothing that can be read; in the parser's words.
    Nonsense(String),
    /// So much else is being asked that this was not.
    Crowded,
    /// Nothing has come within this time, and may come still.
    Awaited(Duration),
}

// === impl Upstream ===

impl Upstream {
    /// The server at `url`, asked with `client`, whose limits of time hold.
    pub fn new(url: Url, client: Client) -> Self {
        Self { url, client, patience: None }
    }

    /// The same server, which may take so long for an answer.
    #[must_use]
    pub fn patient(&self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self.clone() }
    }

    /// Its host and port, as people know it.
    pub fn name(&self) -> &str {
        self.url.authority()
    }

    /// The address of `path`, which begins with a slash.
    pub fn address(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let whole = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);
        url
    }

    /// What stands as JSON at `path`.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn get<T>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, AskError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut url = self.address(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.client.get(url)).await
    }

    /// The answer to `body`, posted as JSON.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn post<T>(&self, path: &str, body: &impl serde::Serialize) -> Result<T, AskError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.send(self.client.post(self.address(path)).json(body)).await
    }

    /// Deletes what stands at `path`; whatever is answered to that is not read.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn delete(&self, path: &str) -> Result<(), AskError> {
        self.fetch(self.client.delete(self.address(path))).await.map(drop)
    }

    async fn send<T: DeserializeOwned + Send + 'static>(&self, request: RequestBuilder) -> Result<T, AskError> {
        let body = self.fetch(request).await?;
        let is_large = body.len() >= LARGE;
        let parse = move || serde_json::from_slice(&body);
        let parsed = match is_large {
            true => tokio::task::spawn_blocking(parse).await.expect("parsing does not panic"),
            false => parse(),
        };
        parsed.map_err(|error| self.failed(Reason::Nonsense(error.to_string())))
    }

    /// The body of an answer that is no failure.
    async fn fetch(&self, request: RequestBuilder) -> Result<Bytes, AskError> {
        let request = match self.patience {
            Some(patience) => request.timeout(patience),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.failed(Reason::from(&error)))?;
        let status = response.status();
        let body = read_limited(response, ANSWER).await.map_err(|error| match error {
            ReadError::Timeout => self.failed(Reason::Stalled),
            ReadError::TooLarge { limit } => self.failed(Reason::TooLarge(limit)),
            ReadError::Broken(error) => self.failed(Reason::from(&error)),
        })?;
        if !status.is_success() {
            return Err(self.failed(Reason::Refused(status, said(&body))));
        }
        Ok(body)
    }

    /// A failure of this server.
    pub fn failed(&self, reason: Reason) -> AskError {
        AskError { server: self.name().to_owned(), reason }
    }
}

// === impl Replicas ===

impl Replicas {
    /// These servers, the first of which is asked first.
    pub fn new(members: Vec<Upstream>) -> Self {
        Self { members, preferred: AtomicUsize::new(0) }
    }

    /// The answer of the first one that gives any, and the failures of those that were asked before.
    ///
    /// # Errors
    /// The failures of all.
    pub async fn ask<'a, T, F: Future<Output = Result<T, AskError>>>(
        &'a self,
        ask: impl Fn(&'a Upstream) -> F,
    ) -> Result<(T, Vec<AskError>), Vec<AskError>> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for index in (0..self.members.len()).map(|offset| (first + offset) % self.members.len()) {
            let member = &self.members[index];
            match ask(member).await {
                Ok(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok((answer, failures));
                }
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures)
    }
}

// === impl AskError ===

impl AskError {
    /// The status, where there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        match self.reason {
            Reason::Refused(status, _) => Some(status),
            _ => None,
        }
    }
}

impl Say for AskError {
    fn say(&self, t: &Texts) -> String {
        format!("{}: {}", self.server, self.reason.say(t))
    }
}

// === impl Reason ===

impl Say for Reason {
    fn say(&self, t: &Texts) -> String {
        match self {
            Self::Late => t.ask_late.to_owned(),
            Self::Stalled => t.ask_stalled.to_owned(),
            Self::TooLarge(limit) => fill(t.ask_large, &[limit]),
            Self::Broken(words) => fill(t.ask_broken, &[words]),
            Self::Refused(status, words) if words.is_empty() => fill(t.ask_refused, &[status]),
            Self::Refused(status, words) => format!("{}: {words}", fill(t.ask_refused, &[status])),
            Self::Nonsense(words) => fill(t.ask_nonsense, &[words]),
            Self::Crowded => t.ask_crowded.to_owned(),
            Self::Awaited(patience) => fill(t.ask_awaited, &[&fill(t.seconds, &[&patience.as_secs_f64()])]),
        }
    }
}

impl From<&reqwest::Error> for Reason {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::Late } else { Self::Broken(innermost(error)) }
    }
}

/// What the server says in its JSON, or the beginning of whatever it sent.
fn said(body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let words = ["error", "message"].iter().find_map(|field| json[field].as_str());
    // Alertmanager sends some of its errors as a mere string.
    let words =
        words.or(json.as_str()).map(str::to_owned).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    words.chars().filter(|c| !c.is_control()).take(SAID).collect()
}
