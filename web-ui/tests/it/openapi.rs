//! The description of the API, which every answer that any test gets is held against.

use std::sync::LazyLock;

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::pages::one;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("../../openapi.yaml")).expect("it is YAML"));

/// Panics if an answer is not as the description says. What is no part of the API may be anything.
pub(crate) fn check(method: &Method, path: &str, status: StatusCode, headers: &HeaderMap, body: &str) {
    let path = path.split('?').next().unwrap_or_default();
    let what = format!("{method} {path}: {status}");
    // Who does not get in is told by the server around the API.
    if status == StatusCode::UNAUTHORIZED {
        return;
    }
    let Some(described) = operations(path) else {
        let is_unknown = status == StatusCode::NOT_FOUND || status == StatusCode::FORBIDDEN;
        assert!(is_unknown || !path.starts_with("/api/"), "{what} is not described");
        return;
    };
    let Some(operation) = described.get(method.as_str().to_lowercase()) else {
        assert!(status == StatusCode::METHOD_NOT_ALLOWED || status == StatusCode::FORBIDDEN, "{what} is not described");
        return;
    };
    let responses = &operation["responses"];
    let response = responses.get(status.as_str()).or(responses.get("default"));
    let response = resolved(response.unwrap_or_else(|| panic!("{what} is not described")));
    let kind = headers["content-type"].to_str().unwrap().split(';').next().unwrap();
    let content = response["content"].get(kind).unwrap_or_else(|| panic!("{what} as {kind} is not described"));
    if kind == "application/json" {
        let schema = json!({"allOf": [content["schema"]], "components": DESCRIPTION["components"]});
        let schema = jsonschema::validator_for(&schema).expect("a schema that can be used");
        let answer: Value = serde_json::from_str(body).unwrap();
        let wrong: Vec<_> =
            schema.iter_errors(&answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{what} is not as described: {wrong:#?}");
    }
}

/// What is described of a path.
fn operations(path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let pattern = regex::escape(template).replace("\\{", "{").replace("\\}", "}");
        let parameter = regex::Regex::new(r"\{\w+\}").unwrap();
        regex::Regex::new(&format!("^{}$", parameter.replace_all(&pattern, "[^/]+"))).unwrap().is_match(path)
    };
    let mut fitting: Vec<_> = DESCRIPTION["paths"].as_object()?.iter().filter(|(template, _)| fits(template)).collect();
    // `/silences/preview` rather than `/silences/{…}`.
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    fitting.first().map(|(_, operations)| *operations)
}

/// What a reference leads to.
fn resolved(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            DESCRIPTION.pointer(reference.trim_start_matches('#')).expect("the reference leads somewhere")
        }
        None => value,
    }
}

#[tokio::test]
async fn the_description_is_served_and_every_list_is_as_it_says() {
    let web_ui = one().await;
    let yaml = web_ui.page("/api/v1/openapi.yaml").await;
    assert_eq!(yaml.text, include_str!("../../openapi.yaml"));
    assert_eq!(web_ui.json("/api/v1/openapi.json").await, *DESCRIPTION);
    for path in DESCRIPTION["paths"].as_object().unwrap().keys().filter(|path| !path.contains('{')) {
        let has = |method: &str| DESCRIPTION["paths"][path].get(method).is_some();
        // What is described is there, and what is not is refused; each answer is checked where it comes in.
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::POST] {
            let answer = web_ui.answer(web_ui.request(method.clone(), path)).await;
            let is_there = answer.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_there, has(&method.as_str().to_lowercase()), "{method} {path}: {}", answer.status);
        }
    }
    for path in ["/api/v1/alerts?group=check", "/api/v1/nodes/tokyo/checkscript/db%2F1", "/api/v1/nowhere"] {
        let answer = web_ui.page(path).await;
        assert!(serde_json::from_str::<Value>(&answer.text).is_ok(), "{path}: {}", answer.text);
    }
}

#[test]
fn every_route_of_the_api_is_described() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let parts = std::fs::read_dir(folder.join("api")).unwrap().map(|part| part.unwrap().path());
    let sources = parts.chain([folder.join("api.rs")]).map(|file| std::fs::read_to_string(file).unwrap());
    let routes = sources.flat_map(|text| {
        let routes = text.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        routes.collect::<Vec<_>>()
    });
    let mut routes: Vec<_> = routes.map(|path| format!("/api/v1{path}")).collect();
    routes.sort();
    routes.dedup();
    let described = DESCRIPTION["paths"].as_object().unwrap().keys().filter(|path| path.starts_with("/api/"));
    let mut described: Vec<_> = described.cloned().collect();
    described.sort();
    assert_eq!(routes, described);
}

#[test]
fn an_answer_that_is_not_as_described_is_noticed() {
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
    let is_fine = |path: &'static str, body: &'static str| {
        let headers = headers.clone();
        std::panic::catch_unwind(move || check(&Method::GET, path, StatusCode::OK, &headers, body)).is_ok()
    };
    let row = r#"{"total": 1, "page": 1, "pages": 1, "rows": [{"check": "disk", "total": 1, "ok": 1, "warning": 0, "critical": 0, "unknown": 0, "stale": 0}]}"#;
    assert!(is_fine("/api/v1/checks?page=1", row));
    assert!(
        !is_fine("/api/v1/checks", r#"{"total": 1, "page": 1, "pages": 1, "rows": [{"check": "disk"}]}"#),
        "a field less"
    );
    assert!(
        !is_fine("/api/v1/checks", r#"{"total": 0, "page": 1, "pages": 1, "rows": [], "more": 1}"#),
        "a field more"
    );
    assert!(!is_fine("/api/v1/nothing", "{}"), "a path more");
}
