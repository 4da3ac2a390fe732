//! The page of checks by name, and that of one of them.

use askama::Template;
use axum::extract::Path;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use http::StatusCode;

use super::frame::Frame;
use super::{Asked, Shown, html};
use crate::address::Address;
use crate::lists::checks::{Names, list};
use crate::matcher::{Matcher, Op};

#[derive(Template)]
#[template(path = "checks.html")]
struct Page<'a> {
    frame: Frame<'a>,
    list: Names,
}

pub(super) async fn page(asked: Asked) -> Shown {
    match list(&asked.snapshot, &asked.address) {
        Ok(list) => Ok(html(StatusCode::OK, &Page { frame: asked.frame("checks"), list })),
        Err(error) => Err(asked.refuse(error)),
    }
}

/// The alerts of a check.
pub(super) async fn one(Path(check): Path<String>) -> Shown {
    let matcher = Matcher::new("check", Op::Equal, check).expect("it is no regular expression");
    Ok(Redirect::to(&Address::at("/").with("filter", &matcher.to_string()).to_string()).into_response())
}
