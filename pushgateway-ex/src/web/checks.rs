//! Check results: pushing them, and the detail API over them.
//!
//! ```text
//! PUT     /checks/job/NAME{/LABEL/VALUE}     the group has these results and no others
//! POST    /checks/job/NAME{/LABEL/VALUE}     the group has these results besides those of its other checks
//! DELETE  /checks/job/NAME{/LABEL/VALUE}     the group has no check results any more
//! GET     /api/v1/checks{/CHECK{/history}}   what they say; filters by any label
//! ```
//!
//! Answers are those of pushed metrics.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use bytes::Bytes;
use check_result::HistoryLimits;
use check_result::api::{self, Checks, Entry, Filter, Labels as Shown, Unavailable};
use jiff::Timestamp;

use super::Gateway;
use super::push::NotPushed;
use crate::groups::{Group, Results};
use crate::keeper::{Change, Keeper};
use crate::labels::Labels;
use crate::results;

/// The detail API over what the keeper shows.
pub fn detail(prefix: &str, keeper: Keeper) -> Router {
    let routes = api::router(Arc::new(Kept(keeper)));
    if prefix.is_empty() { routes } else { Router::new().nest(prefix, routes) }
}

impl Gateway {
    pub(super) async fn take_results(
        &self,
        labels: &Labels,
        body: (&HeaderMap, Bytes),
        replace: bool,
    ) -> Result<(), NotPushed> {
        let at = Timestamp::now();
        let (headers, body) = body;
        let expires = self.expires(headers, at)?;
        let client = labels.get("instance").or(labels.get("job")).unwrap_or_default();
        let results = results::read(&body, client)?;
        let pushed = Results { labels: labels.clone(), results, replace, at, expires };
        let limits = HistoryLimits { latest_output_bytes: self.rules.max_output, ..HistoryLimits::default() };
        Ok(self.keeper.change(Change::Results(pushed, limits)).await?)
    }
}

/// What the API reads.
struct Kept(Keeper);

impl Checks for Kept {
    async fn find(&self, filter: &Filter) -> Result<Vec<Entry>, Unavailable> {
        let groups = self.0.current().await.map_err(|error| Unavailable(error.to_string()))?;
        let meant = groups.iter().filter(|group| group.key.checks && may_hold(filter, &group.key.labels));
        Ok(meant.flat_map(|group| entries(filter, group)).collect())
    }
}

/// Whether a group's own labels allow for a check that the filter means: most groups are told by that.
fn may_hold(filter: &Filter, labels: &Labels) -> bool {
    filter.labels.iter().all(|(name, wanted)| match labels.get(name) {
        Some(value) => value == wanted,
        None => wanted.is_empty() || ["check", "source"].contains(&name.as_str()),
    })
}

fn entries(filter: &Filter, group: &Group) -> Vec<Entry> {
    let entries = group.checks.values().filter_map(|state| {
        let result = state.latest();
        let own = [("check", Some(result.name())), ("source", result.source())];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        // The group's labels count, as they do for its metrics.
        let labels = own.chain(group.key.labels.iter());
        let labels: Shown = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let meant = filter.matches(&labels, state.status());
        meant.then(|| Entry { labels, state: Arc::clone(state), client_attributes: None })
    });
    entries.collect()
}
