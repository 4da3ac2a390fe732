//! The configuration: which clusters there are.
//!
//! All failures of a file are found in one go, each with its line and field: see [`service::config`].

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use service::ConfigError;
use service::config::{Fields, Place};
use service::http::{HttpConfig, base_url};
use url::Url;

use crate::access::Access;
use crate::silencing::Rules;

mod access;
mod jobs;

pub use jobs::Jobs;

const REFRESHES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
const EVALUATIONS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
const LONGEST: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(366 * 86_400);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(120);

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// The clusters, in the order in which they are shown.
    pub clusters: Vec<Cluster>,
    /// How often things are asked for.
    pub refresh: Refresh,
    /// For one answer of a server.
    pub timeout: Duration,
    /// Who gets in, and as what.
    pub access: Access,
    /// The rules of silences.
    pub silences: Rules,
}

/// How often things are asked for, however many people look on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Alerts and silences, of each Alertmanager.
    pub alerts: Duration,
    /// Nodes and checks, of one Prometheus of each cluster.
    pub nodes: Duration,
}

/// One Prometheus, or a pair that scrapes the same, and its Alertmanagers.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The Prometheus servers, each of which knows everything.
    pub prometheus: Vec<Server>,
    /// The Prometheus servers that scrape its nodes, where those above do not: all of them together know where nodes are.
    pub targets: Vec<Server>,
    /// The Alertmanagers, each of which knows everything.
    pub alertmanagers: Vec<Server>,
    /// Jobs whose targets are nodes.
    pub node_jobs: Jobs,
    /// How nodes are asked for details.
    pub detail: Detail,
}

/// A server and how it is asked.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where its paths begin.
    pub url: Url,
    /// Credentials and TLS.
    pub http: HttpConfig,
}

/// How nodes are asked for details.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// Credentials and TLS.
    pub http: HttpConfig,
    /// Where those are asked for that push their results.
    pub pushgateway: Option<Url>,
}

// === impl Config ===

impl Config {
    /// Reads and checks the file at `path`, and the files of credentials and certificates that it names.
    ///
    /// # Errors
    /// All failures, each as `FILE:LINE: FIELD: what is wrong`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        service::config::load(path, |root| config(&root, folder))
    }

    /// Checks the text of a configuration; files that it names are relative to the working directory.
    ///
    /// # Errors
    /// All failures, each as `LINE: FIELD: what is wrong`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        service::config::parse(text, |root| config(&root, Path::new("")))
    }

    /// Every field that the file may have.
    pub fn fields() -> Vec<service::config::Known> {
        service::config::survey(|root| drop(config(&root, Path::new(""))))
    }
}

fn config(root: &Place<'_>, folder: &Path) -> Config {
    let mut fields = root.fields();
    let places = fields.needed_list("clusters", "[{name: tokyo, prometheus: [{url: \"http://127.0.0.1:9090\"}]}]");
    let mut names = HashSet::new();
    let clusters = places.iter().filter_map(|place| cluster(place, &mut names, folder)).collect();
    let mut section = fields.section("refresh");
    let refresh = Refresh {
        alerts: section.duration("alerts", REFRESHES, Duration::from_secs(10)),
        nodes: section.duration("nodes", REFRESHES, Duration::from_secs(30)),
    };
    section.end();
    let mut section = fields.section("silences");
    let silences = Rules {
        longest: section.duration("longest", LONGEST, Duration::from_secs(30 * 86_400)),
        evaluation_interval: section.duration("evaluation_interval", EVALUATIONS, Duration::from_secs(60)),
    };
    section.end();
    let timeout = fields.duration("timeout", TIMEOUTS, Duration::from_secs(10));
    let access = access::read(fields.section("access"));
    fields.end();
    Config { clusters, refresh, timeout, access, silences }
}

fn cluster(place: &Place<'_>, names: &mut HashSet<String>, folder: &Path) -> Option<Cluster> {
    let mut fields = place.fields();
    let name = fields.needed("name", "tokyo").and_then(|place| {
        place.value(|text| match text.trim() {
            "" => Err("a cluster has to have a name".to_owned()),
            name if !names.insert(name.to_owned()) => Err(format!("`{name}` is there already")),
            name => Ok(name.to_owned()),
        })
    });
    let prometheus = fields.needed_list("prometheus", "[{url: \"http://127.0.0.1:9090\"}]");
    let prometheus = prometheus.iter().filter_map(|place| server(place, folder)).collect();
    let targets = fields.list("targets").iter().filter_map(|place| server(place, folder)).collect();
    let alertmanagers = fields.list("alertmanagers").iter().filter_map(|place| server(place, folder)).collect();
    let node_jobs = fields.place("node_jobs").and_then(|place| place.value(Jobs::new)).unwrap_or_default();
    let detail = detail(fields.section("detail"), folder);
    fields.end();
    Some(Cluster { name: name?, prometheus, targets, alertmanagers, node_jobs, detail })
}

fn server(place: &Place<'_>, folder: &Path) -> Option<Server> {
    let mut fields = place.fields();
    let url = fields.needed("url", "http://127.0.0.1:9090").and_then(|place| place.value(base_url));
    let http = HttpConfig::read(&mut fields, folder);
    fields.end();
    Some(Server { url: url?, http })
}

fn detail(mut fields: Fields<'_>, folder: &Path) -> Detail {
    let http = HttpConfig::read(&mut fields, folder);
    let pushgateway = fields.place("pushgateway").and_then(|place| place.value(base_url));
    fields.end();
    Detail { http, pushgateway }
}
