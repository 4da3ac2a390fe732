//! The server side: one router over [`Checks`].
//!
//! ```text
//! GET /api/v1/checks
//! GET /api/v1/checks/{check}
//! GET /api/v1/checks/{check}/history
//! ```

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;

use super::accept::{Form, preferred};
use super::detail::{Detail, Expiry, History, Labels, Summary};
use super::filter::Filter;
use super::refusal::Refusal;
use super::tag::{self, Tagged};
use super::text;
use crate::{CheckState, Object};

/// A store of check states that the API is served from.
pub trait Checks: Send + Sync + 'static {
    /// Every check that `filter` matches, in the order they should be listed.
    fn find(&self, filter: &Filter) -> impl Future<Output = Result<Vec<Entry>, Unavailable>> + Send;

    /// Every label that a check can have here: a request that filters by another one is refused. None, the default,
    /// where it can be any.
    fn labels(&self) -> Option<&'static [&'static str]> {
        None
    }
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
    /// How long it is kept, where it was pushed with a time to live.
    pub expiry: Option<Expiry>,
}

/// The store cannot answer now; the text says why and goes to the caller.
#[derive(Debug, thiserror::Error)]
#[error("the check results cannot be read now: {0}")]
pub struct Unavailable(pub String);

/// The routes of the API.
pub fn router<C: Checks>(checks: Arc<C>) -> Router {
    let routes = Router::new()
        .route("/api/v1/checks", get(list::<C>))
        .route("/api/v1/checks/{check}", get(detail::<C>))
        .route("/api/v1/checks/{check}/history", get(history::<C>))
        .method_not_allowed_fallback(async || Refusal::Method)
        .with_state(checks);
    tag::layered(routes)
}

/// The query, in its order; a parameter may come more than once.
pub(crate) type Params = Query<Vec<(String, String)>>;

/// The check's name in the path, or why there is none: bytes that are no UTF-8.
pub(crate) type Name = Result<Path<String>, PathRejection>;

async fn list<C: Checks>(
    State(checks): State<Arc<C>>,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let filter = Filter::from_query(query)?.within(checks.labels())?;
    let entries = checks.find(&filter).await?.into_iter().take(filter.limit.unwrap_or(usize::MAX));
    let summaries: Vec<_> = entries.map(|entry| Summary::new(entry.labels, &entry.state, entry.expiry)).collect();
    Ok(if wants_text(&headers) { plain(text::table(&summaries)) } else { json(&summaries) })
}

async fn detail<C: Checks>(
    State(checks): State<Arc<C>>,
    name: Name,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let filter = Filter::from_query(query)?.within(checks.labels())?.unlimited()?;
    let Entry { labels, state, client_attributes, expiry } = one(&*checks, name, &filter).await?;
    if wants_text(&headers) {
        return Ok(plain(state.latest().output().to_owned()));
    }
    let client_attributes = client_attributes.map(|attributes| (*attributes).clone()).unwrap_or_default();
    let (occurrences, status_changed) = (state.occurrences(), state.status_changed());
    let result = state.latest().clone();
    Ok(json(&Detail { labels, result, client_attributes, occurrences, status_changed, expiry }))
}

async fn history<C: Checks>(
    State(checks): State<Arc<C>>,
    name: Name,
    Query(query): Params,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let filter = Filter::from_query(query)?.within(checks.labels())?;
    let Entry { labels, state, .. } = one(&*checks, name, &filter).await?;
    let history = state.history().take(filter.limit.unwrap_or(usize::MAX));
    if wants_text(&headers) {
        return Ok(plain(text::course(history)));
    }
    Ok(json(&History { labels, history: history.cloned().collect() }))
}

fn wants_text(headers: &HeaderMap) -> bool {
    preferred(headers, [Form::Json, Form::Text]) == Form::Text
}

fn plain(body: String) -> Response {
    Tagged { content_type: "text/plain; charset=utf-8", body }.into_response()
}

fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).expect("results are JSON: their keys are strings");
    Tagged { content_type: "application/json", body }.into_response()
}

/// The one check that is meant. A name alone means the client's own check, if there is one: a proxy client's check of the
/// same name is asked for by its `source`.
pub(crate) async fn one<C: Checks>(checks: &C, name: Name, filter: &Filter) -> Result<Entry, Refusal> {
    let Path(check) = name.map_err(|error| Refusal::Malformed(error.body_text()))?;
    let mut filter = filter.clone();
    filter.labels.insert("check".to_owned(), check);
    let mut found = checks.find(&filter).await?;
    if !filter.labels.contains_key("source") && found.iter().any(|entry| !entry.labels.contains_key("source")) {
        found.retain(|entry| !entry.labels.contains_key("source"));
    }
    match found.len() {
        0 => Err(Refusal::NotFound(filter)),
        1 => Ok(found.swap_remove(0)),
        _ => Err(Refusal::Ambiguous(found.into_iter().map(|entry| entry.labels).collect())),
    }
}
