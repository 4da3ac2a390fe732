//! Taking alerts from Prometheus.
//!
//! - `POST /api/v2/alerts`: 200 when every alert was taken, 400 when some are bad (the good ones were taken), 413 when the
//!   body is too large, 503 when no Alertmanager could be reached for long, when so many alerts wait for each that some are
//!   dropped, or when there is no room for a large body
//! - `/api/v1/…`: 410, as Alertmanager since 0.27
//!
//! The same stands below the prefix of [`passthrough`], which takes every other method. `/api/v2/alerts/` is the same path to
//! Alertmanager's router, and so it is here.
//!
//! Prometheus sends one batch after the other and forgets what it could not deliver, so it is answered as soon as the alerts
//! are queued. With a 503 for want of an Alertmanager, or of room for alerts that wait, they are queued all the same:
//! Prometheus will not send them again, but its own metrics tell.
//!
//! A body that is no array of alerts goes to every Alertmanager as it is, and Alertmanager's answer is the answer: its words
//! depend on its version, and what only it can read shall not be lost. An Alertmanager that cannot be asked is
//! stood in for.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::alert::{Alert, Refusal, Unreadable, read_batch};
use crate::body::{Bodies, Held};
use crate::cross_site;
use crate::events::Events;
use crate::hold::Hold;
use crate::passthrough::{self, Passthrough};
use crate::setup::{Setup, Shared};

/// go-openapi's code for a required value that is missing (`errors.RequiredFailCode`).
const REQUIRED: u16 = 602;

/// Bytes of JSON that are read within a millisecond or two: Prometheus's own batches. Handing them to another thread would
/// take longer when the processors are busy; some megabytes are too much work for a thread that serves others.
const SMALL: usize = 256 << 10;

/// How much later an answer comes for each alert of the batch, while more alerts wait than can be asked for at a time: some 6,000
/// nodes are asked a second. Prometheus keeps its next batch as long, whose alerts would only use up their hold here.
const PACE: Duration = Duration::from_micros(60);

/// How much later an answer comes at most, whatever the batch. Nobody shall take the proxy for a slow Alertmanager.
const LONGEST_PACE: Duration = Duration::from_millis(6);

/// Takes posted alerts.
#[derive(Debug)]
pub struct Intake {
    /// The configuration in force.
    pub setup: Shared,
    /// Where good alerts go.
    pub hold: Arc<Hold>,
    /// Where everything else goes.
    pub passthrough: Arc<Passthrough>,
    /// What is counted and logged.
    pub events: Arc<Events>,
    /// Reads what is posted.
    pub bodies: Arc<Bodies>,
}

/// `/api/v2/alerts`, any method: what is not posted is Alertmanager's.
pub async fn alerts(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    if request.method() != Method::POST {
        return passthrough::pass(State(Arc::clone(&intake.passthrough)), request).await;
    }
    let (parts, body) = request.into_parts();
    let mut response = intake.answer(&parts, body).await;
    cross_site::readable(&parts.headers, &mut response);
    response
}

/// `/api/v1/…`, any method: the first version is gone, in the words of Alertmanager's `api/v1_deprecation_router.go`.
pub async fn v1() -> Response {
    let error = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - \
                 please use the equivalent route in the v2 API";
    answer(StatusCode::GONE, &json!({"status": "deprecated", "error": error}))
}

// === impl Intake ===

