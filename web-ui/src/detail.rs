//! The detail API of a node (contract C3), asked while somebody looks at the node.
//!
//! Only addresses that Prometheus lists as targets are asked: a node's is that of its target, whatever its `instance` says. Of
//! those only the targets of node jobs: anything that is scraped may have series that look like a check's, and shall not get
//! the credentials that open every node. What pushes its results has no target; the Pushgateway that its cluster names is asked
//! for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use check_result::api::{self, Detail, FetchError, History, Summary, answer};
use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use service::http::{ClientError, ClientOptions, fleet_client};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::config::{self, Jobs};
use crate::load::Purpose;
use crate::prometheus::{Known, Prometheus, Target};
use crate::texts::{Say, Texts, fill, list};
use crate::upstream::AskError;

mod nodes;

use nodes::{Answered, Nodes};

/// How long the list of targets serves. A node that is not in it is looked for in a new one, but not more often than `MISS`.
const TARGETS: Duration = Duration::from_secs(300);
const MISS: Duration = Duration::from_secs(15);

/// The same while nobody says what is scraped.
const FAILED: Duration = Duration::from_secs(5);

/// For one answer of a node. Somebody waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the nodes of a cluster.
#[derive(Debug)]
pub struct Details {
    client: Client,
    node_jobs: Jobs,
    pushgateway: Option<Url>,
    /// Who knows where nodes are, together; none where the Prometheus that is asked for all else does.
    scrapers: Vec<Prometheus>,
    targets: ArcSwap<Targets>,
    /// Held by who asks for the targets, so that nobody asks beside; who knows the address need not wait.
    asking: Mutex<()>,
    nodes: Nodes,
}

/// Where nodes are.
#[derive(Debug, Default)]
struct Targets {
    at: Option<Instant>,
    known: HashMap<Known, Url>,
    /// Who has not said what it scrapes.
    failures: Vec<AskError>,
}

/// Which check of a node.
#[derive(Clone, Copy, Debug)]
pub struct Which<'a> {
    /// Its name.
    pub check: &'a str,
    /// Whose it is; empty for the node's own.
    pub source: &'a str,
}

/// Why there is no detail.
#[derive(Clone, Debug)]
pub enum DetailError {
    /// Nobody knows where the node is.
    NoTarget,
    /// It is a target, but of a job whose targets are no nodes.
    NoNode {
        /// Its job.
        job: String,
        /// Those whose targets are.
        node_jobs: String,
    },
    /// Who might know does not answer.
    Prometheus(Vec<AskError>),
    /// So many ask this node, or nodes that do not answer, that it is not asked.
    Busy(String),
    /// The node gave none.
    Node(FetchError),
}

// === impl DetailError ===

impl Say for DetailError {
    fn say(&self, t: &Texts) -> String {
        match self {
            Self::NoTarget => t.detail_no_target.to_owned(),
            Self::NoNode { job, node_jobs } => fill(t.detail_no_node, &[job, node_jobs]),
            Self::Prometheus(failures) => fill(t.detail_unlisted, &[&list(failures, t)]),
            Self::Busy(host) => fill(t.detail_busy, &[host]),
            Self::Node(error) => node(error, t),
        }
    }
}

impl From<FetchError> for DetailError {
    fn from(error: FetchError) -> Self {
        Self::Node(error)
    }
}

/// What a node did instead of answering.
fn node(error: &FetchError, t: &Texts) -> String {
    match error {
        FetchError::Timeout(host) => fill(t.node_late, &[host]),
        FetchError::Connect { host, reason } => fill(t.node_unreachable, &[host, reason]),
        FetchError::NotFound { host, reason } => fill(t.node_lacks, &[host, reason]),
        FetchError::Ambiguous { host, reason } => fill(t.node_doubts, &[host, reason]),
        FetchError::Status { host, status, reason } => fill(t.node_refused, &[host, status, reason]),
        FetchError::TooLarge { host, limit } => fill(t.node_large, &[host, limit]),
        FetchError::Malformed { host, reason } => fill(t.node_nonsense, &[host, reason]),
        FetchError::Broken { host, reason } => fill(t.node_broke_off, &[host, reason]),
    }
}

// === impl Details ===

