//! The client side: what an answer says, and errors that an operator understands. How it is asked for, in which time
//! and from which addresses, is the program's.

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Detail;
use crate::values::{MOST_VALUES, too_many};

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

/// What `host` says with an answer of the API: a `Vec<Summary>` at `…/api/v1/checks`, a [`Detail`] at `…/{check}`, a
/// [`History`] at `…/{check}/history`.
///
/// [`Detail`]: super::Detail
/// [`History`]: super::History
///
/// # Errors
/// Those of [`FetchError`] that an answer can say.
pub fn answer<T: DeserializeOwned>(host: &str, status: StatusCode, body: &[u8]) -> Result<T, FetchError> {
    let host = host.to_owned();
    if status == StatusCode::OK {
        return serde_json::from_slice(body)
            .map_err(|error| FetchError::Malformed { host, reason: cut(&error.to_string()) });
    }
    let reason = said(body);
    Err(match status {
        StatusCode::NOT_FOUND => FetchError::NotFound { host, reason },
        StatusCode::CONFLICT => FetchError::Ambiguous { host, reason },
        status => FetchError::Status { host, status, reason },
    })
}

/// What a node answered about one check. Definitions are free, so one of more than [`MOST_VALUES`] values is refused before
/// it takes the memory for them.
///
/// # Errors
/// As [`answer`].
pub fn detail(host: &str, status: StatusCode, body: &[u8]) -> Result<Detail, FetchError> {
    if status == StatusCode::OK && too_many(body) {
        let reason = format!("more than {MOST_VALUES} JSON values");
        return Err(FetchError::Malformed { host: host.to_owned(), reason });
    }
    answer(host, status, body)
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

/// What the server said: the `error` of its JSON, or the start of whatever it sent.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error }) => cut(&error),
        Err(_) => cut(&String::from_utf8_lossy(body)),
    }
}

/// The start of a text that is not ours, and may be as long as the answer was.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
