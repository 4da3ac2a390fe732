//! HTML pages of the checks, for a browser: what a node's Uchiwa page was.
//!
//! ```text
//! GET /                  table of the checks, worst first; ?status=critical,warning  ?find=TEXT  ?page=N  ?refresh=SECONDS,
//!                        and the API's label filters
//! GET /checks/{check}    one check: output, definition, hooks, history; the API's label filters
//! GET /style.css
//! ```
//!
//! Every other path is a 404. The pages need no JavaScript and may load nothing but their style sheet, which their
//! `Content-Security-Policy` says; all they show is escaped by the templates, and outputs are without control characters and
//! text-direction overrides. Links are relative, so that the pages also work
//! beneath a path of a reverse proxy. The modules below turn what the store knows into what a template shows.

mod check;
mod link;
mod list;
mod moment;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Status;
use crate::api::accept::{Form, preferred};
use crate::api::refusal::Refusal;
use crate::api::server::{Name, Params, one};
use crate::api::tag::{self, Tagged};
use crate::api::{Checks, Filter};
use moment::Clock;

/// What a page says of the program that serves it.
#[derive(Clone, Debug)]
pub struct Site {
    /// The program's name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The time zone that times are shown in.
    pub time_zone: TimeZone,
}

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The routes of the pages, the fallback for paths that there are not included.
pub fn router<C: Checks>(checks: Arc<C>, site: Site) -> Router {
    let style =
        || async { Tagged { content_type: "text/css; charset=utf-8", body: include_str!("../templates/style.css") } };
    let routes = Router::new()
        .route("/", get(list_page::<C>))
        .route("/checks/{check}", get(check_page::<C>))
        .route("/style.css", get(style))
        .fallback(nowhere::<C>)
        .with_state(Pages { checks, site: Arc::new(site) });
    tag::layered(routes)
}

struct Pages<C> {
    checks: Arc<C>,
    site: Arc<Site>,
}

impl<C> Clone for Pages<C> {
    fn clone(&self) -> Self {
        Self { checks: Arc::clone(&self.checks), site: Arc::clone(&self.site) }
    }
}

async fn list_page<C: Checks>(
    State(pages): State<Pages<C>>,
    Query(query): Params,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let frame = Frame::new(&pages.site, &uri);
    let made = async {
        let query = list::ListQuery::read(query, pages.checks.labels())?;
        let filter = Filter { labels: query.labels.clone(), ..Filter::default() };
        let entries = pages.checks.find(&filter).await?;
        Ok(html(StatusCode::OK, &list::ListPage::new(frame.clone(), query, &entries)))
    };
    made.await.unwrap_or_else(|refusal| refused(refusal, frame, &headers))
}

async fn check_page<C: Checks>(
    State(pages): State<Pages<C>>,
    name: Name,
    Query(query): Params,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let frame = Frame::new(&pages.site, &uri);
    let made = async {
        let filter = Filter::from_query(query)?.within(pages.checks.labels())?.unlimited()?;
        let entry = one(&*pages.checks, name, &filter).await?;
        let status = vec![Status::Critical, Status::Warning, Status::Unknown];
        let problems = Filter { status, labels: link::place(&entry.labels), ..Filter::default() };
        let problems = pages.checks.find(&problems).await?;
        Ok(html(StatusCode::OK, &check::CheckPage::new(frame.clone(), &entry, &problems)))
    };
    made.await.unwrap_or_else(|refusal| refused(refusal, frame, &headers))
}

async fn nowhere<C: Checks>(State(pages): State<Pages<C>>, request: Request) -> Response {
    refused(Refusal::NoPage, Frame::new(&pages.site, request.uri()), request.headers())
}

/// What every page has around its content.
#[derive(Clone)]
struct Frame {
    site: Arc<Site>,
    /// The way from the page to `/`, with its final slash.
    root: String,
    clock: Clock,
}

impl Frame {
    fn new(site: &Arc<Site>, page: &Uri) -> Self {
        let clock = Clock::new(Timestamp::now(), site.time_zone.clone());
        Self { site: Arc::clone(site), root: link::root(page.path()), clock }
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    frame: Frame,
    status: StatusCode,
    error: String,
    /// Names and addresses of the checks that may have been meant.
    choices: Vec<(String, String)>,
}

fn refused(refusal: Refusal, frame: Frame, headers: &HeaderMap) -> Response {
    if preferred(headers, [Form::Json, Form::Html]) != Form::Html {
        return refusal.into_response();
    }
    let choices = match &refusal {
        Refusal::Ambiguous(found) => {
            found.iter().map(|labels| (link::name(labels), link::page(&frame.root, labels))).collect()
        }
        _ => Vec::new(),
    };
    let (status, error) = (refusal.status(), refusal.error());
    html(status, &RefusalPage { frame, status, error, choices })
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    let body = page.render().expect("a page is written to memory, and its values are text");
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "deny"),
        (REFERRER_POLICY, "same-origin"),
    ];
    (status, headers, body).into_response()
}

/// How a status looks: never by colour alone.
#[derive(Clone, Copy)]
struct Look {
    class: &'static str,
    sign: &'static str,
    word: &'static str,
}

impl From<Status> for Look {
    fn from(status: Status) -> Self {
        let (class, sign) = match status {
            Status::Ok => ("ok", "✓"),
            Status::Warning => ("warning", "!"),
            Status::Critical => ("critical", "×"),
            Status::Unknown => ("unknown", "?"),
        };
        Self { class, sign, word: status.word() }
    }
}

/// Where a status stands in a list: the worst first, as in Uchiwa.
fn rank(status: Status) -> usize {
    match status {
        Status::Critical => 0,
        Status::Warning => 1,
        Status::Unknown => 2,
        Status::Ok => 3,
    }
}