impl Details {
    /// Asks as the configuration of the cluster says; where nodes are is known by the `scrapers` together, if there are any.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(
        config: &config::Cluster,
        scrapers: Vec<Prometheus>,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        let options = ClientOptions { http: config.detail.http.clone(), timeout: PATIENCE, ..options.clone() };
        Ok(Self {
            client: fleet_client(&options)?,
            node_jobs: config.node_jobs.clone(),
            pushgateway: config.detail.pushgateway.clone(),
            scrapers,
            targets: ArcSwap::default(),
            asking: Mutex::default(),
            nodes: Nodes::new(),
        })
    }

    /// All checks of a node.
    ///
    /// # Errors
    /// See [`DetailError`].
    pub async fn checks(&self, prometheus: &Prometheus, node: &Known) -> Result<Vec<Summary>, DetailError> {
        self.get(prometheus, node, &[], "").await?.parse(answer)
    }

    /// The last result of a check.
    ///
    /// # Errors
    /// See [`DetailError`].
    pub async fn check(&self, prometheus: &Prometheus, node: &Known, which: Which<'_>) -> Result<Detail, DetailError> {
        self.get(prometheus, node, &[which.check], which.source).await?.parse(api::detail)
    }

    /// What a check said before.
    ///
    /// # Errors
    /// See [`DetailError`].
    pub async fn history(
        &self,
        prometheus: &Prometheus,
        node: &Known,
        which: Which<'_>,
    ) -> Result<History, DetailError> {
        self.get(prometheus, node, &[which.check, "history"], which.source).await?.parse(answer)
    }

    async fn get(
        &self,
        prometheus: &Prometheus,
        node: &Known,
        path: &[&str],
        source: &str,
    ) -> Result<Answered, DetailError> {
        let (mut url, pushed) = self.base(prometheus, node).await?;
        url.path_segments_mut()
            .expect("an http URL has a path")
            .pop_if_empty()
            .extend(["api", "v1", "checks"])
            .extend(path);
        let mut query = Vec::new();
        if pushed {
            query.extend([("job", node.job.as_str()), ("instance", node.instance.as_str())]);
        }
        if !source.is_empty() {
            query.push(("source", source));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.nodes.get(url.clone(), nodes::fetch(&self.client, url)).await
    }

    /// Where a node's API begins, and whether that is a Pushgateway's.
    async fn base(&self, prometheus: &Prometheus, node: &Known) -> Result<(Url, bool), DetailError> {
        if !self.targets.load().is_enough_for(node) {
            let _asking = self.asking.lock().await;
            if !self.targets.load().is_enough_for(node) {
                let mut targets = self.listed(prometheus).await;
                if targets.known.is_empty() && !targets.failures.is_empty() {
                    // Those who wait for the same are told the same, rather than that each waits in turn.
                    targets.known = self.targets.load().known.clone();
                }
                self.targets.store(Arc::new(targets));
            }
        }
        let targets = self.targets.load();
        let is_gateway = |url: &Url| self.pushgateway.as_ref().is_some_and(|known| known.origin() == url.origin());
        match (targets.known.get(node), &self.pushgateway) {
            (Some(url), _) if self.node_jobs.have(&node.job) || is_gateway(url) => Ok((url.clone(), false)),
            (Some(_), _) => Err(DetailError::NoNode { job: node.job.clone(), node_jobs: self.node_jobs.to_string() }),
            (None, Some(gateway)) if targets.known.values().any(is_gateway) => Ok((gateway.clone(), true)),
            (None, _) if !targets.failures.is_empty() => Err(DetailError::Prometheus(targets.failures.clone())),
            (None, _) => Err(DetailError::NoTarget),
        }
    }

    /// What all who scrape say together.
    async fn listed(&self, prometheus: &Prometheus) -> Targets {
        let scrapers: Vec<_> = match &*self.scrapers {
            [] => vec![prometheus],
            scrapers => scrapers.iter().collect(),
        };
        let asked = scrapers.iter().map(|scraper| scraper.ask(Purpose::Targets, async |asking| asking.targets().await));
        let mut targets = Targets { at: Some(Instant::now()), ..Targets::default() };
        for answer in join_all(asked).await {
            match answer {
                Ok((listed, _)) => targets.known.extend(servers(listed)),
                Err(failures) => targets.failures.extend(failures),
            }
        }
        targets
    }
}

// === impl Answered ===

impl Answered {
    fn parse<T>(self, parse: impl Fn(&str, StatusCode, &[u8]) -> Result<T, FetchError>) -> Result<T, DetailError> {
        Ok(parse(&self.host, self.status, &self.body)?)
    }
}

// === impl Targets ===

impl Targets {
    /// Whether it need not be asked for anew to tell where `node` is, or that it is nowhere.
    fn is_enough_for(&self, node: &Known) -> bool {
        let limit = match self.known.contains_key(node) {
            true => TARGETS,
            false if self.known.is_empty() && !self.failures.is_empty() => FAILED,
            false => MISS,
        };
        self.at.is_some_and(|at| at.elapsed() < limit)
    }
}

/// The server of each target, at which its detail API begins: nothing else of its URL, so that no user in it takes the place of
/// the credentials that are configured. A target that is not scraped by HTTP has none.
pub fn servers(targets: Vec<Target>) -> impl Iterator<Item = (Known, Url)> {
    let server = |target: Target| {
        let url = Url::parse(&target.scrape_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        Some((target.labels, Url::parse(&url.origin().ascii_serialization()).ok()?))
    };
    targets.into_iter().filter_map(server)
}
