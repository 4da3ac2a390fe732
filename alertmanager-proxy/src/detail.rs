//! Fetching details from nodes.
//!
//! However many alerts ask for one detail, the node is asked once (single flight), and its answer serves them for a while.
//! A failure is kept too, for a shorter time, so that a node that is down is not asked by each of its alerts in turn.
//! Everything is bounded: requests in all (`detail/slots.rs`) and to one node, the time and the size of an answer, the cache. A
//! node that fails several times in a row is left alone for a while: see `detail/breaker.rs`.
//!
//! What may be asked is decided by the address that is connected to, not by the name: see `detail/address.rs`.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use check_result::api::Detail;
use jiff::Timestamp;
use moka::Expiry;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use reqwest::Client;
use service::http::{ClientError, ClientOptions, fleet_client_resolving};
use url::Url;

use crate::alert::Texts;
use crate::config::{Config, Fetch, Networks, Ports, RenderError, Source};
use crate::dns::Dns;
use crate::events::Events;

mod address;
mod breaker;
mod nodes;
mod slots;

use address::{Denied, Resolver};
use breaker::{Breakers, Change};
use nodes::Nodes;
use slots::Slots;

pub use breaker::OpenCircuit;
pub use slots::Turn;

/// Answers kept in the cache, in bytes. It only has to last from one alert of a check to the next, which come together; what
/// the alerts themselves need for longer is remembered elsewhere, cut to size.
const CACHE_BYTES: u64 = 4 << 20;

/// What an answer takes beside its texts, in bytes, roughly.
const OVERHEAD: usize = 2_048;

/// The kind of failure of a node that is left alone.
const OPEN: &str = "circuit_open";

/// Where an alert's detail is: one of the sources, and the URL there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    source: usize,
    url: Url,
}

/// A detail that a node gave.
#[derive(Debug)]
pub struct Fetched {
    /// What it said.
    pub detail: Detail,
    /// When it was asked.
    pub asked: Timestamp,
    started: Instant,
}

/// Why there is no detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of a few words, for metrics.
    pub kind: &'static str,
    /// The sentence for operators.
    pub reason: Arc<str>,
}

/// What asking comes to.
pub type Answer = Result<Arc<Fetched>, Failure>;

/// Fetches details for the sources of one configuration.
#[derive(Debug)]
pub struct Details {
    sources: Vec<Asked>,
    limits: Fetch,
    cache: Cache<Target, Answer>,
    slots: Slots,
    nodes: Nodes,
    breakers: Breakers,
    events: Arc<Events>,
}

/// How one source's nodes are asked, and which.
#[derive(Debug)]
struct Asked {
    client: Client,
    allow: Networks,
    ports: Ports,
}

/// An answer serves longer than a failure.
#[derive(Debug)]
struct Lifetime {
    answer: Duration,
    failure: Duration,
}

// === impl Details ===

impl Details {
    /// Makes a client for each source.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn new(config: &Config, options: &ClientOptions, dns: &Dns, events: Arc<Events>) -> Result<Self, ClientError> {
        let limits = config.fetch;
        let options = ClientOptions { timeout: limits.timeout, connect_timeout: limits.timeout, ..options.clone() };
        let source = |source: &Source| -> Result<_, ClientError> {
            let resolver = Resolver::new(source.allow.clone(), dns.clone());
            let options = ClientOptions { http: source.http.clone(), ..options.clone() };
            let client = fleet_client_resolving(&options, resolver)?;
            Ok(Asked { client, allow: source.allow.clone(), ports: source.ports.clone() })
        };
        let lifetime = Lifetime { answer: limits.cache, failure: limits.failure_cache };
        Ok(Self {
            sources: config.sources.iter().map(source).collect::<Result<_, _>>()?,
            limits,
            cache: Cache::builder()
                .max_capacity(CACHE_BYTES)
                .weigher(weigh)
                // What came last is what the next alert asks for.
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(lifetime)
                .build(),
            slots: Slots::new(limits.concurrency),
            nodes: Nodes::new(limits.concurrency_per_node),
            breakers: Breakers::new(limits.breaker),
            events,
        })
    }

    /// Waits until the next node may be asked, in the order of who waits.
    pub async fn turn(&self) -> Turn<'_> {
        self.slots.turn().await
    }

    /// Whether others wait for their turns, or would have to.
    pub fn is_busy(&self) -> bool {
        self.slots.is_busy()
    }

    /// The detail at `target`, asked for no earlier than `not_before`: an answer from before the alert changed is of no
    /// use. A failure counts whenever it was, while it is kept.
    pub async fn get(&self, target: &Target, not_before: Instant, turn: Turn<'_>) -> Answer {
        turn.spend(pin!(self.flight(target, not_before, &turn))).await
    }

    async fn flight(&self, target: &Target, not_before: Instant, turn: &Turn<'_>) -> Answer {
        let outdated = |answer: &Answer| answer.as_ref().is_ok_and(|fetched| fetched.started < not_before);
        loop {
            let fetch = Box::pin(self.fetch(target, turn));
            let answer = self.cache.entry_by_ref(target).or_insert_with_if(fetch, outdated).await.into_value();
            // Who waits for a flight that is under way is given its value as it is. The next one begins later.
            if !outdated(&answer) {
                return answer;
            }
        }
    }

    /// The nodes that are left alone because they did not answer.
    pub fn open_circuits(&self) -> Vec<OpenCircuit> {
        self.breakers.open(Instant::now())
    }

    async fn fetch(&self, target: &Target, turn: &Turn<'_>) -> Answer {
        let Asked { client, allow, ports } = &self.sources[target.source];
        let (url, node) = (&target.url, target.url.authority());
        let not_asked = |failure: Failure| {
            self.events.not_asked(url, failure.kind, &failure.reason);
            failure
        };
        let open = |circuit: OpenCircuit| not_asked(Failure::open(&circuit, self.limits.breaker.rest));
        address::check(url, allow, ports).map_err(|denied| not_asked(Failure::denied(&denied, url)))?;
        self.breakers.check(node, Instant::now()).map_err(open)?;
        // The node first: alerts that queue for a slow node must not occupy the slots of the others.
        let _node = match self.nodes.try_enter(node) {
            Some(entered) => entered,
            None => {
                turn.end();
                self.nodes.enter(node).await
            }
        };
        let _slot = self.slots.request().await;
        // It may have failed for those that were before us in its queue.
        let leave = self.breakers.enter(node, Instant::now()).map_err(open)?;
        let (started, asked) = (Instant::now(), Timestamp::now());
        // Apart, for alerts that wait for a slot have no memory of it: it takes several kilobytes.
        let result = Box::pin(check_result::api::fetch(client, url.clone(), self.limits.max_response_bytes)).await;
        let answer = result
            .map(|detail| Arc::new(Fetched { detail, asked, started }))
            .map_err(|error| Failure { kind: error.kind(), reason: error.to_string().into() });
        let outcome = answer.as_ref().map(|_| ()).map_err(|failure| (failure.kind, &*failure.reason));
        self.events.fetched(url, outcome, started.elapsed());
        match &answer {
            Err(failure) if failure.is_the_nodes() => {
                self.told(node, leave.failed(&failure.reason, Instant::now()), &failure.reason)
            }
            _ => leave.answered(),
        }
        answer
    }

    fn told(&self, node: &str, change: Change, reason: &str) {
        match change {
            Change::None => {}
            Change::Opened => self.events.circuit_opened(node, reason),
            Change::Untracked => self.events.circuit_untracked(node),
        }
    }
}

