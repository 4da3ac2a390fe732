//! The page of checks by name.

use askama::Template;
use http::StatusCode;

use super::frame::Frame;
use super::{Asked, Shown, html};
use crate::lists::checks::{Names, list};

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
