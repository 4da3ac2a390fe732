//! The page of nodes.

use askama::Template;

use super::frame::Frame;
use super::{Asked, Shown, html};
use crate::lists::by_state::ByState;
use crate::lists::nodes::{Row, list};

/// Failing checks of a node that are named in its row.
const NAMED: usize = 3;

#[derive(Template)]
#[template(path = "nodes.html")]
struct Page<'a> {
    frame: Frame<'a>,
    list: ByState<Row<'a>>,
}

pub(super) async fn page(asked: Asked) -> Shown {
    let (frame, list) = asked.listed("nodes", |address| list(&asked.snapshot, address));
    Ok(html(frame.status(), &Page { frame, list }))
}
