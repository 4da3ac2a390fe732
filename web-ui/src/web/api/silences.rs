//! Silences for programs: the same rules as the form's.
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `POST /silences/preview` | a silence | 200 `{"silences": [{"matchers": "…", "clusters": ["…"], "sentence": "…"}], "clusters": [{"cluster", "alerts", "listed", "covered", "nodes", "checks", "passing", "of", "is_old"}]}` |
//! | `POST /silences` | a silence | 201, or 502 if any failed: `{"silences": [outcome]}` |
//! | `GET /silences/{cluster}/{id}` | | 200 as in the list; 404 |
//! | `PUT /silences/{cluster}/{id}` | a silence without `targets`, `labels` and `clusters`, with `updated_at` | 200 `{"id": "…"}`; 409 `{"error": "…", "silence": {…}}` if it has changed or ended since |
//! | `DELETE /silences/{cluster}/{id}?updated_at=TIME` | | 200 `{"id": "…"}`; 404, 409 |
//! | `POST /silences/expire` | `{"items": [item]}` | 200, 409 or 502: `{"silences": [outcome]}` |
//! | `POST /silences/extend` | `{"items": [item], "by": "4h"}` or `"until": TIME` | the same |
//!
//! - a silence: `{"targets": [{"cluster": "tokyo", "labels": {…}, "all": false}], "labels": ["instance", "check"], "filter": "env=\"prod\"",
//!   "clusters": ["tokyo"], "begins": TIME, "ends": TIME, "duration": "2h", "comment": "…", "author": "…", "until_resolved": false}`.
//!   `targets` or `filter`, `clusters`, `ends` or `duration`, `comment` are needed, and `author` where the request has no user.
//! - an item: `{"cluster": "tokyo", "id": "…", "updated_at": TIME}`; without the time it is changed whatever it is like.
//! - an outcome: `{"cluster": "tokyo", "matchers": "…", "id": "…", "known": false, "error": null}`; `known` says that it was there already.
//! - what cannot be understood: 422 `{"error": "…", "errors": [{"field": "ends", "error": "…"}]}`.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, body::Bytes};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{found, refused};
use crate::App;
use crate::address::decoded;
use crate::alertmanager::Silence;
use crate::lists::silences::Row;
use crate::silencing::desk::{Act, Item, Outcome};
use crate::silencing::draft::{Form, length};
use crate::silencing::problem::{FieldError, Problem};
use crate::silencing::target::Target;
use crate::silencing::write::{Done, WriteError};
use crate::texts::Texts;
use crate::web::acting::Acting;
use crate::web::{Asked, silences};

/// A silence as a program says it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body {
    targets: Vec<Target>,
    labels: Option<Vec<String>>,
    filter: String,
    clusters: Vec<String>,
    begins: Option<Timestamp>,
    ends: Option<Timestamp>,
    duration: String,
    comment: String,
    author: String,
    until_resolved: bool,
    updated_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    items: Vec<ItemBody>,
    #[serde(default)]
    by: String,
    until: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemBody {
    cluster: String,
    id: String,
    updated_at: Option<Timestamp>,
}

/// The routes, below `/api/v1`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/silences", post(create))
        .route("/silences/preview", post(preview))
        .route("/silences/expire", post(async |acting, body| act(acting, body, false).await))
        .route("/silences/extend", post(async |acting, body| act(acting, body, true).await))
        .route("/silences/{cluster}/{id}", get(one).put(edit).delete(expire))
}

async fn preview(Acting(asked): Acting, body: Bytes) -> Response {
    let form = match read::<Body>(&body) {
        Ok(body) => Form::from(body),
        Err(response) => return *response,
    };
    asked.aside(move |asked| previewed(asked, &form)).await.1
}

