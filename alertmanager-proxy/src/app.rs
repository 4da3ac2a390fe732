//! The parts put together, independent of flags and listeners, so that tests run them as the program does.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use jiff::tz::TimeZone;
use prometheus_client::registry::Registry;
use service::http::ClientOptions;
use tokio::time::Instant;

use crate::body::Bodies;
use crate::config::Config;
use crate::cross_site::{self, Gate};
use crate::discover::Discovery;
use crate::events::Events;
use crate::forward::Forwarder;
use crate::group_wait::{Watch, Watched};
use crate::hold::Hold;
use crate::intake::{self, Intake};
use crate::overview::{self, Overview};
use crate::passthrough::{self, Passthrough};
use crate::setup::{OpenCircuits, Setup, SetupError, Shared};
use crate::waiting::Waiting;

/// A running proxy.
#[derive(Debug)]
pub struct App {
    setup: Shared,
    options: ClientOptions,
    events: Arc<Events>,
    forwarder: Arc<Forwarder>,
    discovery: Discovery,
    hold: Arc<Hold>,
    bodies: Arc<Bodies>,
    passthrough: Arc<Passthrough>,
    group_waits: Watch,
}

impl App {
    /// Starts the senders; needs a runtime.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn start(config: Config, options: ClientOptions, registry: &mut Registry) -> Result<Self, SetupError> {
        let events = Arc::new(Events::new(registry));
        let setup = Arc::new(ArcSwap::from_pointee(Setup::new(config, &options, Arc::clone(&events))?));
        registry.register_collector(Box::new(OpenCircuits(Arc::clone(&setup))));
        let forwarder = Forwarder::start(Arc::clone(&setup), Arc::clone(&events));
        let discovery = Discovery::start(Arc::clone(&setup), Arc::clone(&forwarder), Arc::clone(&events));
        let hold = Hold::start(Arc::clone(&setup), Arc::clone(&forwarder), Arc::clone(&events));
        registry.register_collector(Box::new(Waiting {
            setup: Arc::clone(&setup),
            hold: Arc::clone(&hold),
            forwarder: Arc::clone(&forwarder),
        }));
        let group_waits = Watch::start(Watched {
            setup: Arc::clone(&setup),
            forwarder: Arc::clone(&forwarder),
            events: Arc::clone(&events),
        });
        let bodies = Arc::new(Bodies::new(setup.load().config.limits.max_body_bytes));
        let passthrough =
            Passthrough { setup: Arc::clone(&setup), forwarder: Arc::clone(&forwarder), bodies: Arc::clone(&bodies) };
        let passthrough = Arc::new(passthrough);
        Ok(Self { setup, options, events, forwarder, discovery, hold, bodies, passthrough, group_waits })
    }

    /// The proxy's routes. What none of them takes goes to Alertmanager.
    pub fn routes(&self) -> Router {
        let intake = Arc::new(Intake {
            setup: Arc::clone(&self.setup),
            hold: Arc::clone(&self.hold),
            passthrough: Arc::clone(&self.passthrough),
            events: Arc::clone(&self.events),
            bodies: Arc::clone(&self.bodies),
        });
        // Method routers would answer for Alertmanager: they add an `Allow` header to what they pass on.
        let alerts = Router::new()
            .route("/api/v2/alerts", any(intake::alerts))
            .route("/api/v2/alerts/", any(intake::alerts))
            .route("/api/v1/{*any}", any(intake::v1))
            .with_state(intake);
        let alerts = alerts.clone().nest(passthrough::PREFIX, alerts);
        let rest = Router::new()
            .route(passthrough::PREFIX, get(passthrough::prefix))
            .fallback(passthrough::pass)
            .with_state(Arc::clone(&self.passthrough));
        let overview =
            Overview { setup: Arc::clone(&self.setup), hold: Arc::clone(&self.hold), zone: TimeZone::system() };
        let gate = Gate { setup: Arc::clone(&self.setup), events: Arc::clone(&self.events) };
        alerts.merge(overview::router(overview)).merge(rest).layer(from_fn_with_state(gate, cross_site::pass))
    }

    /// Replaces the configuration. Limits of memory take effect at the next start.
    ///
    /// # Errors
    /// See [`SetupError`]; the old configuration stays.
    pub fn reload(&self, config: Config) -> Result<(), SetupError> {
        self.setup.store(Arc::new(Setup::new(config, &self.options, Arc::clone(&self.events))?));
        self.forwarder.reconcile();
        self.discovery.restart();
        self.group_waits.again();
        Ok(())
    }

    /// Lets every alert that was taken go on, within half of the `timeout`, and delivers what can be delivered in the rest.
    pub async fn drain(&self, timeout: Duration) {
        let now = Instant::now();
        let deadline = now + timeout;
        self.hold.drain(now + timeout / 2).await;
        self.discovery.stop();
        self.forwarder.drain(deadline).await;
    }
}