impl Intake {
    async fn answer(&self, parts: &Parts, body: Body) -> Response {
        let setup = self.setup.load_full();
        let held = match self.bodies.read(&parts.headers, body, setup.config.limits.max_body_bytes).await {
            Ok(held) => held,
            Err(unread) => {
                let (status, reason) = unread.status();
                return self.refuse(reason, status, status.as_u16(), &unread.to_string());
            }
        };
        let body = held.bytes();
        if !is_json(&parts.headers) {
            let given = parts.headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
            let given = given.unwrap_or_default();
            let message = format!("unsupported media type {given:?}, only [application/json] are allowed");
            let own = self.refuse("media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, &message);
            return self.passthrough.everywhere(parts, body).await.unwrap_or(own);
        }
        let (names, now) = (setup.config.names, Timestamp::now());
        let batch = if body.len() <= SMALL {
            read_batch(body, names, now)
        } else {
            let body = body.clone();
            let batch = tokio::task::spawn_blocking(move || read_batch(&body, names, now)).await;
            batch.expect("reading a batch does not panic")
        };
        match batch {
            Ok((alerts, refused)) => self.take((alerts, held), &refused, &setup).await,
            Err(unreadable) => {
                let own = self.unreadable(&unreadable);
                self.passthrough.everywhere(parts, body).await.unwrap_or(own)
            }
        }
    }

    async fn take(&self, (alerts, body): (Vec<Alert>, Held), refused: &[Refusal], setup: &Setup) -> Response {
        // Asked first: an alert that is queued now cannot have been delivered when it is answered.
        let (in_want, pace) = (self.in_want(&alerts, setup), pace(alerts.len()));
        self.events.received(alerts.len());
        self.hold.take(alerts, body).await;
        if self.hold.is_crowded() {
            sleep(pace).await;
        }
        if let Some(want) = in_want {
            return error(StatusCode::SERVICE_UNAVAILABLE, 503, &want);
        }
        if refused.is_empty() {
            return StatusCode::OK.into_response();
        }
        let words = refused.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; ");
        self.events.refused("invalid", refused.len(), &words);
        answer(StatusCode::BAD_REQUEST, &Value::String(words))
    }

    /// Why some of these alerts may reach no Alertmanager.
    fn in_want(&self, alerts: &[Alert], setup: &Setup) -> Option<String> {
        let forwarder = &self.passthrough.forwarder;
        let unreachable = forwarder.unreachable_for();
        if unreachable >= setup.config.forward.unreachable_after {
            return Some(format!("no Alertmanager could be reached for {}s; alerts are kept", unreachable.as_secs()));
        }
        let fingerprints: Vec<_> = alerts.iter().map(Alert::fingerprint).collect();
        let want =
            || "too many alerts wait for Alertmanager (limits.pending_alerts); the oldest are dropped".to_owned();
        forwarder.overflows(&fingerprints).then(want)
    }

    fn unreadable(&self, why: &Unreadable) -> Response {
        match why {
            Unreadable::Malformed(_) => self.refuse("malformed", StatusCode::BAD_REQUEST, 400, &why.to_string()),
            Unreadable::Empty | Unreadable::NoLabels(_) => {
                self.refuse("malformed", StatusCode::UNPROCESSABLE_ENTITY, REQUIRED, &why.to_string())
            }
        }
    }

    fn refuse(&self, reason: &'static str, status: StatusCode, code: u16, message: &str) -> Response {
        self.events.refused(reason, 1, &message);
        error(status, code, message)
    }
}

/// How much later the answer to so many alerts comes while it is crowded.
fn pace(alerts: usize) -> Duration {
    PACE.saturating_mul(u32::try_from(alerts).unwrap_or(u32::MAX)).min(LONGEST_PACE)
}

/// Whether the content type is `application/json`, with whatever parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// An error as Alertmanager's API shapes it.
pub(crate) fn error(status: StatusCode, code: u16, message: &str) -> Response {
    answer(status, &json!({"code": code, "message": message}))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_waits_the_longer_the_more_alerts_it_is_for_but_never_long() {
        let few = [0, 1, 64, 99].map(pace);
        assert!(few[0].is_zero() && few.is_sorted_by(|fewer, more| fewer < more), "{few:?}");
        for many in [100, 256, 50_000, usize::MAX] {
            assert_eq!(pace(many), LONGEST_PACE, "{many}");
        }
    }
}
