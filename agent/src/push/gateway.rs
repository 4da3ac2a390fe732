//! One gateway: where it is, how it is asked, and what waits for it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use check_result::CheckKey;
use reqwest::Client;
use service::http::{ClientError, ClientOptions, upstream_client};

use super::config::{self, Kind};
use super::events::Events;
use super::flags::PushFlags;
use super::group::{Group, escaped};
use super::queue::{Entry, Queue};
use super::removed::Leftovers;

/// A gateway.
#[derive(Debug)]
pub struct Gateway {
    name: String,
    kind: Kind,
    client: Client,
    group: Group,
    ttl: Duration,
    queue: Queue,
    leftovers: Leftovers,
    /// The checks whose metrics it may have: each is a group of its own, to be deleted one by one.
    shown: Mutex<HashSet<CheckKey>>,
}

impl Gateway {
    /// A gateway for which nothing waits.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(
        gateway: &config::Gateway,
        group: &Group,
        flags: &PushFlags,
        events: &Events,
    ) -> Result<Self, ClientError> {
        let (timeout, http) = (flags.timeout, gateway.http.clone());
        let client = upstream_client(&ClientOptions { timeout, http, ..ClientOptions::new(super::info()) })?;
        let name = gateway.url.as_str().trim_end_matches('/').to_owned();
        events.known(&name);
        let (kind, group, ttl) = (gateway.kind, group.clone(), flags.ttl);
        let (queue, leftovers) = (Queue::new(flags.queue_bytes), Leftovers::new(kind == Kind::Results));
        Ok(Self { name, kind, client, group, ttl, queue, leftovers, shown: Mutex::default() })
    }

    /// Its base URL, without a slash at the end.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it takes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it is asked with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How long it shall keep what is pushed; zero: as it sees fit.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// What waits for it.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// What it has of checks that are defined no more.
    pub fn leftovers(&self) -> &Leftovers {
        &self.leftovers
    }

    /// What is pushed next, in one request: metrics are a group each.
    pub fn batch(&self) -> Vec<Entry> {
        let mut batch = self.queue.batch();
        if self.kind == Kind::Metrics {
            batch.truncate(1);
        }
        batch
    }

    /// The URL of all results.
    pub fn results_url(&self) -> String {
        format!("{}/checks{}", self.name, self.group.path())
    }

    /// The URL of one check's metrics.
    pub fn metrics_url(&self, key: &CheckKey) -> String {
        let group = self.group.clone().with("check", &key.check);
        let group = match &key.source {
            Some(source) => group.with("source", source),
            None => group,
        };
        format!("{}/metrics{}", self.name, group.path())
    }

    /// What is deleted so that nothing is left of one check.
    pub fn check_url(&self, key: &CheckKey) -> String {
        match self.kind {
            Kind::Results => {
                let own = [("check", Some(&key.check)), ("source", key.source.as_ref())];
                let own = own.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(value?))));
                format!("{}?{}", self.results_url(), own.collect::<Vec<_>>().join("&"))
            }
            Kind::Metrics => self.metrics_url(key),
        }
    }

    /// What is deleted so that nothing is left.
    pub fn urls(&self) -> Vec<String> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match self.kind {
            Kind::Results => vec![self.results_url()],
            Kind::Metrics => shown.iter().map(|key| self.metrics_url(key)).collect(),
        }
    }

    /// Notes that it shows this check no more.
    pub fn forgets(&self, key: &CheckKey) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Notes that it may show this check.
    pub fn shows(&self, key: &CheckKey) {
        if self.kind == Kind::Metrics {
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        }
    }
}
