//! The server: what a program adds, assembled with what every server has.

mod landing;
mod layers;
mod liveness;
mod readiness;
mod reload;
mod request_limit;
mod scrape;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::HeaderMap;
use exposition::Family;
use futures_util::future::{join, join4};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::landing::Landing;
pub use self::layers::RouteName;
pub use self::readiness::Readiness;
pub use self::request_limit::RequestLimit;

use self::liveness::Liveness;
use self::reload::Reloading;
use self::scrape::Scrape;
use crate::access::{Allowed, Policy};
use crate::error::ConfigError;
use crate::flags::WebFlags;
use crate::info::BuildInfo;
use crate::listen::{self, ListenAddress};
use crate::metrics::process::ProcessCollector;
use crate::metrics::{self, HttpMetrics};
use crate::serve::{Serving, Timeouts};
use crate::systemd;
use crate::web_config::Live;

/// A server being put together. See the [crate]'s head for what it answers by itself.
pub struct Server {
    info: BuildInfo,
    sockets: Sockets,
    max_connections: usize,
    shutdown: Duration,
    timeouts: Timeouts,
    web: Arc<Live>,
    http: Arc<HttpMetrics>,
    registry: Registry,
    families: Vec<scrape::Families>,
    own_endpoints: Option<OwnEndpoints>,
    routes: Router,
    headers: HeaderMap,
    restricted: Option<(Router, Allowed)>,
    max_requests: Option<RequestLimit>,
    has_request_limit: bool,
    metrics_policy: Policy,
    landing: Option<Landing>,
    reloading: Option<Reloading>,
    readiness: Readiness,
    liveness: Liveness,
    supervised: bool,
}

/// Makes the routes of the metrics endpoint.
type OwnEndpoints = Box<dyn FnOnce(Registry) -> Router + Send>;

enum Sockets {
    Systemd,
    Addresses(Vec<ListenAddress>),
}

impl Server {
    /// A server with the settings of its flags. Reads and checks the web config file; opens no port yet.
    ///
    /// # Errors
    /// When the web config file cannot be used, with every failure.
    pub fn new<const PORT: u16, const LOOPBACK: bool>(
        info: BuildInfo,
        flags: &WebFlags<PORT, LOOPBACK>,
    ) -> Result<Self, ConfigError> {
        let mut registry = Registry::default();
        let web = Arc::new(Live::load(flags.config_file.as_deref())?);
        web.register(&mut registry, &info.metric_prefix());
        metrics::build_info(&mut registry, info);
        registry.register_collector(Box::new(ProcessCollector::new()));
        let http = Arc::new(HttpMetrics::register(&mut registry, flags.max_connections));
        let sockets = match flags.systemd_socket {
            true => Sockets::Systemd,
            false => Sockets::Addresses(flags.listen_address.clone()),
        };
        Ok(Self {
            info,
            sockets,
            max_connections: flags.max_connections,
            shutdown: flags.shutdown_timeout,
            timeouts: Timeouts::default(),
            web,
            http,
            registry,
            families: Vec::new(),
            own_endpoints: None,
            routes: Router::new(),
            headers: HeaderMap::new(),
            restricted: None,
            max_requests: None,
            has_request_limit: false,
            metrics_policy: if flags.unauthenticated_metrics { Policy::Open } else { Policy::Configured },
            landing: None,
            reloading: None,
            readiness: Readiness::default(),
            liveness: Liveness::default(),
            supervised: true,
        })
    }

    /// Where the program registers metrics of its own. Names are whole, prefix included; counters go without `_total`; a
    /// help text is one line without backslash and final period.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Adds metric families that are made at each scrape.
    #[must_use]
    pub fn families(mut self, families: impl Fn() -> Vec<Family> + Send + Sync + 'static) -> Self {
        self.families.push(Box::new(families));
        self
    }

