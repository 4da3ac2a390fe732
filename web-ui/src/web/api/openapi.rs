//! The description of the API, for people and for generators of clients: OpenAPI 3.1.
//!
//! It is written by hand, in `openapi.yaml`; the tests hold every answer that they get against it, and it against the routes.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::header::CONTENT_TYPE;

use crate::App;

const YAML: &str = include_str!("../../../openapi.yaml");

static JSON: LazyLock<String> = LazyLock::new(|| {
    let value: serde_json::Value = serde_saphyr::from_str(YAML).expect("the description is YAML, which a test reads");
    value.to_string()
});

/// The routes, below `/api/v1`.
pub(super) fn routes() -> Router<Arc<App>> {
    let yaml = async || ([(CONTENT_TYPE, "application/yaml")], YAML).into_response();
    let json = async || ([(CONTENT_TYPE, "application/json")], JSON.as_str()).into_response();
    Router::new().route("/openapi.yaml", get(yaml)).route("/openapi.json", get(json))
}
