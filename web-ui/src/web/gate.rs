//! What every request goes through before it comes to its route.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;

use super::{Asked, Refusal, api, origin};
use crate::App;

/// Lets a request pass unless another site made a browser send it.
pub(super) async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if origin::is_foreign(request.method(), request.headers()) {
        let (mut head, _) = request.into_parts();
        return refuse(Refusal::CrossSite, &mut head, &app).await;
    }
    next.run(request).await
}

/// A refusal as who asks can read it: a page or, below `/api`, JSON.
async fn refuse(refusal: Refusal, head: &mut Parts, app: &Arc<App>) -> Response {
    let is_api = head.uri.path().starts_with("/api/");
    match Asked::from_request_parts(head, app).await {
        Ok(asked) if is_api => api::refusal(&refusal, &asked),
        Ok(asked) => asked.refuse(refusal).into_response(),
        Err(response) => response,
    }
}
