//! The page of silences.

use askama::Template;
use http::StatusCode;

use super::frame::Frame;
use super::{Asked, Shown, html};
use crate::lists::silences::{Silences, list};

#[derive(Template)]
#[template(path = "silences.html")]
struct Page<'a> {
    frame: Frame<'a>,
    list: Silences<'a>,
}

pub(super) async fn page(asked: Asked) -> Shown {
    match list(&asked.snapshot, &asked.address) {
        Ok(list) => Ok(html(StatusCode::OK, &Page { frame: asked.frame("silences"), list })),
        Err(error) => Err(asked.refuse(error)),
    }
}
