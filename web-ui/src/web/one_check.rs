//! The page of one check on all nodes, the passing too.

use askama::Template;
use axum::extract::Path;

use super::frame::Frame;
use super::{Asked, Refusal, Shown, html};
use crate::address::{Address, decoded};
use crate::lists::by_state::ByState;
use crate::lists::one_check::{Row, Source, list};
use crate::matcher::{Matcher, Op};

#[derive(Template)]
#[template(path = "check.html")]
struct Page<'a> {
    frame: Frame<'a>,
    check: &'a str,
    list: ByState<Row<'a>>,
}

pub(super) async fn page(Path(check): Path<String>, asked: Asked) -> Shown {
    let check = decoded(&check);
    let Some(sources) = Source::ask_all(&asked.snapshot, check).await else {
        return Err(asked.refuse(Refusal::NoCheck));
    };
    let (mut frame, list) = asked.listed("checks", |address| list(check, &sources, address));
    for source in &sources {
        frame.trouble(source.cluster, "Prometheus", &source.part);
    }
    Ok(html(frame.status(), &Page { frame, check, list }))
}

impl Page<'_> {
    /// The form that silences this check wherever the page is narrowed to.
    fn silence_all(&self) -> Option<Address> {
        let check = Matcher::new("check", Op::Equal, self.check).ok()?;
        self.frame.silence_all().map(|form| form.with("filter", &Matcher::added(form.get("filter"), &check)))
    }
}
