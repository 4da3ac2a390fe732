//! The page of checks by name.

use askama::Template;

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
    let (frame, list) = asked.listed("checks", |address| list(&asked.snapshot, address));
    Ok(html(frame.status(), &Page { frame, list }))
}
