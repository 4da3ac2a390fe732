//! Pushes and deletions.
//!
//! ```text
//! PUT     /metrics/job/NAME{/LABEL/VALUE}     the group has these families and no others
//! POST    /metrics/job/NAME{/LABEL/VALUE}     the group has these families in the place of its own of the same names
//! DELETE  /metrics/job/NAME{/LABEL/VALUE}     there is no such group any more
//! ```
//!
//! 200 for a push that was taken, 202 with `--push.disable-consistency-check` and for every deletion; 400 for what is no push or does not fit,
//! 413 and 429 for what is over a limit, 507 or 503 if it could not be stored, 503 if there is no memory for a large body.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::header::{AsHeaderName, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use exposition::pushed::MetricFamily;
use jiff::Timestamp;

use super::bodies::Held;
use super::route::GroupPath;
use super::{Gateway, checks, method, reply};
use crate::body::{self, BadBody};
use crate::events::Reason;
use crate::groups::{CheckTtl, Inconsistent, Push, Refused, Term, prepare};
use crate::keeper::{Change, Failure};
use crate::labels::{Key, Labels};
use crate::path::{BadPath, grouping_key};
use crate::results::{BadResults, Bounds};
use crate::store::StoreError;
use crate::store::shared::SharedError;

/// How long stays what is not pushed again: `90s`, `1h`; `0s`: for ever.
const TTL: &str = "pushgateway-ttl";

/// What was chosen by flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) max_series: usize,
    pub(super) max_label: usize,
    /// Bytes of output that are kept of a check's last result.
    pub(super) max_output: usize,
    /// Bytes of a result, its outputs cut.
    pub(super) max_detail: usize,
    /// How long stays what says nothing of that; zero: for ever.
    pub(super) ttl: Duration,
    /// What the `ttl` of a check says.
    pub(super) check_ttl: CheckTtl,
    /// Whether a client is told that its push does not fit.
    pub(super) checked: bool,
}

impl Rules {
    /// What may be of a check result.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { output: self.max_output, detail: self.max_detail, label: self.max_label }
    }
}

