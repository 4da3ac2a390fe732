//! Requests that change something.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;

use super::{Asked, Refusal, api};
use crate::App;

/// A request that may change something: it comes from somebody who may do more than look. Others are refused, with a page or,
/// below `/api`, as JSON; and what another site makes a browser send has been refused by the [gate](super::gate) before.
pub(super) struct Acting(pub(super) Asked);

impl FromRequestParts<Arc<App>> for Acting {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let asked = Asked::from_request_parts(parts, app).await?;
        if asked.user.may_change() {
            return Ok(Self(asked));
        }
        // Below a nested router the request's own path is but a part of it.
        let is_api = parts.extensions.get::<MatchedPath>().is_some_and(|path| path.as_str().starts_with("/api/"));
        Err(match is_api {
            true => api::refusal(&Refusal::ReadOnly, &asked),
            false => asked.refuse(Refusal::ReadOnly).into_response(),
        })
    }
}