    /// Leaves metrics and health to the program: `metrics` makes the routes that scrapes ask, of all that is registered, and
    /// `/-/healthy` and `/-/ready` are the program's own. For a program that answers in another server's words.
    #[must_use]
    pub fn own_endpoints(mut self, metrics: impl FnOnce(Registry) -> Router + Send + 'static) -> Self {
        self.own_endpoints = Some(Box::new(metrics));
        self
    }

    /// Adds routes. A fallback among them gets what no route takes; without one that is 404.
    ///
    /// # Panics
    /// When a route is taken already, as [`Router::merge`].
    #[must_use]
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Puts headers on every answer that has not got them, refusals and what the server answers by itself included. Those
    /// that the web config names come before them.
    #[must_use]
    pub fn response_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Adds routes that are kept to some callers; to nobody in particular where `allowed` names none.
    ///
    /// # Errors
    /// When the web config has no such users, or has no client certificates verified where their names are allowed.
    ///
    /// # Panics
    /// As [`Server::routes`], and when there are restricted routes already.
    pub fn restricted_routes(mut self, routes: Router, allowed: Allowed) -> Result<Self, ConfigError> {
        if allowed.is_everybody() {
            return Ok(self.routes(routes));
        }
        allowed.check(&self.web.current())?;
        let before = self.restricted.replace((routes, allowed));
        assert!(before.is_none(), "a server has one group of restricted routes");
        Ok(self)
    }

    /// Answers at most `limit` requests of the program's routes at a time; further ones get 503. Scrapes have a limit of
    /// their own, and health is always told, so that a busy node does not look like a dead one.
    ///
    /// # Panics
    /// As [`Server::request_limit`].
    #[must_use]
    pub fn max_requests(mut self, limit: usize) -> Self {
        self.max_requests = Some(self.request_limit(limit));
        self
    }

    /// The same for a program that chooses which of its requests are bounded.
    ///
    /// # Panics
    /// When there is a limit already, of which the metrics tell.
    pub fn request_limit(&mut self, limit: usize) -> RequestLimit {
        assert!(!std::mem::replace(&mut self.has_request_limit, true), "a server has one limit of requests");
        self.http.register_request_limit(&mut self.registry, limit);
        RequestLimit::new(limit, &self.http)
    }

    /// Adds a page at `/`. Without it, `/` is the program's own.
    #[must_use]
    pub fn landing(mut self, landing: Landing) -> Self {
        self.landing = Some(landing);
        self
    }

    /// Adds a reload hook: `POST /-/reload` and SIGHUP call it, one call at a time. When it fails the program goes on with
    /// its old configuration, which the hook sees to; the gauge `<name>_config_last_reload_successful` is 0 then.
    #[must_use]
    pub fn on_reload<F>(mut self, hook: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let reloading = Reloading::new(hook);
        reloading.register(&mut self.registry, &self.info.metric_prefix());
        self.reloading = Some(reloading);
        self
    }

    /// A handle that says when the program is ready. Without it a server is ready as soon as it listens; with it, when
    /// [`Readiness::set_ready`] says so.
    pub fn readiness(&mut self) -> Readiness {
        self.readiness.take_over()
    }

    /// Lets the program say whether it does its work: while `check` gives a reason why not, `/-/healthy` answers 503
    /// with it and systemd's watchdog is not fed. It is called often, and must not block.
    #[must_use]
    pub fn liveness(mut self, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.liveness = Liveness::new(check);
        self
    }

    /// Leaves it to the program to tell systemd that it is ready, alive and stopping: for a server that is only a part of it.
    #[must_use]
    pub fn supervised_elsewhere(mut self) -> Self {
        self.supervised = false;
        self
    }

