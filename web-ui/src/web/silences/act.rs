//! Extending and ending silences, one or many.

use askama::Template;
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use http::StatusCode;

use crate::address::Address;
use crate::silencing::desk::{Act, Item, Outcome};
use crate::silencing::draft::{length, time};
use crate::silencing::problem::Problem;
use crate::silencing::write::WriteError;
use crate::texts::Say as _;
use crate::web::acting::Acting;
use crate::web::frame::Frame;
use crate::web::{Asked, html};

/// The most silences that are changed at once.
pub(in crate::web) const MOST: usize = 500;

#[derive(Template)]
#[template(path = "silence_outcome.html")]
struct Page<'a> {
    frame: Frame<'a>,
    /// What was wrong with the form.
    error: Option<String>,
    outcomes: Vec<Outcome>,
    /// The form again, with what failed.
    retry: Vec<String>,
    fields: Vec<(String, String)>,
}

/// The address of an answer to a form, which a browser asks for anew to keep its head up to date.
pub(super) async fn opened() -> Redirect {
    Redirect::to("/silences")
}

pub(super) async fn sent(Acting(asked): Acting, body: Bytes) -> Response {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let texts: Vec<_> = pairs.iter().filter(|(name, _)| name == "item").map(|(_, value)| value.clone()).collect();
    let items: Vec<_> = texts.iter().filter_map(|text| Item::read(text)).collect();
    let fields = ["act", "by", "until"].map(|name| (name.to_owned(), field(name).to_owned())).into();
    let act = match act(&asked, field("act"), field("by"), field("until")) {
        Ok(_) if items.is_empty() || items.len() != texts.len() => Err(asked.texts.problem_nothing_chosen.to_owned()),
        Ok(_) if items.len() > MOST => Err(Problem::TooMany(MOST).say(asked.texts)),
        Ok(act) => Ok(act),
        Err(problem) => Err(problem.say(asked.texts)),
    };
    let act = match act {
        Ok(act) => act,
        Err(error) => {
            let frame = asked.frame("silences");
            let page = Page { frame, error: Some(error), outcomes: Vec::new(), retry: Vec::new(), fields };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let outcomes = asked.desk().act(&items, act).await;
    if outcomes.iter().all(|outcome| outcome.result.is_ok()) {
        return Redirect::to(&behind(&outcomes, act).to_string()).into_response();
    }
    let raced =
        |outcome: &Outcome| matches!(outcome.result, Ok(_) | Err(WriteError::Changed(_) | WriteError::Ended(_)));
    let status = if outcomes.iter().all(raced) { StatusCode::CONFLICT } else { StatusCode::BAD_GATEWAY };
    let retry = outcomes.iter().filter(|outcome| outcome.may_be_retried());
    let retry = retry.filter_map(|outcome| outcome.item.as_ref().map(Item::parameter)).collect();
    html(status, &Page { frame: asked.frame("silences"), error: None, outcomes, retry, fields })
}

fn act(asked: &Asked, act: &str, by: &str, until: &str) -> Result<Act, Problem> {
    match (act, by, until) {
        ("expire", ..) => Ok(Act::Expire),
        (_, "", "") => Err(Problem::NoEnd),
        (_, "", until) => time(until, &asked.app.zone).map(Act::ExtendUntil),
        (_, by, "") => length(by).map(Act::ExtendBy).ok_or_else(|| Problem::Length(by.to_owned())),
        _ => Err(Problem::TwoEnds),
    }
}

/// The page that shows what was done.
fn behind(outcomes: &[Outcome], act: Act) -> Address {
    let done = if act == Act::Expire { "expired" } else { "extended" };
    let one = match outcomes {
        [one] => one.result.as_ref().ok().map(|done| Address::of(["silences", &one.cluster, done.id()])),
        _ => None,
    };
    let to = one.unwrap_or_else(|| Address::of(["silences"]));
    to.with("done", done).with("count", &outcomes.len().to_string())
}
