//! Fetching details from nodes.
//!
//! However many alerts ask for one detail, the node is asked once (single flight), and its answer serves them for a
//! while. A failure is kept too, for a shorter time, so that a node that is down is not asked by each of its alerts in
//! turn. Everything is bounded: requests in all (`detail/slots.rs`) and to one node, the time and the size of an
//! answer, the memory of all that are being read (`detail/answers.rs`), what they become (`detail/parse.rs`), the cache
//! (`detail/cache.rs`). A node that fails several times in a row is left alone for a while: see `detail/breaker.rs`.
//!
//! What may be asked is decided by the address that is connected to, not by the name: see `detail/address.rs`.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use check_result::api::{Detail, FetchError};
use http::StatusCode;
use jiff::Timestamp;
use moka::future::Cache;
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
mod cache;
mod failure;
mod nodes;
mod parse;
mod slots;

use answers::{Answers, Reading};
use breaker::{Breakers, Change};
use nodes::Nodes;
use parse::{Parsed, Parser};
use slots::Slots;

pub use breaker::OpenCircuit;
pub use failure::Failure;
pub use slots::Turn;

/// How much longer than the node has its verdict is waited for. It begins its time a little later, and what ended before
/// its end would be neither told nor counted.
const GRACE: Duration = Duration::from_secs(1);

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
    /// Bytes of it in memory, roughly.
    size: usize,
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
    parser: Parser,
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
        Ok(Self {
            sources: config.sources.iter().map(source).collect::<Result<_, _>>()?,
            dns: dns.clone(),
            limits,
            answers: Answers::new(config.limits.answer_bytes, limits.max_response_bytes),
            parser: Parser::new(),
            cache: cache::new(&limits),
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
        // Apart, for thousands may wait for their turns: asking takes several kilobytes.
        Box::pin(self.verdict(self.get(target, not_before, turn))).await
    }

    /// What `asking` for an alert that has gone on comes to; none where there is no place at the node for long.
    pub async fn verdict(&self, asking: impl Future<Output = Answer>) -> Option<Answer> {
        timeout(self.limits.timeout + GRACE, asking).await.ok()
    }

    async fn flight(&self, target: &Target, not_before: Instant, turn: &Turn<'_>) -> Answer {
        let outdated = |answer: &Answer| answer.as_ref().is_ok_and(|fetched| fetched.started < not_before);
        loop {
            let fetch = Box::pin(self.fetch(target, turn));
            let entry = self.cache.entry_by_ref(target).or_insert_with_if(fetch, outdated).await;
            let is_new = entry.is_fresh();
            let answer = entry.into_value();
            if is_new && cache::is_large(target, &answer) {
                self.cache.run_pending_tasks().await;
            }
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
        let answer = Box::pin(self.ask(target)).await;
        let answer = answer.map(|Parsed { detail, size }| Arc::new(Fetched { detail, asked, started, size }));
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

    /// Asks the node, for as long as it has. What it said takes time of the proxy's own.
    async fn ask(&self, target: &Target) -> Result<Parsed, Failure> {
        let (limit, host) = (self.limits.timeout, target.url.authority());
        let mut room = self.answers.reading();
        let answer = timeout(limit, self.exchange(target, &mut room)).await;
        match answer {
            Ok(answer) => {
                let (status, body) = answer?;
                Ok(self.parser.parse(host, status, body, room.into_taken()).await?)
            }
            Err(_) if room.waits() => Err(Failure::no_room(host, limit)),
            Err(_) => Err(FetchError::Timeout(host.to_owned()).into()),
        }
    }

    async fn exchange(&self, target: &Target, room: &mut Reading<'_>) -> Result<(StatusCode, Bytes), FetchError> {
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
        Ok((head.status, body))
    }

    fn told(&self, node: &str, change: Change, reason: &str) {
        match change {
            Change::None => {}
            Change::Opened => self.events.circuit_opened(node, reason),
            Change::Untracked => self.events.circuit_untracked(node),
        }
    }
}

// === impl Target ===

impl Target {
    /// Where the detail of an alert with `labels` is; none where no source matches it.
    pub fn find(config: &Config, labels: &Texts) -> Option<Result<Self, RenderError>> {
        Some(Self::at(config.source_for(labels)?, labels))
    }

    /// Where it is at the source that matches it, which has that place in the configuration.
    pub fn at((place, source): (usize, &Source), labels: &Texts) -> Result<Self, RenderError> {
        source.url.render(labels).map(|url| Self { source: place, url })
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use prometheus_client::registry::Registry;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::body::Space as _;

    /// A node that always answers with `body`.
    async fn node(body: String) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = listener.local_addr().unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 2) {
                    line.clear();
                }
                stream.write_all(head.as_bytes()).await.unwrap();
                // Who asked may have gone.
                let _ = stream.write_all(body.as_bytes()).await;
            }
        });
        node
    }

    fn details(node: SocketAddr, timeout: &str) -> (Config, Details, Registry) {
        let config = format!(
            "alertmanagers: [{{url: \"http://127.0.0.1:1\"}}]\nfetch: {{timeout: {timeout}}}\n\
             sources: [{{match: {{}}, url: \"http://{node}/{{{{ labels.check }}}}\", allow: [127.0.0.1]}}]"
        );
        let (config, mut registry) = (Config::parse(&config).unwrap(), Registry::default());
        let events = Arc::new(Events::new(&mut registry));
        let dns = Dns::new(&[], Duration::from_secs(1)).unwrap();
        let details = Details::new(&config, &ClientOptions::new(service::build_info!()), &dns, events).unwrap();
        (config, details, registry)
    }

    fn target(config: &Config, check: &str) -> Target {
        Target::find(config, &[("check", check)].into_iter().collect()).unwrap().unwrap()
    }

    #[tokio::test]
    async fn long_details_take_no_more_of_the_cache_than_there_is_whatever_is_long_in_them() {
        let long = "x".repeat(1 << 20);
        let (first, second) = (
            format!(r#""labels": {{"a": "{long}"}}, "client_attributes": {{"a": "{long}"}}"#),
            format!(r#""check": {{"name": "a", "output": "", "status": 2, "a": ["{long}"]}}"#),
        );
        let answer = format!(r#"{{{first}, {second}, "client": "a", "occurrences": 1, "status_changed": 1}}"#);
        let (config, details, _) = details(node(answer).await, "20s");
        for check in ["a", "b", "c", "d", "e", "f"] {
            let target = target(&config, check);
            details.get(&target, Instant::now(), details.turn().await).await.unwrap();
            let kept: Vec<_> = details.cache.iter().collect();
            assert!(kept.len() as u64 * (3 << 20) <= cache::BYTES && !kept.is_empty(), "{}", kept.len());
        }
    }

    #[tokio::test]
    async fn what_waits_to_ask_late_takes_little_memory() {
        let (config, details, _) = details(([127, 0, 0, 1], 1).into(), "20s");
        let target = target(&config, "disk");
        let waiting = details.get_late(&target, Instant::now());
        assert!(size_of_val(&waiting) <= 512, "{}", size_of_val(&waiting));
    }

    #[tokio::test]
    async fn a_long_answer_that_finds_no_memory_in_its_time_says_so() {
        let node = node(" ".repeat(1 << 20)).await;
        let (config, details, registry) = details(node, "300ms");
        let target = target(&config, "disk");
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
