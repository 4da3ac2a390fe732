//! The requests: [`mod@route`] says which ones there are.
//!
//! Everything goes through one function, [`answer`], since the reference's router has habits that no other one shares; it counts every
//! request and names its route. The answers are in the modules below.

mod admin;
mod api;
mod bodies;
mod checks;
mod negotiate;
mod page;
mod push;
mod reply;
pub mod route;
mod scrape;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use service::{BuildInfo, RequestLimit, RouteName, is_foreign};
use tokio_util::sync::CancellationToken;
use tower_http::compression::{CompressionLayer, CompressionLevel};

pub use self::checks::detail;
pub use self::scrape::Scrape;

use self::route::{Paths, Route, Target, route};
use crate::events::Events;
use crate::flags::Flags;
use crate::keeper::Keeper;

/// What requests are answered from.
pub struct Gateway {
    paths: Paths,
    keeper: Keeper,
    events: Events,
    status: api::Status,
    quit: Option<CancellationToken>,
    /// Whether everybody who is let in may read the outputs of checks.
    outputs: bool,
    rules: push::Rules,
    bodies: bodies::Bodies,
    /// How many requests for outputs are answered at a time.
    limit: RequestLimit,
    /// What browsers call the gateway, where that is said.
    host: Option<String>,
}

/// What a browser is told that another site made send something.
const FOREIGN: &str = "a page of another site has made a browser send this, and the gateway takes changes from its own page alone; a \
                       proxy before it has to pass on the header Host, or --web.external-url has to name it";

impl Gateway {
    /// Answers as the flags say; `quit` is cancelled when a client orders to stop and may.
    pub fn new(
        info: BuildInfo,
        flags: &Flags,
        (keeper, events, limit): (Keeper, Events, RequestLimit),
        quit: CancellationToken,
    ) -> Self {
        let telemetry = flags.telemetry_path.clone();
        Self {
            paths: Paths { prefix: flags.prefix(), telemetry, admin: flags.enable_admin_api },
            keeper,
            events,
            status: api::Status::new(info, flags.shown()),
            quit: flags.enable_lifecycle.then_some(quit),
            outputs: flags.detail.allowed().is_everybody(),
            bodies: bodies::Bodies::new(flags.limits.max_body),
            limit,
            host: flags.external_host(),
            rules: push::Rules {
                max_series: flags.limits.max_series,
                max_label: flags.limits.max_label,
                max_output: flags.detail.output,
                max_detail: flags.detail.most,
                ttl: flags.ttl,
                check_ttl: flags.check_ttl,
                checked: !flags.disable_consistency_check,
            },
        }
    }

    /// What the flags say of paths.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The whole path of scrapes.
    pub fn telemetry_path(&self) -> String {
        format!("{}{}", self.paths.prefix, self.paths.telemetry)
    }
}

/// The route of scrapes.
pub fn metrics(gateway: Arc<Gateway>, scrape: Scrape, path: &str) -> Router {
    // The default level takes longer than making the page does, for a quarter fewer bytes.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
    let scrape = Arc::new(scrape);
    let answer = async move |request: Request| match route(&gateway.paths, request.method(), request.uri().path()) {
        Route::To(Target::Scrape) => match gateway.keeper.current().await {
            Ok(groups) => named("metrics", Arc::clone(&scrape).answer(groups, request.headers()).await),
            Err(error) => named("metrics", reply::unavailable(error)),
        },
        other => named("metrics", elsewhere(&other, &request)),
    };
    Router::new().route(path, any(answer).layer(compression))
}

/// All other routes.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(answer).with_state(gateway)
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let method = method(request.method());
    let (name, response) = match route(&gateway.paths, request.method(), request.uri().path()) {
        _ if gateway.is_foreign(&request) => {
            gateway.events.foreign(FOREIGN, request.headers());
            ("other", reply::error(StatusCode::FORBIDDEN, FOREIGN))
        }
        Route::To(target) => gateway.to(target, request).await,
        other => ("other", elsewhere(&other, &request)),
    };
    gateway.events.answered(name, method, response.status().as_u16());
    named(name, response)
}

impl Gateway {
    /// Answers a request, and names the route as the reference does.
    async fn to(&self, target: Target, request: Request) -> (&'static str, Response) {
        match target {
            Target::Group(path) if request.method() == Method::DELETE => {
                ("delete", self.delete(&path, request.uri()).await)
            }
            Target::Group(path) if request.method() == Method::GET => ("checks", self.listed(&path).await),
            Target::Group(path) => ("push", self.push(&path, request).await),
            Target::Page => ("status", self.limit.bound(self.page(request.uri().query().unwrap_or_default())).await),
            Target::Style => ("status", page::style()),
            Target::Script => ("status", page::script()),
            Target::Healthy => ("healthy", self.healthy()),
            Target::Ready => ("ready", self.ready().await),
            Target::Quit => ("quit", self.quit(request.method())),
            Target::Status => ("api/v1/status", self.status.answer()),
            Target::Metrics => ("api/v1/metrics", self.metrics().await),
            Target::Wipe => ("wipe", self.wipe().await),
            Target::Preflight => ("api/v1/options", api::preflight()),
            Target::Scrape => ("metrics", reply::not_found()),
        }
    }

    /// Whether another site makes a browser send this. Before a proxy browsers may call the gateway otherwise than the proxy does.
    fn is_foreign(&self, request: &Request) -> bool {
        let asked = request.headers().get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
        let mut hosts = std::iter::once(asked).chain(self.host.as_deref().map(str::as_bytes));
        hosts.all(|host| is_foreign(request.method(), request.headers(), host))
    }
}

/// The answer to what is not to be answered where it was asked.
fn elsewhere(route: &Route, request: &Request) -> Response {
    match route {
        Route::Redirect { to, moved } => reply::redirect(to, *moved, request),
        Route::Allow(methods) => reply::not_allowed(methods),
        Route::Options(methods) => reply::options(methods),
        Route::BadPath => reply::error(StatusCode::BAD_REQUEST, "the path has a `%` without two hexadecimal digits"),
        Route::NotFound | Route::To(_) => reply::not_found(),
    }
}

fn named(name: &'static str, mut response: Response) -> Response {
    response.extensions_mut().insert(RouteName(name));
    response
}

/// A method as a label value: the ones that HTTP names, since a client may make up any number of others.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::HEAD => "head",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::OPTIONS => "options",
        _ => "other",
    }
}