fn previewed(asked: &Asked, form: &Form) -> Response {
    let mut errors = Vec::new();
    let (drafts, (begins, ends)) = asked.with_rules(|rules| {
        let drafts = form.drafts(rules, &mut errors);
        let times = if form.ends.is_empty() && form.duration.is_empty() {
            (None, None)
        } else {
            form.times(rules, &mut errors)
        };
        (drafts, times)
    });
    if !errors.is_empty() {
        return unfit(&errors);
    }
    let now = asked.now();
    let silence = |draft: &crate::silencing::Draft| {
        let matchers: Vec<_> = draft.matchers.iter().map(ToString::to_string).collect();
        let sentence = ends.map(|ends| now.say(&draft.raw(), &draft.clusters, (begins, ends), &form.comment));
        json!({"matchers": matchers.join(","), "clusters": draft.clusters, "sentence": sentence})
    };
    let silences: Vec<_> = drafts.iter().map(silence).collect();
    found(&json!({"silences": silences, "clusters": asked.previews(&drafts)}))
}

async fn create(Acting(asked): Acting, body: Bytes) -> Response {
    let form = match read::<Body>(&body) {
        Ok(body) => Form::from(body),
        Err(response) => return *response,
    };
    let (asked, planned) = asked.aside(move |asked| silences::plan(asked, &form, None)).await;
    match planned {
        Err(errors) => unfit(&errors),
        Ok(plan) => told(&asked.desk().make(&plan).await, StatusCode::CREATED),
    }
}

async fn one(Path((cluster, id)): Path<(String, String)>, asked: Asked) -> Response {
    match Row::find(&asked.snapshot, decoded(&cluster), &id) {
        Some(row) => found(&row),
        None => gone(),
    }
}

async fn edit(Acting(asked): Acting, Path((cluster, id)): Path<(String, String)>, body: Bytes) -> Response {
    let mut body = match read::<Body>(&body) {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let cluster = decoded(&cluster).to_owned();
    let item = Item { cluster: cluster.clone(), id, updated: body.updated_at };
    let said = [
        ("targets", !body.targets.is_empty()),
        ("labels", body.labels.is_some()),
        ("clusters", !body.clusters.is_empty()),
    ];
    let foreign: Vec<_> = said
        .into_iter()
        .filter(|(_, is_said)| *is_said)
        .map(|(field, _)| FieldError::new(field, Problem::Settled))
        .collect();
    if !foreign.is_empty() {
        return unfit(&foreign);
    }
    body.clusters = vec![cluster];
    let (form, edited) = (Form::from(body), item.clone());
    let (asked, planned) = asked.aside(move |asked| silences::plan(asked, &form, Some(&edited))).await;
    let plan = match planned {
        Ok(plan) => plan,
        Err(errors) => return unfit(&errors),
    };
    match asked.desk().edit(&item, &plan).await {
        Ok(id) => found(&json!({"id": id})),
        Err(error) => failed(&error),
    }
}

async fn expire(Acting(asked): Acting, Path((cluster, id)): Path<(String, String)>) -> Response {
    let updated = match asked.address.get("updated_at") {
        "" => None,
        text => match text.parse() {
            Ok(updated) => Some(updated),
            Err(_) => return unfit(&[FieldError::new("updated_at", Problem::Time(text.to_owned()))]),
        },
    };
    let outcomes = asked.desk().act(&[Item { cluster: decoded(&cluster).to_owned(), id, updated }], Act::Expire).await;
    match outcomes.into_iter().map(|outcome| outcome.result).next() {
        Some(Ok(done)) => found(&json!({"id": done.id()})),
        Some(Err(error)) => failed(&error),
        None => gone(),
    }
}

async fn act(Acting(asked): Acting, body: Bytes, extends: bool) -> Response {
    let chosen = match read::<Chosen>(&body) {
        Ok(chosen) => chosen,
        Err(response) => return *response,
    };
    let act = match (extends, chosen.by.as_str(), chosen.until) {
        (false, ..) => Ok(Act::Expire),
        (true, "", None) => Err(FieldError::new("until", Problem::NoEnd)),
        (true, "", Some(until)) => Ok(Act::ExtendUntil(until)),
        (true, _, Some(_)) => Err(FieldError::new("until", Problem::TwoEnds)),
        (true, by, None) => {
            length(by).map(Act::ExtendBy).ok_or_else(|| FieldError::new("by", Problem::Length(by.to_owned())))
        }
    };
    let items: Vec<_> = chosen.items.into_iter().map(Item::from).collect();
    match act {
        Err(error) => unfit(&[error]),
        Ok(_) if items.len() > silences::MOST => unfit(&[FieldError::new("items", Problem::TooMany(silences::MOST))]),
        Ok(act) => told(&asked.desk().act(&items, act).await, StatusCode::OK),
    }
}

impl From<Body> for Form {
    fn from(body: Body) -> Self {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
        Self {
            targets: body.targets,
            labels: body.labels,
            filter: body.filter,
            clusters: body.clusters,
            begins: text(body.begins),
            duration: body.duration,
            ends: text(body.ends),
            comment: body.comment,
            author: body.author,
            until_resolved: body.until_resolved,
            unread: Vec::new(),
        }
    }
}

impl From<ItemBody> for Item {
    fn from(body: ItemBody) -> Self {
        Self { cluster: body.cluster, id: body.id, updated: body.updated_at }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| refused(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()).into())
}

fn told(outcomes: &[Outcome], status: StatusCode) -> Response {
    let outcome = |outcome: &Outcome| {
        let of_item = outcome.item.as_ref().map(|item| item.id.as_str());
        let id = outcome.result.as_ref().ok().map(Done::id).or(of_item);
        let error = outcome.result.as_ref().err().map(ToString::to_string);
        let known = outcome.result.as_ref().is_ok_and(Done::is_known);
        json!({"cluster": outcome.cluster, "matchers": outcome.matchers, "id": id, "known": known, "error": error})
    };
    let status =
        outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err().map(status_of)).max().unwrap_or(status);
    let silences: Vec<Value> = outcomes.iter().map(outcome).collect();
    (status, Json(json!({"silences": silences}))).into_response()
}

