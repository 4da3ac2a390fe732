//! The same as the pages show, as JSON. A request that cannot be answered gets `{"error": "…"}` with its status.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Asked, Refusal, past};
use crate::App;
use crate::address::decoded;
use crate::lists::{self, BadAddress, alerts, checks, nodes, one_check};
use crate::prometheus::Known;
use crate::view::Part;

mod openapi;
mod silences;

/// The routes, below `/api/v1`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/alerts", get(async |asked: Asked| answer(alerts::list(&asked.snapshot, &asked.address))))
        .route("/nodes", get(async |asked: Asked| answer(nodes::list(&asked.snapshot, &asked.address))))
        .route("/nodes/{cluster}/{job}/{instance}", get(node))
        .route("/nodes/{cluster}/{job}/{instance}/history", get(past::api))
        .route("/checks", get(async |asked: Asked| answer(checks::list(&asked.snapshot, &asked.address))))
        .route("/checks/{check}", get(check))
        .route("/silences", get(async |asked: Asked| answer(lists::silences::list(&asked.snapshot, &asked.address))))
        .route("/clusters", get(clusters))
        .merge(openapi::routes())
        .merge(silences::routes())
}

fn answer(list: Result<impl Serialize, BadAddress>) -> Response {
    match list {
        Ok(list) => found(&list),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

pub(super) fn found(body: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

pub(super) fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

/// A refusal as JSON.
pub(super) fn refusal(refusal: &Refusal, asked: &Asked) -> Response {
    let (status, error) = refusal.told(asked.texts);
    refused(status, &error)
}

pub(super) fn no_node() -> Response {
    refused(StatusCode::NOT_FOUND, "no such node is known in this cluster")
}

/// A node and, where it answers, all its checks.
async fn node(Path((cluster, job, instance)): Path<(String, String, String)>, asked: Asked) -> Response {
    let [cluster, job, instance] = [cluster, job, instance].map(|segment| decoded(&segment).to_owned());
    let id = Known { job, instance };
    let found_cluster = asked.snapshot.0.iter().find(|(known, _)| known.name == cluster);
    let row = found_cluster.and_then(|(cluster, view)| Some((cluster, nodes::Row::find(&cluster.name, view, &id)?)));
    let Some((cluster, row)) = row else {
        return no_node();
    };
    let said = cluster.details.checks(cluster.prometheus(), &id).await;
    let (checks, error) = match said {
        Ok(checks) => (Some(checks), None),
        Err(error) => (None, Some(error.to_string())),
    };
    found(&json!({"node": row, "checks": checks, "error": error}))
}

/// One check on all nodes, and which clusters have not said what they know of it.
async fn check(Path(check): Path<String>, asked: Asked) -> Response {
    let check = decoded(&check);
    let Some(sources) = one_check::Source::ask_all(&asked.snapshot, check).await else {
        return refusal(&Refusal::NoCheck, &asked);
    };
    let list = match one_check::list(check, &sources, &asked.address) {
        Ok(list) => list,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let said: BTreeMap<_, _> = sources.iter().map(|source| (source.cluster, part(&source.part))).collect();
    found(&OneCheck { check, list, said })
}

/// One check on all nodes.
#[derive(Serialize)]
struct OneCheck<'a> {
    check: &'a str,
    #[serde(flatten)]
    list: lists::by_state::ByState<one_check::Row<'a>>,
    /// When each cluster said what is listed, and why not now.
    said: BTreeMap<&'a str, Value>,
}

/// Which clusters there are, and how old what is known of them is.
async fn clusters(asked: Asked) -> Response {
    let clusters = asked.snapshot.0.iter().map(|(cluster, view)| {
        json!({
            "name": cluster.name,
            "prometheus": part(&view.metrics),
            "sums": part(&view.sums),
            "alertmanager": part(&view.alerts),
            "nodes": view.metrics.said.nodes.len(),
            "alerts": view.alerts.said.len(),
        })
    });
    found(&clusters.collect::<Vec<_>>())
}

pub(super) fn part<T>(part: &Part<T>) -> Value {
    let failures: Vec<_> = part.failures.iter().map(ToString::to_string).collect();
    let answers = part.at.is_some() && !part.is_old;
    json!({"at": part.at, "answers": answers, "failures": failures, "warnings": part.warnings})
}
