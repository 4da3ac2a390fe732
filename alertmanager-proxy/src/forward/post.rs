//! One post to one Alertmanager.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use reqwest::Client;
use service::http::{innermost, read_limited};
use url::Url;

use crate::alert::Outgoing;

/// The longest answer that is read: Alertmanager's reason for a refusal has a sentence for each bad alert.
const ANSWER_BYTES: usize = 256 << 10;

/// Bytes that are kept of it.
const REASON_BYTES: usize = 4_096;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// Alertmanager finds fault with an alert; trying again is no use.
    #[error("answered {status}: {reason}")]
    Refused {
        /// 400, 413 or 422.
        status: StatusCode,
        /// Alertmanager's own words.
        reason: String,
    },
    /// It answered something else, or hung up: it may be in trouble, or one of the alerts may be to blame.
    #[error("{0}")]
    Unwilling(String),
    /// It was reached and did not answer in time: the same may be.
    #[error("{0}")]
    Hung(String),
    /// It could not be reached.
    #[error("{0}")]
    Failed(String),
}

// === impl PostError ===

impl PostError {
    /// Whether one of the alerts may be to blame, since somebody had them.
    pub(super) fn may_be_an_alert(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }

    /// Whether Alertmanager says that it does not take the name of a label or an annotation (`validateLs` in its
    /// `types/types.go`).
    pub(super) fn is_of_names(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason.contains("invalid name"))
    }

    fn unanswered(error: &reqwest::Error) -> Self {
        let reason = innermost(error);
        match error {
            error if error.is_connect() => Self::Failed(reason),
            error if error.is_timeout() => Self::Hung(reason),
            _ => Self::Unwilling(reason),
        }
    }
}

/// Posts `batch` to `url`, an Alertmanager's `/api/v2/alerts`.
pub(super) async fn post(
    client: &Client,
    url: &Url,
    batch: &[Arc<Outgoing>],
    timeout: Duration,
) -> Result<(), PostError> {
    let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json").timeout(timeout);
    let response = request.body(array(batch)).send().await.map_err(|error| PostError::unanswered(&error))?;
    let status = response.status();
    if status.is_success() {
        // Read to its end so that the connection can be used again; there is nothing in it.
        let _ = read_limited(response, ANSWER_BYTES).await;
        return Ok(());
    }
    let body = read_limited(response, ANSWER_BYTES).await.unwrap_or_default();
    let reason = String::from_utf8_lossy(&body[..body.len().min(REASON_BYTES)]).trim().to_owned();
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Err(PostError::Refused { status, reason })
        }
        _ => Err(PostError::Unwilling(format!("answered {status} {reason}"))),
    }
}

/// The JSON array of the batch.
fn array(batch: &[Arc<Outgoing>]) -> Vec<u8> {
    let mut body = Vec::with_capacity(2 + batch.iter().map(|alert| alert.size() + 1).sum::<usize>());
    for (index, alert) in batch.iter().enumerate() {
        body.push(if index == 0 { b'[' } else { b',' });
        alert.write(&mut body);
    }
    body.push(b']');
    body
}