fn status_of(error: &WriteError) -> StatusCode {
    match error {
        WriteError::Gone => StatusCode::NOT_FOUND,
        WriteError::Changed(_) | WriteError::Ended(_) | WriteError::Disagree => StatusCode::CONFLICT,
        WriteError::Unfit(_) => StatusCode::UNPROCESSABLE_ENTITY,
        WriteError::Busy | WriteError::Late => StatusCode::SERVICE_UNAVAILABLE,
        WriteError::Down(_) | WriteError::Refused(_) | WriteError::Old { .. } => StatusCode::BAD_GATEWAY,
    }
}

fn failed(error: &WriteError) -> Response {
    match error {
        WriteError::Changed(silence) | WriteError::Ended(silence) => {
            let body = json!({"error": error.to_string(), "silence": said(silence)});
            (status_of(error), Json(body)).into_response()
        }
        error => refused(status_of(error), &error.to_string()),
    }
}

fn said(silence: &Silence) -> Value {
    json!({
        "id": silence.id, "state": silence.status.state, "matchers": silence.matchers, "starts_at": silence.starts_at,
        "ends_at": silence.ends_at, "updated_at": silence.updated_at, "created_by": silence.created_by, "comment": silence.comment,
    })
}

fn unfit(errors: &[FieldError]) -> Response {
    let english = Texts::in_language("en");
    let told = errors.iter().map(|error| (error.field, error.problem.say(english)));
    let text: Vec<_> = told.clone().map(|(field, problem)| format!("{field}: {problem}")).collect();
    let errors: Vec<_> = told.map(|(field, problem)| json!({"field": field, "error": problem})).collect();
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": text.join("; "), "errors": errors}))).into_response()
}

fn gone() -> Response {
    refused(StatusCode::NOT_FOUND, "there is no such silence")
}
