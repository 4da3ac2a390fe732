//! The client side: one request, and errors that an operator understands.

use reqwest::{Client, StatusCode, Url, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use service::http::{ReadError, innermost, read_limited};

/// Why there is no detail. Its text ends up in an alert, read by somebody at 3 a.m.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered in time.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// No connection came about: refused, no route, unknown name, TLS.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// Whom we asked.
        host: String,
        /// The innermost cause.
        reason: String,
    },
    /// The server does not know the check.
    #[error("{host} has no result of this check: {reason}")]
    NotFound {
        /// Whom we asked.
        host: String,
        /// The server's own words.
        reason: String,
    },
    /// The server knows more than one.
    #[error("{host} has more than one such check: {reason}")]
    Ambiguous {
        /// Whom we asked.
        host: String,
        /// The server's own words.
        reason: String,
    },
    /// Any other status.
    #[error("{host} answered {status}: {reason}")]
    Status {
        /// Whom we asked.
        host: String,
        /// Its answer.
        status: StatusCode,
        /// The server's own words, or none.
        reason: String,
    },
    /// The answer is larger than is read.
    #[error("{host} answered with more than {limit} bytes")]
    TooLarge {
        /// Whom we asked.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer is nothing of the API's.
    #[error("{host} answered with something else than a check result: {reason}")]
    Malformed {
        /// Whom we asked.
        host: String,
        /// What was wrong with it.
        reason: String,
    },
    /// The connection broke while the answer was read.
    #[error("{host} broke off its answer: {reason}")]
    Broken {
        /// Whom we asked.
        host: String,
        /// The innermost cause.
        reason: String,
    },
}

/// Asks `url`, filters in its query, for what the API answers there: a `Vec<Summary>` at `…/api/v1/checks`, a [`Detail`] at
/// `…/{check}`, a [`History`] at `…/{check}/history`. Reads at most `limit` bytes of answer; time limits, redirects and the
/// addresses that may be connected to are the client's.
///
/// [`Detail`]: super::Detail
/// [`History`]: super::History
///
/// # Errors
/// See [`FetchError`].
pub async fn fetch<T: DeserializeOwned>(http: &Client, url: Url, limit: usize) -> Result<T, FetchError> {
    let host = url.authority().to_owned();
    let request = http.get(url).header(header::ACCEPT, "application/json");
    let response = request.send().await.map_err(|error| unanswered(&error, &host))?;
    let status = response.status();
    let body = read_limited(response, limit).await.map_err(|error| unread(error, &host))?;
    if status == StatusCode::OK {
        return serde_json::from_slice(&body)
            .map_err(|error| FetchError::Malformed { host, reason: error.to_string() });
    }
    let reason = said(&body);
    Err(match status {
        StatusCode::NOT_FOUND => FetchError::NotFound { host, reason },
        StatusCode::CONFLICT => FetchError::Ambiguous { host, reason },
        status => FetchError::Status { host, status, reason },
    })
}

// === impl FetchError ===

impl FetchError {
    /// A word for a metric's label, one of a fixed few.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Connect { .. } => "connect",
            Self::NotFound { .. } => "not_found",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Status { .. } => "status",
            Self::TooLarge { .. } => "too_large",
            Self::Malformed { .. } => "malformed",
            Self::Broken { .. } => "broken",
        }
    }
}

fn unanswered(error: &reqwest::Error, host: &str) -> FetchError {
    let host = host.to_owned();
    if error.is_timeout() {
        return FetchError::Timeout(host);
    }
    let reason = innermost(error);
    if error.is_connect() { FetchError::Connect { host, reason } } else { FetchError::Broken { host, reason } }
}

fn unread(error: ReadError, host: &str) -> FetchError {
    let host = host.to_owned();
    match error {
        ReadError::TooLarge { limit } => FetchError::TooLarge { host, limit },
        ReadError::Timeout => FetchError::Timeout(host),
        ReadError::Broken(error) => FetchError::Broken { host, reason: innermost(&error) },
    }
}

/// What the server said: the `error` of its JSON, or the start of whatever it sent.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error }) => error,
        Err(_) => String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(200).collect(),
    }
}
