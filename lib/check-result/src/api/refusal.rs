//! Why a request is not answered, and its form for programs.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::detail::Labels;
use super::filter::{BadFilter, Filter};
use super::server::Unavailable;

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A path or query that cannot be read.
    Malformed(String),
    /// A path that leads nowhere.
    #[cfg(feature = "pages")]
    NoPage,
    /// The path has no such method.
    Method,
    /// No check is meant by this filter.
    NotFound(Filter),
    /// More than one has.
    Ambiguous(Vec<Labels>),
    /// The store cannot answer.
    Unavailable(Unavailable),
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            #[cfg(feature = "pages")]
            Self::NoPage => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Ambiguous(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// In words.
    pub(crate) fn error(&self) -> String {
        match self {
            Self::Malformed(error) => error.clone(),
            #[cfg(feature = "pages")]
            Self::NoPage => "there is no such page".to_owned(),
            Self::Method => "only GET and HEAD are answered here".to_owned(),
            Self::NotFound(filter) => format!("no result of a check with {filter} is known here"),
            Self::Ambiguous(labels) => {
                format!("{} checks match; add labels to the query to name one", labels.len())
            }
            Self::Unavailable(error) => error.to_string(),
        }
    }
}

impl From<BadFilter> for Refusal {
    fn from(error: BadFilter) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({"error": self.error()});
        if let Self::Ambiguous(labels) = &self {
            body["labels"] = json!(labels);
        }
        (self.status(), Json(body)).into_response()
    }
}
