//! Which alerts there are, what each was given, and why one has no detail: for people and for programs.
//!
//! ```text
//! GET /-/proxy/               table, what failed first; ?state=failed,outdated  ?find=TEXT  ?page=N
//! GET /-/proxy/api/alerts     the same as JSON; and ?limit=N alerts a page
//! GET /-/proxy/style.css
//! ```
//!
//! No path of Alertmanager's begins so. Shown are the alerts that a source matches, as long as they are remembered:
//! until 20 minutes after their last post. The page needs no JavaScript and may load nothing but its style sheet; all
//! that it shows is escaped by the template. However many alerts there are, a page has so many of them and no more.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State as Given};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::detail::OpenCircuit;
use crate::hold::Hold;
use crate::setup::Shared;

mod list;

use list::{Listed, Wanted};
pub use list::{Row, State};

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Nodes that are left alone of which the page tells.
const NODES: usize = 20;

/// What is shown.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The configuration in force.
    pub setup: Shared,
    /// Who knows the alerts.
    pub hold: Arc<Hold>,
    /// The zone of times.
    pub zone: TimeZone,
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct Page<'a> {
    wanted: &'a Wanted,
    listed: &'a Listed,
    nodes: &'a [OpenCircuit],
    more_nodes: usize,
    clock: Clock<'a>,
}

/// Times as people read them.
struct Clock<'a> {
    now: Timestamp,
    zone: &'a TimeZone,
}

/// The routes.
pub fn router(overview: Overview) -> Router {
    let style = || async { ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../templates/style.css")) };
    Router::new()
        .route("/-/proxy/", get(page))
        .route("/-/proxy/api/alerts", get(api))
        .route("/-/proxy/style.css", get(style))
        .with_state(overview)
}

async fn page(Given(overview): Given<Overview>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let (wanted, listed) = match overview.list(query).await {
        Ok(listed) => listed,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let nodes = overview.setup.load().details.open_circuits();
    let (now, shown) = (Timestamp::now(), nodes.len().min(NODES));
    let page = Page {
        wanted: &wanted,
        listed: &listed,
        nodes: &nodes[..shown],
        more_nodes: nodes.len() - shown,
        clock: Clock { now, zone: &overview.zone },
    };
    let body = page.render().expect("a page is written to memory, and its values are text");
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

async fn api(Given(overview): Given<Overview>, Query(query): Query<Vec<(String, String)>>) -> Response {
    match overview.list(query).await {
        Ok((_, listed)) => ([(CACHE_CONTROL, "no-store")], Json(listed)).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response(),
    }
}

impl Overview {
    /// Sorting tens of thousands of alerts is too much work for a thread that serves others.
    async fn list(&self, query: Vec<(String, String)>) -> Result<(Wanted, Listed), String> {
        let (wanted, hold) = (Wanted::read(query)?, Arc::clone(&self.hold));
        let listing = move || {
            let listed = Listed::of(hold.rows(), &wanted);
            (wanted, listed)
        };
        Ok(tokio::task::spawn_blocking(listing).await.expect("listing alerts does not panic"))
    }
}

impl Clock<'_> {
    /// How long ago, in one unit.
    fn ago(&self, time: &Timestamp) -> String {
        let seconds = self.now.duration_since(*time).as_secs().max(0);
        match seconds {
            0..120 => format!("{seconds} s"),
            120..7_200 => format!("{} min", seconds / 60),
            7_200..172_800 => format!("{} h", seconds / 3_600),
            _ => format!("{} d", seconds / 86_400),
        }
    }

    fn exact(&self, time: &Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z").to_string()
    }
}