    /// Replaces the time limits.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Opens the ports. From here on clients can connect; they are answered when [`Bound::run`] runs.
    ///
    /// # Errors
    /// When a port cannot be opened.
    pub fn bind(self) -> anyhow::Result<Bound> {
        let listeners = match &self.sockets {
            Sockets::Systemd => listen::from_systemd()?,
            Sockets::Addresses(addresses) => addresses.iter().map(ListenAddress::bind).collect::<Result<_, _>>()?,
        };
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>();
        Ok(Bound { addresses: addresses.context("cannot read a socket's address")?, listeners, server: self })
    }

    /// Opens the ports and serves until the token is cancelled and what is in flight has ended.
    ///
    /// # Errors
    /// When a port cannot be opened.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        self.bind()?.run(stop).await
    }

    fn router(&mut self) -> Router {
        let registry = std::mem::take(&mut self.registry);
        let (scrapes, health) = match self.own_endpoints.take() {
            Some(metrics) => (metrics(registry), Router::new()),
            None => {
                let scrape = Scrape::new(registry, std::mem::take(&mut self.families));
                (scrape.routes(), self.readiness.routes().merge(self.liveness.routes()))
            }
        };
        let limit = self.max_requests.take();
        let bounded = |routes| match &limit {
            Some(limit) => limit.bounding(routes),
            None => routes,
        };
        let mut router = bounded(std::mem::take(&mut self.routes)).merge(health);
        if let Some(reloading) = &self.reloading {
            router = router.merge(reloading.routes());
        }
        if let Some(landing) = &self.landing {
            router = router.merge(landing.routes(self.info));
        }
        let web = Arc::clone(&self.web);
        let mut guarded = layers::admitting(scrapes, self.metrics_policy.clone(), &web);
        if let Some((routes, allowed)) = self.restricted.take() {
            guarded = guarded.merge(layers::admitting(bounded(routes), Policy::Only(allowed), &web));
        }
        // Last, since the fallback of the router that is merged last counts: nobody learns which paths there are not.
        let router = guarded.merge(layers::admitting(router, Policy::Configured, &web));
        let headers = std::mem::take(&mut self.headers);
        layers::around(router, (web, headers), Arc::clone(&self.http))
    }
}

/// A server whose ports are open.
pub struct Bound {
    server: Server,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Bound {
    /// The addresses listened on, in the order of the flags; with the port that a port of 0 became.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether everybody who reaches a port gets in: the web config has no users and demands no client certificate.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.server.web.current().is_open()
    }

    /// Serves until the token is cancelled and what is in flight has ended, at most for the shutdown timeout.
    ///
    /// # Errors
    /// When the runtime cannot take the sockets or signals over.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let router = self.server.router();
        let Server { info, web, http, readiness, liveness, reloading, supervised, .. } = self.server;
        for address in &self.addresses {
            tracing::info!(%address, tls = web.current().tls().is_some(), "Listening on {address}");
        }
        let reload = match reloading {
            Some(reloading) => Some(reloading.listen(readiness.clone()).context("cannot listen for SIGHUP")?),
            None => None,
        };
        let serving = Arc::new(Serving {
            router,
            web: Arc::clone(&web),
            metrics: http,
            timeouts: self.server.timeouts,
            shutdown: self.server.shutdown,
            slots: Arc::new(Semaphore::new(self.server.max_connections)),
            crowded: Notify::new(),
            stop: stop.clone(),
            kill: CancellationToken::new(),
            connections: TaskTracker::new(),
        });
        readiness.listening();
        let stopping = async {
            stop.cancelled().await;
            tracing::info!("Stopping {}: finishing what is in flight", info.name);
            if supervised {
                systemd::stopping();
            }
            std::future::pending::<Infallible>().await
        };
        let reloads = async {
            if let Some(reload) = reload {
                reload.run().await;
            }
        };
        let told = async {
            if supervised {
                join(readiness.announce(), systemd::watchdog(move || liveness.check())).await;
            }
        };
        let background = join4(stopping, web.follow(), told, reloads);
        tokio::select! {
            served = serving.run(self.listeners) => served.context("cannot serve"),
            (never, ..) = background => match never {},
        }
    }
}
