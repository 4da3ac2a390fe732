//! Fetching details from nodes.
//!
//! However many alerts ask for one detail, the node is asked once (single flight), and its answer serves them for a
//! while. A failure is kept too, for a shorter time, so that a node that is down is not asked by each of its alerts in
//! turn. Everything is bounded: requests in all (`detail/slots.rs`) and to one node, the time and the size of an
//! answer, the memory of all that are being read (`detail/answers.rs`), the cache. A node that fails several times in a
//! row is left alone for a while: see `detail/breaker.rs`.
//!
//! What may be asked is decided by the address that is connected to, not by the name: see `detail/address.rs`.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use check_result::api::{self, Detail, FetchError};
use jiff::Timestamp;
use moka::Expiry;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use service::http::{AskError, ClientError, ClientOptions, Fleet};
use tokio::time::timeout;
use url::Url;

use crate::alert::Texts;
use crate::body::{self, Unread};
use crate::config::{Config, Fetch, Networks, Ports, RenderError, Source};
use crate::dns::Dns;
use crate::events::Events;

mod address;
mod answers;
mod breaker;
mod failure;
mod nodes;
mod slots;

use answers::{Answers, Reading};
use breaker::{Breakers, Change};
use failure::OPEN;
use nodes::Nodes;
use slots::Slots;

pub use breaker::OpenCircuit;
pub use failure::Failure;
pub use slots::Turn;

/// Answers kept in the cache, in bytes. It only has to last from one alert of a check to the next, which come together;
/// what the alerts themselves need for longer is remembered elsewhere, cut to size.
const CACHE_BYTES: u64 = 4 << 20;

/// How much longer than the node has its verdict is waited for. It begins its time a little later, and what ended before
/// its end would be neither told nor counted.
const GRACE: Duration = Duration::from_secs(1);

/// What an answer takes beside its texts, in bytes, roughly.
const OVERHEAD: usize = 2_048;

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

/// What asking comes to.
pub type Answer = Result<Arc<Fetched>, Failure>;

/// Fetches details for the sources of one configuration.
#[derive(Debug)]
pub struct Details {
    sources: Vec<Asked>,
    dns: Dns,
    limits: Fetch,
    answers: Answers,
    cache: Cache<Target, Answer>,
    slots: Slots,
    nodes: Nodes,
    breakers: Breakers,
    events: Arc<Events>,
}

/// How one source's nodes are asked, and which.
#[derive(Debug)]
struct Asked {
    client: Fleet,
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
        let source = |source: &Source| -> Result<_, ClientError> {
            let client = Fleet::new(&ClientOptions { http: source.http.clone(), ..options.clone() })?;
            Ok(Asked { client, allow: source.allow.clone(), ports: source.ports.clone() })
        };
        let lifetime = Lifetime { answer: limits.cache, failure: limits.failure_cache };
        Ok(Self {
            sources: config.sources.iter().map(source).collect::<Result<_, _>>()?,
            dns: dns.clone(),
            limits,
            answers: Answers::new(config.limits.answer_bytes, limits.max_response_bytes),
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

    /// The same for an alert that has gone on, in its turn; none where that does not come, or no place at the node.
    pub async fn get_late(&self, target: &Target, not_before: Instant) -> Option<Answer> {
        let turn = timeout(self.limits.timeout, self.turn()).await.ok()?;
        self.verdict(self.get(target, not_before, turn)).await
    }

    /// What `asking` for an alert that has gone on comes to; none where there is no place at the node for long.
    pub async fn verdict(&self, asking: impl Future<Output = Answer>) -> Option<Answer> {
        timeout(self.limits.timeout + GRACE, asking).await.ok()
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
        let Asked { allow, ports, .. } = &self.sources[target.source];
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
        let answer = Box::pin(self.ask(target)).await.map(|detail| Arc::new(Fetched { detail, asked, started }));
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

    /// Asks the node, for as long as it has.
    async fn ask(&self, target: &Target) -> Result<Detail, Failure> {
        let (limit, host) = (self.limits.timeout, target.url.authority());
        let mut room = self.answers.reading();
        let answer = timeout(limit, self.exchange(target, &mut room)).await;
        match answer {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) if room.waits() => Err(Failure::no_room(host, limit)),
            Err(_) => Err(FetchError::Timeout(host.to_owned()).into()),
        }
    }

    async fn exchange(&self, target: &Target, room: &mut Reading<'_>) -> Result<Detail, FetchError> {
        let Asked { client, allow, .. } = &self.sources[target.source];
        let host = || target.url.authority().to_owned();
        let addresses = address::find(&target.url, allow, &self.dns).await;
        let addresses = addresses.map_err(|error| FetchError::Connect { host: host(), reason: error.to_string() })?;
        let answer = client.get(&target.url, &addresses).await.map_err(|error| match error {
            AskError::Connect(reason) => FetchError::Connect { host: host(), reason },
            AskError::Broken(reason) => FetchError::Broken { host: host(), reason },
        })?;
        let (head, body) = answer.into_parts();
        let body = body::read(body, self.limits.max_response_bytes, room).await.map_err(|error| match error {
            Unread::TooLarge(limit) => FetchError::TooLarge { host: host(), limit },
            Unread::Broken(reason) => FetchError::Broken { host: host(), reason },
            Unread::Crowded => FetchError::Broken { host: host(), reason: Unread::Crowded.to_string() },
        })?;
        api::answer(target.url.authority(), head.status, &body)
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

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::body::Space as _;

    #[tokio::test]
    async fn a_long_answer_that_finds_no_memory_in_its_time_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1 << 20);
            stream.write_all(head.as_bytes()).await.unwrap();
            let _ = stream.write_all(&vec![b' '; 1 << 20]).await;
        });
        let config = format!(
            "alertmanagers: [{{url: \"http://127.0.0.1:1\"}}]\nfetch: {{timeout: 300ms}}\n\
             sources: [{{match: {{}}, url: \"http://{node}\", allow: [127.0.0.1]}}]"
        );
        let (config, mut registry) = (Config::parse(&config).unwrap(), Registry::default());
        let events = Arc::new(Events::new(&mut registry));
        let dns = Dns::new(&[], Duration::from_secs(1)).unwrap();
        let details = Details::new(&config, &ClientOptions::new(service::build_info!()), &dns, events).unwrap();
        let target = Target::find(&config, &Texts::default()).unwrap().unwrap();
        // Others have all of it.
        let mut others: Vec<_> = (0..1_000).map(|_| details.answers.reading()).collect();
        for room in &mut others {
            let first = room.take(answers::FREE, 1, usize::MAX);
            let _ = tokio::time::timeout(Duration::ZERO, first).await;
        }
        let failure = details.get(&target, Instant::now(), details.turn().await).await.unwrap_err();
        let says = format!("{node} answered at length, and for 300ms others had all the memory");
        assert!(failure.kind == "no_room" && failure.reason.starts_with(&says), "{failure:?}");
        let mut metrics = String::new();
        prometheus_client::encoding::text::encode(&mut metrics, &registry).unwrap();
        assert!(metrics.contains("detail_fetches_total{outcome=\"no_room\"} 1"), "{metrics}");
    }
}
