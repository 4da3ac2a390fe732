//! The configuration (contract C5).
//!
//! This module's types are checked, and the rest of the program sees only them. All failures of a file are found in one
//! go, each with its line and field: see [`service::config`].

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use service::ConfigError;
use service::http::HttpConfig;

use crate::alert::{Names, Texts};
use crate::annotate::Templates;

mod alertmanagers;
mod check;
mod networks;
mod origins;
mod ports;
mod pushed;
mod template;

pub use alertmanagers::{Alertmanager, Lookup, Record, Targets};
pub use networks::Networks;
pub use origins::Origins;
pub use ports::Ports;
pub use template::{InvalidTemplate, RenderError, UrlTemplate};

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Alertmanagers, at least one entry; each gets every alert.
    pub alertmanagers: Vec<Alertmanager>,
    /// Name servers; empty for the system's.
    pub nameservers: Vec<SocketAddr>,
    /// Where details come from; an alert takes the first source that matches it.
    pub sources: Vec<Source>,
    /// How long an alert waits for its detail at most.
    pub hold: Duration,
    /// Asking for details.
    pub fetch: Fetch,
    /// Delivering to Alertmanager.
    pub forward: Forward,
    /// Bounds of what is taken and kept.
    pub limits: Limits,
    /// Which label and annotation names are taken.
    pub names: Names,
    /// Other sites whose pages may change things.
    pub origins: Origins,
}

/// Where the detail of some alerts comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Labels and what their whole value must match; all of them.
    matchers: Vec<(String, Regex)>,
    /// The detail's URL.
    pub url: UrlTemplate,
    /// Networks that may be asked.
    pub allow: Networks,
    /// Ports that may be asked.
    pub ports: Ports,
    /// How nodes are asked.
    pub http: HttpConfig,
    /// What its details become.
    pub annotations: Arc<Templates>,
}

/// How details are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// For one answer, from the connection to the last byte.
    pub timeout: Duration,
    /// How long an answer serves further alerts and resends before it is asked for again.
    pub cache: Duration,
    /// How long a failure is taken for granted before the node is asked again.
    pub failure_cache: Duration,
    /// Requests under way in all.
    pub concurrency: usize,
    /// Requests under way to one host and port.
    pub concurrency_per_node: usize,
    /// The longest answer that is read, in bytes.
    pub max_response_bytes: usize,
    /// Leaving nodes alone that do not answer.
    pub breaker: Breaker,
}

/// When a node that does not answer is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: usize,
    /// Until one request may try again.
    pub rest: Duration,
}

/// How alerts are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// For one batch.
    pub timeout: Duration,
    /// How long no Alertmanager may be reachable before Prometheus is answered 503.
    pub unreachable_after: Duration,
}

/// Bounds of what is taken and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest posted body, in bytes.
    pub max_body_bytes: usize,
    /// Alerts that wait for their detail.
    pub held_alerts: usize,
    /// Alerts that wait for one Alertmanager.
    pub pending_alerts: usize,
    /// Answers of nodes that are being read and parsed, all together, beyond the first 16 KiB of each.
    pub answer_bytes: usize,
    /// Remembered annotations of all alerts, in bytes.
    pub memory_bytes: u64,
}

// === impl Config ===

impl Config {
    /// Reads and checks the file at `path`, and the files of credentials and certificates that it names.
    ///
    /// # Errors
    /// All failures, each as `FILE:LINE: FIELD: what is wrong`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        service::config::load(path, |root| check::config(&root, folder))
    }

    /// Checks the text of a configuration; files that it names are relative to the working directory.
    ///
    /// # Errors
    /// All failures, each as `LINE: FIELD: what is wrong`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        service::config::parse(text, |root| check::config(&root, Path::new("")))
    }

    /// Every field that the file may have.
    pub fn fields() -> Vec<service::config::Known> {
        service::config::survey(|root| drop(check::config(&root, Path::new(""))))
    }

    /// The names that are looked up for Alertmanagers, each once.
    pub fn lookups(&self) -> Vec<&Lookup> {
        let mut all = Vec::new();
        for one in &self.alertmanagers {
            if let Targets::Dns { lookups, .. } = &one.targets {
                all.extend(lookups);
            }
        }
        let mut seen = HashSet::new();
        all.retain(|lookup| seen.insert(*lookup));
        all
    }

    /// The first source for an alert with `labels`, and its place in the list.
    pub fn source_for(&self, labels: &Texts) -> Option<(usize, &Source)> {
        self.sources.iter().enumerate().find(|(_, source)| source.matches(labels))
    }
}

// === impl Source ===

impl Source {
    /// Whether its credentials go to whichever port the labels name.
    pub fn trusts_every_port(&self) -> bool {
        self.http.has_credentials() && self.ports.are_all() && self.url.leaves_port_to_labels()
    }

    /// Whether its credentials go to hosts that labels name, whatever scrapes them. Anything that is scraped may have series that
    /// look like a check's.
    pub fn trusts_every_job(&self) -> bool {
        let tells_apart = |(name, regex): &(String, Regex)| name == "job" && !regex.is_match("none of the nodes'");
        self.http.has_credentials() && self.url.leaves_host_to_labels() && !self.matchers.iter().any(tells_apart)
    }

    /// Whether every matcher matches; a label that the alert lacks counts as empty, as in Prometheus.
    fn matches(&self, labels: &Texts) -> bool {
        self.matchers.iter().all(|(name, regex)| regex.is_match(labels.get(name).unwrap_or_default()))
    }
}

// === impl Fetch ===

impl Default for Fetch {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            cache: Duration::from_secs(30),
            failure_cache: Duration::from_secs(10),
            concurrency: 4_096,
            concurrency_per_node: 4,
            max_response_bytes: 8 << 20,
            breaker: Breaker { failures: 3, rest: Duration::from_secs(30) },
        }
    }
}

// === impl Forward ===

impl Default for Forward {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), unreachable_after: Duration::from_secs(60) }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 16 << 20,
            held_alerts: 50_000,
            pending_alerts: 50_000,
            answer_bytes: 64 << 20,
            memory_bytes: 128 << 20,
        }
    }
}
