//! The page of one silence: what it mutes now, its times, what can be done with it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use http::StatusCode;

use super::{MORE, notice, reason};
use crate::address::decoded;
use crate::alertmanager::Silence;
use crate::lists::alerts::Row;
use crate::silencing::desk::{Item, is_over};
use crate::silencing::preview::Preview;
use crate::silencing::{Draft, sentence};
use crate::texts::fill;
use crate::view::Silenced;
use crate::web::frame::Frame;
use crate::web::{Asked, Refusal, Shown, html};

#[derive(Template)]
#[template(path = "silence.html")]
struct Page<'a> {
    frame: Frame<'a>,
    notice: Option<String>,
    cluster: &'a str,
    silence: &'a Silence,
    item: Item,
    sentence: String,
    what: String,
    /// Alerts that Alertmanager says it keeps from being told.
    mutes: usize,
    /// What it matches; none if one of its matchers cannot be used here.
    preview: Option<Preview<'a>>,
}

pub(super) async fn page(Path((cluster, id)): Path<(String, String)>, mut asked: Asked) -> Shown {
    let notice = notice(&mut asked);
    let found = asked.snapshot.0.iter().find(|(known, _)| known.name == decoded(&cluster));
    let silenced = found.and_then(|(cluster, view)| {
        let silenced = view.silences.said.iter().find(|silenced| silenced.silence.id == id)?;
        Some((cluster, view, silenced))
    });
    let Some((cluster, view, Silenced { silence, matchers })) = silenced else {
        return Err(asked.refuse(Refusal::NoSilence));
    };
    let clusters = vec![cluster.name.clone()];
    let draft = Draft { matchers: matchers.clone(), clusters: clusters.clone() };
    let mutes = view.muted_by(&silence.id);
    let page = Page {
        frame: asked.frame("silences"),
        notice,
        cluster: &cluster.name,
        silence,
        item: Item::of(&cluster.name, silence),
        sentence: asked.now().say(
            &silence.matchers,
            &clusters,
            (Some(silence.starts_at), silence.ends_at),
            &silence.comment,
        ),
        what: sentence::what(&silence.matchers, asked.texts),
        mutes,
        preview: (!matchers.is_empty()).then(|| Preview::new(&cluster.name, view, &[draft])).flatten(),
    };
    Ok(html(StatusCode::OK, &page))
}

impl Page<'_> {
    fn is_over(&self) -> bool {
        is_over(self.silence)
    }

    fn reason(&self) -> (&str, bool) {
        reason(self.silence)
    }

    fn muted(&self, preview: &Preview<'_>) -> String {
        fill(self.frame.t.muted_now, &[&self.mutes, &preview.alerts])
    }

    /// Alerts that it matches, those first that it keeps from being told.
    fn rows(&self) -> impl Iterator<Item = &Row<'_>> {
        let by_told: BTreeMap<_, Vec<_>> =
            self.preview.iter().flat_map(|preview| &preview.listed).fold(BTreeMap::new(), |mut all, row| {
                let is_ours = row.fired.alert.status.silenced_by.contains(&self.silence.id);
                all.entry(!is_ours).or_insert_with(Vec::new).push(row);
                all
            });
        by_told.into_values().flatten()
    }
}
