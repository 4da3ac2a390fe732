//! The pages of silences.
//!
//! ```text
//! GET  /silences                          the list
//! GET  /silences/new                      the form: ?alert=CLUSTER/FINGERPRINT ?node=CLUSTER/JOB/INSTANCE ?check=NAME ?filter=MATCHERS
//!                                         ?cluster=a,b, or ?again=CLUSTER/ID to make one again
//! POST /silences/new                      the form for what was chosen in a list: the same parameters, as a form's body
//! POST /silences                          what the form says: do=preview, do=fragment (the preview alone), do=create
//! GET  /silences/act                      leads to the list: its answer to a form is asked for anew there
//! POST /silences/act                      item=CLUSTER/ID/UPDATED, repeated; act=expire, act=extend with by=4h or until=TIME
//! GET  /silences/{cluster}/{id}           one silence
//! GET  /silences/{cluster}/{id}/edit      the form for it
//! ```
//!
//! Whatever has been changed leads to a page that shows it (303); what has not is told silence by silence (502, or 409 where
//! somebody else was quicker), beside a form with what is left to do.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::routing::get;

use super::frame::Frame;
use super::{Asked, Shown, html};
use crate::App;
use crate::alertmanager::Silence;
use crate::lists::silences::{Silences, list};
use crate::silencing::desk::{Desk, Item, is_over};
use crate::silencing::{mark, sentence};
use crate::texts::fill;
use crate::view::Silenced;

mod act;
mod author;
mod form;
mod labels;
mod one;

pub(super) use act::MOST;
pub(super) use form::plan;

/// From so many seconds before its end on, a silence is said to end soon.
const SOON: i64 = 3_600;

/// Lengths by which a silence can be extended with one click.
const MORE: [&str; 3] = ["1h", "4h", "1d"];

/// The routes.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/silences", get(page).post(form::sent))
        .route("/silences/new", get(form::new).post(form::picked))
        .route("/silences/act", get(act::opened).post(act::sent))
        .route("/silences/{cluster}/{id}", get(one::page))
        .route("/silences/{cluster}/{id}/edit", get(form::edit))
}

#[derive(Template)]
#[template(path = "silences.html")]
struct Page<'a> {
    frame: Frame<'a>,
    list: Silences<'a>,
    notice: Option<String>,
}

async fn page(mut asked: Asked) -> Shown {
    let notice = notice(&mut asked);
    let (frame, list) = asked.listed("silences", |address| list(&asked.snapshot, address));
    Ok(html(frame.status(), &Page { frame, list, notice }))
}

impl Page<'_> {
    fn item(&self, cluster: &str, silence: &Silence) -> Item {
        Item::of(cluster, silence)
    }

    fn is_over(&self, silence: &Silence) -> bool {
        is_over(silence)
    }

    fn what(&self, silenced: &Silenced) -> String {
        sentence::what(&silenced.silence.matchers, self.frame.t)
    }

    fn reason<'s>(&self, silence: &'s Silence) -> (&'s str, bool) {
        reason(silence)
    }

    fn is_soon(&self, silence: &Silence) -> bool {
        self.frame.clock.left(&silence.ends_at).is_some_and(|left| left < SOON)
    }
}

impl Asked {
    /// Who has silences changed.
    pub(super) fn desk(&self) -> Desk {
        self.app.desk(self.user.clone(), self.snapshot.clone())
    }
}

/// What was done before this page was led to: `done=WORD`, `count=N` and `known=N`, which its links do not repeat.
fn notice(asked: &mut Asked) -> Option<String> {
    let t = asked.texts;
    let number = |name: &str| asked.address.get(name).parse::<usize>().ok();
    let (count, known) = (number("count").unwrap_or(1), number("known").unwrap_or(0));
    let text = match asked.address.get("done") {
        "made" => t.done_made,
        "changed" => t.done_changed,
        "extended" => t.done_extended,
        "expired" => t.done_expired,
        _ => return None,
    };
    asked.address = asked.address.with("done", "").with("count", "").with("known", "");
    let told = [(text, count), (t.done_known, known)].into_iter().filter(|(_, count)| *count > 0);
    Some(told.map(|(text, count)| fill(text, &[&count])).collect::<Vec<_>>().join("; "))
}

/// A reason without its mark, and whether it has one.
fn reason(silence: &Silence) -> (&str, bool) {
    mark::read(&silence.comment)
}
