//! One request to one gateway.

use bytes::{BufMut as _, Bytes, BytesMut};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use service::http::{innermost, read_limited};

use super::config::Kind;
use super::gateway::Gateway;
use super::queue::Entry;
use super::removed::Listed;

/// Bytes that are read of a gateway's reason.
const REASON_BYTES: usize = 4_096;
/// Bytes of the list of a gateway's checks.
const LIST_BYTES: usize = 8 << 20;
/// How pushgateway-ex is told how long to keep a push.
const TTL: &str = "Pushgateway-TTL";

/// Why a gateway did not take a push.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// It finds fault with what was pushed; trying again is no use.
    #[error("answered {status}: {reason}")]
    Refused {
        /// 400, 413 or 422.
        status: StatusCode,
        /// The gateway's own words.
        reason: String,
    },
    /// It does not do that, at least not for us: 403, 404 or 405.
    #[error("{0}")]
    Denied(String),
    /// It could not be reached, or answered what says nothing about the results.
    #[error("{0}")]
    Failed(String),
}

/// Pushes what [`Gateway::batch`] gave, at least one result.
///
/// # Errors
/// See [`PostError`].
pub async fn push(gateway: &Gateway, batch: &[Entry]) -> Result<(), PostError> {
    let client = gateway.client();
    let request = match (gateway.kind(), batch) {
        (Kind::Metrics, [one, ..]) => {
            gateway.shows(&one.key);
            let request = client.put(gateway.metrics_url(&one.key)).header(CONTENT_TYPE, "text/plain; version=0.0.4");
            request.body(one.payload.clone())
        }
        _ => {
            let request = client.post(gateway.results_url()).header(CONTENT_TYPE, "application/json");
            request.body(array(batch))
        }
    };
    let ttl = gateway.ttl();
    send(if ttl.is_zero() { request } else { request.header(TTL, format!("{}ms", ttl.as_millis())) }).await
}

/// Has the gateway forget what is at `url`.
///
/// # Errors
/// See [`PostError`].
pub async fn delete(gateway: &Gateway, url: &str) -> Result<(), PostError> {
    send(gateway.client().delete(url)).await
}

/// Asks the gateway which checks it has.
///
/// # Errors
/// See [`PostError`].
pub async fn listed(gateway: &Gateway) -> Result<Vec<Listed>, PostError> {
    let response = gateway.client().get(gateway.results_url()).send().await;
    let response = response.map_err(|error| PostError::Failed(innermost(&error)))?;
    let status = response.status();
    let body = read_limited(response, LIST_BYTES).await.map_err(|error| PostError::Failed(error.to_string()))?;
    if !status.is_success() {
        return Err(refusal(status, &body));
    }
    serde_json::from_slice(&body).map_err(|error| PostError::Refused { status, reason: error.to_string() })
}

async fn send(request: RequestBuilder) -> Result<(), PostError> {
    let response = request.send().await.map_err(|error| PostError::Failed(innermost(&error)))?;
    let status = response.status();
    // Read to its end so that the connection can be used again.
    let body = read_limited(response, REASON_BYTES).await.unwrap_or_default();
    if status.is_success() { Ok(()) } else { Err(refusal(status, &body)) }
}

fn refusal(status: StatusCode, body: &[u8]) -> PostError {
    let reason = String::from_utf8_lossy(body).trim().to_owned();
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            PostError::Refused { status, reason }
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => PostError::Denied(format!(
            "answered {status}; is it a pushgateway-ex? A plain Pushgateway takes metrics only (metrics_only)"
        )),
        StatusCode::FORBIDDEN => PostError::Denied(format!("answered {status} {reason}").trim_end().to_owned()),
        _ => PostError::Failed(format!("answered {status} {reason}").trim_end().to_owned()),
    }
}

/// The JSON array of the batch.
fn array(batch: &[Entry]) -> Bytes {
    let mut body = BytesMut::with_capacity(2 + batch.iter().map(|entry| entry.payload.len() + 1).sum::<usize>());
    for (index, entry) in batch.iter().enumerate() {
        body.put_u8(if index == 0 { b'[' } else { b',' });
        body.put_slice(&entry.payload);
    }
    body.put_u8(b']');
    body.freeze()
}
