//! Asking Prometheus and Alertmanager: one server, or several of which any one serves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use service::http::{ReadError, innermost, read_limited};
use url::Url;

/// The longest answer that is read, in bytes.
const ANSWER: usize = 64 << 20;

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

/// Servers that know the same, as the two Prometheis of a pair.
#[derive(Debug)]
pub struct Replicas {
    members: Vec<Upstream>,
    /// Who answered last, and so is asked first: the two of a pair differ by moments, and a page should not jump.
    preferred: AtomicUsize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{server}: {reason}")]
pub struct AskError {
    /// Whom we asked: host and port.
    pub server: String,
    /// What happened, in words.
    pub reason: String,
    /// The status, where there was an answer.
    pub status: Option<StatusCode>,
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
        parsed.map_err(|error| self.failed(format!("answered something else than expected: {error}")))
    }

    /// The body of an answer that is no failure.
    async fn fetch(&self, request: RequestBuilder) -> Result<Bytes, AskError> {
        let request = match self.patience {
            Some(patience) => request.timeout(patience),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.failed(innermost(&error)))?;
        let status = response.status();
        let body = read_limited(response, ANSWER).await.map_err(|error| match error {
            ReadError::Broken(error) => self.failed(innermost(&error)),
            other => self.failed(other.to_string()),
        })?;
        if !status.is_success() {
            let failure = self.failed(format!("answered {status}: {}", said(&body)));
            return Err(AskError { status: Some(status), ..failure });
        }
        Ok(body)
    }

    /// A failure of this server.
    pub fn failed(&self, reason: impl Into<String>) -> AskError {
        AskError { server: self.name().to_owned(), reason: reason.into(), status: None }
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

/// What the server says in its JSON, or the beginning of whatever it sent.
fn said(body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let words = ["error", "message"].iter().find_map(|field| json[field].as_str());
    // Alertmanager sends some of its errors as a mere string.
    let words =
        words.or(json.as_str()).map(str::to_owned).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    words.chars().filter(|c| !c.is_control()).take(SAID).collect()
}
