//! What every request goes through before it comes to its route: who sends it, and whether another site has made them.

use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;

use super::{Asked, Refusal, api, html};
use crate::App;
use crate::access::{Stranger, asked_name, peer};
use crate::texts::{Texts, fill};

/// What a stranger is told. It shows nothing of what web-ui knows.
#[derive(Template)]
#[template(path = "stranger.html")]
struct Page {
    t: &'static Texts,
    error: String,
}

/// Lets a request pass that comes from somebody who gets in, and tells its route who that is.
pub(super) async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let access = app.access();
    if access.ignores(&head) {
        app.events().ignored_header(peer(&head));
    }
    match access.admit(&head) {
        Ok(user) => drop(head.extensions.insert(user)),
        Err(stranger) => return refuse_stranger(stranger, &head),
    }
    if service::is_foreign(&head.method, &head.headers, access.host(&head)) {
        return refuse(Refusal::CrossSite, &mut head, &app).await;
    }
    next.run(Request::from_parts(head, body)).await
}

/// A refusal as who asks can read it: a page or, below `/api`, JSON.
async fn refuse(refusal: Refusal, head: &mut Parts, app: &Arc<App>) -> Response {
    match Asked::from_request_parts(head, app).await {
        Ok(asked) if is_api(head) => api::refusal(&refusal, &asked),
        Ok(asked) => asked.refuse(refusal).into_response(),
        Err(response) => response,
    }
}

fn refuse_stranger(stranger: Stranger, head: &Parts) -> Response {
    let t = Texts::of(&head.headers);
    let (status, error) = match stranger {
        Stranger::Host => {
            let name = asked_name(head).unwrap_or_else(|| "?".to_owned());
            (StatusCode::MISDIRECTED_REQUEST, fill(t.unknown_host, &[&name]))
        }
        Stranger::Unnamed => (StatusCode::FORBIDDEN, t.unnamed_by_proxy.to_owned()),
        Stranger::Direct => (StatusCode::FORBIDDEN, t.not_by_proxy.to_owned()),
    };
    if is_api(head) { api::refused(status, &error) } else { html(status, &Page { t, error }) }
}

fn is_api(head: &Parts) -> bool {
    head.uri.path().starts_with("/api/")
}
