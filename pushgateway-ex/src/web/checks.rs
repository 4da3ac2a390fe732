//! Check results: pushing them, and the detail API over them.
//!
//! ```text
//! PUT     /checks/job/NAME{/LABEL/VALUE}     the group has these results and no others
//! POST    /checks/job/NAME{/LABEL/VALUE}     the group has these results besides those of its other checks
//! DELETE  /checks/job/NAME{/LABEL/VALUE}     the group has no check results any more; ?check=NAME{&source=NAME}: none of that check
//! GET     /checks/job/NAME{/LABEL/VALUE}     the names of the group's checks
//! GET     /api/v1/checks{/CHECK{/history}}   what they say; filters by any label
//! GET     /detail/   /detail/checks/CHECK    the same for a browser, and below it what its pages link to
//! GET     /checks/CHECK                      302 to the check's page, whose address on a node this is
//! ```
//!
//! Answers are those of pushed metrics.

use std::sync::Arc;

use axum::extract::Query;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use check_result::api::{self, Checks, Entry, Expiry, Filter, Labels as Shown, Unavailable};
use check_result::pages::{self, Site};
use check_result::{CheckKey, HistoryLimits};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::bodies::Held;
use super::push::NotPushed;
use super::route::{GroupPath, Paths};
use super::{Gateway, reply};
use crate::groups::{Check, Group, Results};
use crate::keeper::{Change, Keeper};
use crate::labels::{Key, Labels};

/// The detail API over what the keeper shows, and its pages.
pub fn detail(version: &'static str, paths: &Paths, keeper: Keeper) -> Router {
    let kept = Arc::new(Kept(keeper));
    let site = Site { name: "pushgateway-ex", version, time_zone: TimeZone::UTC };
    // All redirections are relative: a proxy may have taken away a prefix of which nothing is known here.
    let metrics = format!("..{}", paths.telemetry);
    let to_check = async |uri: Uri| found(&format!("../detail{uri}"));
    let pages = api::router(Arc::clone(&kept)).merge(pages::router(Arc::clone(&kept), site));
    let pages = pages.route("/metrics", get(async move || found(&metrics)));
    let routes = api::router(kept)
        .nest("/detail/", pages)
        .route("/detail", get(async || found("detail/")))
        .route("/checks/{check}", get(to_check));
    if paths.prefix.is_empty() { routes } else { Router::new().nest(&paths.prefix, routes) }
}

fn found(to: &str) -> Response {
    (StatusCode::FOUND, [(LOCATION, to)]).into_response()
}

impl Gateway {
    pub(super) async fn take_results(
        &self,
        labels: &Labels,
        body: (&HeaderMap, Held),
        replace: bool,
    ) -> Result<(), NotPushed> {
        let at = Timestamp::now();
        let (headers, mut body) = body;
        let term = self.term(headers, at)?;
        let client = labels.get("instance").or(labels.get("job")).unwrap_or_default();
        self.bodies.unpack(&mut body, headers)?;
        let results = self.bodies.results(&mut body, self.rules.bounds(), client)?;
        let pushed = Results { labels: labels.clone(), results, replace, term };
        let limits = HistoryLimits { latest_output_bytes: self.rules.max_output, ..HistoryLimits::default() };
        let late = self.keeper.change_within(body.into_room(), Change::Results(pushed, limits)).await?;
        if late > 0 {
            self.events.came_late(late, labels);
        }
        Ok(())
    }
}

impl Gateway {
    /// The checks of a group, so that who pushes them can find out which of them are no longer its own.
    pub(super) async fn listed(&self, path: &GroupPath) -> Response {
        let labels = match self.key(path) {
            Ok(labels) => labels,
            Err(error) => return reply::error(StatusCode::BAD_REQUEST, error),
        };
        let groups = match self.keeper.current().await {
            Ok(groups) => groups,
            Err(error) => return reply::unavailable(error),
        };
        let checks = groups.get(&Key::checks(labels)).into_iter().flat_map(|group| &group.checks);
        let checks: Vec<_> = checks.map(|(key, check)| listed(key, check)).collect();
        Json(checks).into_response()
    }
}

fn listed(key: &CheckKey, check: &Check) -> Value {
    let latest = check.state.latest();
    // The command itself may hold what is not for everybody.
    let command = latest.check().contains_key("command");
    let mut listed = json!({"check": key.check, "client": latest.client(), "has_command": command});
    if let Some(source) = &key.source {
        listed["source"] = source.as_str().into();
    }
    if let Some(end) = check.end {
        listed["expires"] = end.at.to_string().into();
        listed["expired"] = end.over.into();
    }
    listed
}

/// The one check that a query names, if it does: anything else in it is refused, lest a misspelt name cost the whole group.
pub(super) fn one(uri: &Uri) -> Result<Option<CheckKey>, String> {
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| error.body_text())?;
    let (mut check, mut source) = (None, None);
    for (name, value) in query {
        let place = match &*name {
            "check" => &mut check,
            "source" => &mut source,
            _ => return Err(format!("`{name}` is no parameter of this request; it takes `check` and `source`")),
        };
        if value.is_empty() || place.replace(value).is_some() {
            return Err(format!("`{name}` needs one name"));
        }
    }
    match check {
        Some(check) => Ok(Some(CheckKey { check, source })),
        None if source.is_some() => Err("`source` needs a `check` beside it".to_owned()),
        None => Ok(None),
    }
}

/// What the API reads.
struct Kept(Keeper);

impl Checks for Kept {
    async fn find(&self, filter: &Filter) -> Result<Vec<Entry>, Unavailable> {
        let groups = self.0.current().await.map_err(|error| Unavailable(error.to_string()))?;
        let labels = filter.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let meant = groups.with_checks(labels).into_iter().filter(|group| may_hold(filter, &group.key.labels));
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
    // Where the group has a label of that name it hides the checks' own.
    let named = filter.labels.get("check").filter(|_| group.key.labels.get("check").is_none());
    let entries = group.checks_named(named.map(String::as_str)).filter_map(|check| {
        let result = check.state.latest();
        let own = [("check", Some(result.name())), ("source", result.source())];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        // The group's labels count, as they do for its metrics.
        let labels = own.chain(group.key.labels.iter());
        let labels: Shown = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let meant = filter.matches(&labels, check.state.status());
        let expiry = check.end.map(|end| Expiry { expires: end.at, expired: end.over });
        meant.then(|| Entry { labels, state: Arc::clone(&check.state), client_attributes: None, expiry })
    });
    entries.collect()
}