/// Why a push was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotPushed {
    #[error(transparent)]
    Path(#[from] BadPath),
    #[error("cannot read the body: {0}")]
    Unread(Box<dyn std::error::Error + Send + Sync>),
    #[error("too many large bodies are in memory; push again later")]
    Crowded,
    #[error(transparent)]
    Body(#[from] BadBody),
    #[error("query: {0}")]
    Query(String),
    #[error("header {TTL}: {0}")]
    Ttl(String),
    #[error(transparent)]
    Results(#[from] BadResults),
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Gateway {
    pub(super) async fn push(&self, path: &GroupPath, request: Request) -> Response {
        let (started, method) = (Instant::now(), method(request.method()));
        let (head, body) = request.into_parts();
        let body = self.bodies.read(body).await;
        let size = body.as_ref().map_or(0, |body| body.bytes.len());
        let replace = head.method == Method::PUT;
        let outcome = match self.key(path) {
            Ok(labels) => {
                let outcome = match body {
                    Ok(body) if path.checks => self.take_results(&labels, (&head.headers, body), replace).await,
                    Ok(body) => self.take(&labels, (&head.headers, body), replace).await,
                    Err(error) => Err(error),
                };
                outcome.map_err(|error| (Some(labels), error))
            }
            Err(error) => Err((None, error.into())),
        };
        let accepted = if self.rules.checked { StatusCode::OK } else { StatusCode::ACCEPTED };
        let response = match outcome {
            Ok(()) => reply::empty(accepted),
            Err((labels, error)) => {
                let (status, reason) = error.meaning();
                self.events.refused(reason, labels.as_ref(), &error);
                match reason {
                    // Nothing else would show that the results of a check are not taken.
                    Reason::Inconsistent if !self.rules.checked && !path.checks => reply::empty(accepted),
                    _ => reply::error(status, &error),
                }
            }
        };
        self.events.pushed(method, size, started.elapsed());
        response
    }

    pub(super) async fn delete(&self, path: &GroupPath, uri: &Uri) -> Response {
        match self.remove(path, uri).await {
            Ok(()) => reply::empty(StatusCode::ACCEPTED),
            Err(error) => reply::error(error.meaning().0, error),
        }
    }

    async fn remove(&self, path: &GroupPath, uri: &Uri) -> Result<(), NotPushed> {
        let labels = self.key(path)?;
        let one = if path.checks { checks::one(uri).map_err(NotPushed::Query)? } else { None };
        let change = match one {
            Some(check) => Change::Forget(labels, check),
            None => Change::Delete(Key { labels, checks: path.checks }),
        };
        self.keeper.change(change).await?;
        Ok(())
    }

    pub(super) fn key(&self, path: &GroupPath) -> Result<Labels, BadPath> {
        let labels = grouping_key(&path.job, path.encoded, &path.labels)?;
        let limit = self.rules.max_label;
        if let Some((name, value)) = labels.iter().find(|(name, value)| name.len() + value.len() > limit) {
            return Err(BadPath::TooLong { name: name.to_owned(), length: name.len() + value.len(), limit });
        }
        Ok(labels)
    }

    async fn take(&self, labels: &Labels, body: (&HeaderMap, Held), replace: bool) -> Result<(), NotPushed> {
        let at = Timestamp::now();
        let (headers, mut body) = body;
        let expires = self.expires(headers, at)?;
        self.bodies.unpack(&mut body, headers)?;
        let prepared = match body::read(&body.bytes, text(headers, CONTENT_TYPE), self.rules.max_series) {
            Ok(families) => {
                self.measure(&families)?;
                prepare(labels, families, at)
            }
            // Bytes that are no text are found out later by the reference, as something that does not fit.
            Err(BadBody::Protobuf(error)) if error.is_about_content() => Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        let room = body.into_room();
        match prepared {
            Ok(mut families) => {
                self.keeper.groups().share(&mut families);
                let push = Push { key: Key::metrics(labels.clone()), families, replace, at, expires };
                self.keeper.change_within(room, Change::Push(push)).await?;
                Ok(())
            }
            Err(inconsistent) => {
                self.keeper.change(Change::Fail(labels.clone(), at, expires)).await?;
                Err(Failure::from(inconsistent).into())
            }
        }
    }

    /// When the time of check results is over that are pushed at `at`.
    pub(super) fn term(&self, headers: &HeaderMap, at: Timestamp) -> Result<Term, NotPushed> {
        let own = !headers.contains_key(TTL) && self.rules.check_ttl != CheckTtl::Ignore;
        Ok(Term { at, expires: self.expires(headers, at)?, own })
    }

    /// When the time is over of what is pushed at `at`, by header or flag.
    fn expires(&self, headers: &HeaderMap, at: Timestamp) -> Result<Option<Timestamp>, NotPushed> {
        let ttl = match headers.get(TTL) {
            Some(ttl) => service::duration(ttl.to_str().unwrap_or_default()).map_err(NotPushed::Ttl)?,
            None => self.rules.ttl,
        };
        let over = || at.checked_add(ttl).map_err(|_| NotPushed::Ttl("too long".to_owned()));
        if ttl.is_zero() { Ok(None) } else { over().map(Some) }
    }

    /// Whether every label of the body is short enough.
    fn measure(&self, families: &[MetricFamily]) -> Result<(), BadPath> {
        let limit = self.rules.max_label;
        let metrics = families.iter().flat_map(|family| &family.metrics);
        match metrics.flat_map(|metric| &metric.labels).find(|(name, value)| name.len() + value.len() > limit) {
            Some((name, value)) => {
                Err(BadPath::TooLong { name: name.clone(), length: name.len() + value.len(), limit })
            }
            None => Ok(()),
        }
    }
}

impl NotPushed {
    /// The status to answer with, and what it is counted as.
    pub(super) fn meaning(&self) -> (StatusCode, Reason) {
        match self {
            Self::Path(BadPath::TooLong { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, Reason::LabelSize),
            Self::Results(BadResults::Label { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, Reason::LabelSize),
            Self::Results(BadResults::Size { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, Reason::DetailSize),
            Self::Path(_) | Self::Query(_) => (StatusCode::BAD_REQUEST, Reason::Path),
            Self::Body(BadBody::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, Reason::BodySize),
            Self::Body(BadBody::Series(_)) => (StatusCode::PAYLOAD_TOO_LARGE, Reason::Series),
            Self::Unread(_) | Self::Body(_) | Self::Ttl(_) | Self::Results(_) => {
                (StatusCode::BAD_REQUEST, Reason::Body)
            }
            Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, Reason::Crowded),
            Self::Failed(Failure::Refused(Refused::Inconsistent(_))) => (StatusCode::BAD_REQUEST, Reason::Inconsistent),
            Self::Failed(Failure::Refused(Refused::Groups(_))) => (StatusCode::TOO_MANY_REQUESTS, Reason::Groups),
            Self::Failed(Failure::Refused(Refused::Series { .. })) => (StatusCode::PAYLOAD_TOO_LARGE, Reason::Series),
            Self::Failed(Failure::Store(error)) => match &**error {
                StoreError::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, Reason::Storage),
                _ => (StatusCode::SERVICE_UNAVAILABLE, Reason::Storage),
            },
            Self::Failed(Failure::Shared(error)) => match &**error {
                SharedError::ReadOnly { full: true, .. } => (StatusCode::INSUFFICIENT_STORAGE, Reason::Storage),
                _ => (StatusCode::SERVICE_UNAVAILABLE, Reason::Storage),
            },
            Self::Failed(Failure::Stopping) => (StatusCode::SERVICE_UNAVAILABLE, Reason::Storage),
        }
    }
}

pub(super) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

impl From<Inconsistent> for NotPushed {
    fn from(inconsistent: Inconsistent) -> Self {
        Self::Failed(inconsistent.into())
    }
}