/// Bytes of an answer in memory, roughly.
fn weigh(target: &Target, answer: &Answer) -> u32 {
    let texts = match answer {
        Ok(fetched) => {
            let texts = fetched.detail.result.check().iter();
            texts.map(|(name, value)| name.len() + value.as_str().map_or(64, str::len)).sum()
        }
        Err(failure) => failure.reason.len(),
    };
    u32::try_from(OVERHEAD + target.url.as_str().len() + texts).unwrap_or(u32::MAX)
}

// === impl Target ===

impl Target {
    /// Where the detail of an alert with `labels` is; none where no source matches it.
    pub fn find(config: &Config, labels: &Texts) -> Option<Result<Self, RenderError>> {
        let (index, source) = config.source_for(labels)?;
        Some(source.url.render(labels).map(|url| Self { source: index, url }))
    }

    /// The source, in the configuration that it was found in.
    pub fn source<'a>(&self, config: &'a Config) -> &'a Source {
        &config.sources[self.source]
    }

    /// The URL that is asked.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

// === impl Failure ===

impl Failure {
    /// The node has not answered within `hold`, the longest that an alert waits.
    pub fn late(target: &Target, hold: Duration) -> Self {
        let reason = format!("{} did not answer within {hold:?}", target.url.authority());
        Self { kind: "late", reason: reason.into() }
    }

    /// The node has not answered when the proxy had to stop.
    pub fn stopping(target: &Target) -> Self {
        let reason = format!("{} did not answer before the proxy was stopped", target.url.authority());
        Self { kind: "late", reason: reason.into() }
    }

    /// The node is not asked: too many other alerts wait for their detail.
    pub fn crowded() -> Self {
        Self { kind: "crowded", reason: "too many alerts wait for their detail".into() }
    }

    /// The node is left alone.
    fn open(circuit: &OpenCircuit, rest: Duration) -> Self {
        let OpenCircuit { failures, reason, .. } = circuit;
        let reason = format!("{reason}; after {failures} failures in a row it is asked but once in {rest:?}");
        Self { kind: OPEN, reason: reason.into() }
    }

    /// Whether it says something of the node and not only of this check.
    fn is_the_nodes(&self) -> bool {
        matches!(self.kind, "timeout" | "connect" | "broken")
    }

    fn denied(denied: &Denied, url: &Url) -> Self {
        Self { kind: "denied", reason: format!("{} may not be asked: {denied}", url.authority()).into() }
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        Self { kind: "url", reason: error.to_string().into() }
    }
}

// === impl Lifetime ===

impl Lifetime {
    fn of(&self, answer: &Answer) -> Option<Duration> {
        Some(match answer {
            Ok(_) => self.answer,
            // The breaker remembers it, and knows when the node may be asked again.
            Err(failure) if failure.kind == OPEN => Duration::ZERO,
            Err(_) => self.failure,
        })
    }
}

impl Expiry<Target, Answer> for Lifetime {
    fn expire_after_create(&self, _: &Target, answer: &Answer, _: Instant) -> Option<Duration> {
        self.of(answer)
    }

    fn expire_after_update(&self, _: &Target, answer: &Answer, _: Instant, _: Option<Duration>) -> Option<Duration> {
        self.of(answer)
    }
}
