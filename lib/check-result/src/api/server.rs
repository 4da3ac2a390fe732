//! The server side: one router over [`Checks`].
//!
//! ```text
//! GET /api/v1/checks
//! GET /api/v1/checks/{check}
//! GET /api/v1/checks/{check}/history
//! ```

use std::future::Future;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::detail::{Detail, Labels, Summary};
use super::filter::{BadFilter, Filter};
use super::text;
use crate::{CheckState, HistoryEntry, Object};

/// A store of check states that the API is served from.
pub trait Checks: Send + Sync + 'static {
    /// Every check that `filter` matches, in the order they should be listed.
    fn find(&self, filter: &Filter) -> impl Future<Output = Result<Vec<Entry>, Unavailable>> + Send;
}

/// A check as the store knows it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What tells it from the others.
    pub labels: Labels,
    /// Its state.
    pub state: Arc<CheckState>,
    /// What is known of the client that ran it.
    pub client_attributes: Option<Arc<Object>>,
}

/// The store cannot answer now; the text says why and goes to the caller.
#[derive(Debug, thiserror::Error)]
#[error("the check results cannot be read now: {0}")]
pub struct Unavailable(pub String);

/// The routes of the API.
pub fn router<C: Checks>(checks: Arc<C>) -> Router {
    Router::new()
        .route("/api/v1/checks", get(list::<C>))
        .route("/api/v1/checks/{check}", get(detail::<C>))
        .route("/api/v1/checks/{check}/history", get(history::<C>))
        .with_state(checks)
}

type Params = Query<Vec<(String, String)>>;

async fn list<C: Checks>(
    State(checks): State<Arc<C>>,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let entries = checks.find(&Filter::from_query(query)?).await?;
    let summaries: Vec<_> =
        entries.into_iter().map(|Entry { labels, state, .. }| Summary::new(labels, &state)).collect();
    Ok(if wants_text(&headers) { text::table(&summaries).into_response() } else { Json(summaries).into_response() })
}

async fn detail<C: Checks>(
    State(checks): State<Arc<C>>,
    Path(check): Path<String>,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Entry { labels, state, client_attributes } = one(&*checks, check, &Filter::from_query(query)?).await?;
    if wants_text(&headers) {
        return Ok(state.latest().output().to_owned().into_response());
    }
    let client_attributes = client_attributes.map(|attributes| (*attributes).clone()).unwrap_or_default();
    let (occurrences, status_changed) = (state.occurrences(), state.status_changed());
    let result = state.latest().clone();
    Ok(Json(Detail { labels, result, client_attributes, occurrences, status_changed }).into_response())
}

async fn history<C: Checks>(
    State(checks): State<Arc<C>>,
    Path(check): Path<String>,
    Query(query): Params,
) -> Result<Response, Refusal> {
    let filter = Filter::from_query(query)?;
    let Entry { labels, state, .. } = one(&*checks, check, &filter).await?;
    let history: Vec<&HistoryEntry> = state.history().take(filter.limit.unwrap_or(usize::MAX)).collect();
    Ok(Json(json!({"labels": labels, "history": history})).into_response())
}

/// The one check that is meant. A name alone means the client's own check, if there is one: a proxy client's check of the
/// same name is asked for by its `source`.
async fn one<C: Checks>(checks: &C, check: String, filter: &Filter) -> Result<Entry, Refusal> {
    let mut filter = filter.clone();
    filter.labels.insert("check".to_owned(), check);
    let mut found = checks.find(&filter).await?;
    if !filter.labels.contains_key("source") && found.iter().any(|entry| !entry.labels.contains_key("source")) {
        found.retain(|entry| !entry.labels.contains_key("source"));
    }
    match found.len() {
        0 => Err(Refusal::NotFound(filter.labels)),
        1 => Ok(found.swap_remove(0)),
        _ => Err(Refusal::Ambiguous(found.into_iter().map(|entry| entry.labels).collect())),
    }
}

/// Whether text is wanted more than JSON; the default is JSON.
fn wants_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let position = |media: &str| accept.split(',').position(|range| range.trim().starts_with(media));
    match (position("text/plain"), position("application/json")) {
        (Some(text), Some(json)) => text < json,
        (text, None) => text.is_some(),
        (None, _) => false,
    }
}

/// Why a request is not answered.
enum Refusal {
    BadFilter(BadFilter),
    NotFound(Labels),
    Ambiguous(Vec<Labels>),
    Unavailable(Unavailable),
}

// === impl Refusal ===

impl From<BadFilter> for Refusal {
    fn from(error: BadFilter) -> Self {
        Self::BadFilter(error)
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::BadFilter(error) => (StatusCode::BAD_REQUEST, json!({"error": error.to_string()})),
            Self::NotFound(labels) => {
                let wanted: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let error = format!("no result of a check with {} is known here", wanted.join(", "));
                (StatusCode::NOT_FOUND, json!({"error": error}))
            }
            Self::Ambiguous(labels) => {
                let error = format!("{} checks match; add labels to the query to name one", labels.len());
                (StatusCode::CONFLICT, json!({"error": error, "labels": labels}))
            }
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error": error.to_string()})),
        };
        (status, Json(body)).into_response()
    }
}
