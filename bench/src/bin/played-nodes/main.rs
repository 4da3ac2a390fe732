//! Plays the nodes of `bench fleet`: each has the store, the metrics and the detail API of checkscript-agent, and an address of its own in
//! 127.0.0.0/8. The port is the same for all; it is printed once they listen.
//!
//! Who runs the bench asks 127.0.0.1, where no node is: `POST /fail?one_of=10` makes each tenth check of every node CRITICAL at once,
//! `POST /recover` ends that; both answer with each check that has changed. Whenever a node is scraped all its checks have run anew.

mod checks;
mod node;

use std::future::IntoFuture as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{io, iter};

use anyhow::Context as _;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::{ACCEPT, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use check_result::api;
use checkscript_agent::events::Events;
use checkscript_agent::flags::Flags;
use checkscript_agent::last_look::LastLook;
use clap::Parser;
use exposition::Format;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tower::ServiceExt as _;
use tower_http::compression::{CompressionLayer, CompressionLevel};

use crate::checks::Incident;
use crate::node::Node;

/// Connections that may wait to be taken by a listener.
const BACKLOG: u32 = 4096;

/// Listeners at the one port, among which the kernel deals out connections. Each of so many nodes would have a queue of its own: in a
/// single one, thousands of requests that come at once would wait for each other, and be turned away.
const LISTENERS: usize = 16;

/// What an agent with short histories is started with: memory is for many nodes.
const FLAGS: [&str; 3] = ["checkscript-agent", "--history.results=3", "--history.changes=3"];

/// Plays nodes for `bench fleet`, which starts it.
#[derive(Debug, Parser)]
struct Options {
    /// How many
    #[arg(long)]
    nodes: u32,

    /// The first one's address; the others follow it
    #[arg(long)]
    first: Ipv4Addr,

    /// Checks of each node
    #[arg(long)]
    checks: usize,

    /// Close each connection after its answer: where a process may not have as many open files as there are nodes
    #[arg(long)]
    close: bool,
}

/// All nodes. Each begins when it is asked for the first time.
struct Nodes {
    nodes: Vec<OnceLock<Node>>,
    first: Ipv4Addr,
    checks: usize,
    agent: Agent,
    /// What the agents count, the same for all.
    registry: Registry,
    looked: LastLook,
    incident: Mutex<Incident>,
}

/// What the agents of all nodes share.
struct Agent {
    flags: Flags,
    events: Events,
}

/// The address that was connected to.
#[derive(Clone, Copy, Debug)]
struct Asked(Option<Ipv4Addr>);

#[derive(Debug, Deserialize)]
struct Fail {
    one_of: usize,
}

/// Why there is no answer, as it is told who asks.
struct Failure(anyhow::Error);

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(&options))
}

async fn serve(options: &Options) -> anyhow::Result<()> {
    let nodes = Arc::new(Nodes::new(options)?);
    let scraped = CompressionLayer::new().quality(CompressionLevel::Fastest);
    let mut router = Router::new()
        .route("/metrics", get(scrape).layer(scraped))
        .route("/fail", post(fail))
        .route("/recover", post(recover))
        .fallback(detail)
        .with_state(nodes);
    if options.close {
        router = router.layer(from_fn(close));
    }
    let first = listen(0)?;
    let port = first.local_addr()?.port();
    let mut serving = JoinSet::new();
    for listener in iter::once(Ok(first)).chain((1..LISTENERS).map(|_| listen(port))) {
        #[expect(clippy::disallowed_methods, reason = "it serves one bench alone")]
        let served = axum::serve(listener?, router.clone().into_make_service_with_connect_info::<Asked>());
        serving.spawn(served.into_future());
    }
    println!("{port}");
    while let Some(ended) = serving.join_next().await {
        ended??;
    }
    Ok(())
}

/// One of the listeners at that port; at any free one with 0.
fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
    socket.listen(BACKLOG)
}

async fn scrape(
    State(nodes): State<Arc<Nodes>>,
    ConnectInfo(asked): ConnectInfo<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Some(node) = nodes.asked(asked)? else { return Ok(nobody()) };
    let format = Format::negotiate(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let now = Timestamp::now();
    node.run(&nodes.agent, now, &nodes.incident(), |_| true)?;
    nodes.looked.note();
    let mut page = String::new();
    exposition::write_registry(&nodes.registry, format, &mut page);
    exposition::write(&node.families(&nodes.agent, now), format, &mut page);
    exposition::finish(format, &mut page);
    Ok(([(CONTENT_TYPE, format.content_type())], page).into_response())
}

async fn detail(
    State(nodes): State<Arc<Nodes>>,
    ConnectInfo(asked): ConnectInfo<Asked>,
    request: Request,
) -> Result<Response, Failure> {
    match nodes.asked(asked)? {
        Some(node) => Ok(api::router(node.store()).oneshot(request).await.into_response()),
        None => Ok(nobody()),
    }
}

async fn fail(State(nodes): State<Arc<Nodes>>, Query(Fail { one_of }): Query<Fail>) -> Result<Json<Value>, Failure> {
    Ok(Json(nodes.turn(Some(one_of))?))
}

async fn recover(State(nodes): State<Arc<Nodes>>) -> Result<Json<Value>, Failure> {
    Ok(Json(nodes.turn(None)?))
}

async fn close(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn nobody() -> Response {
    (StatusCode::NOT_FOUND, "no node has this address\n").into_response()
}

// === impl Failure ===

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}\n", self.0)).into_response()
    }
}

// === impl Nodes ===

impl Nodes {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let flags = Flags::try_parse_from(FLAGS).context("the agent's flags")?;
        let mut registry = Registry::default();
        let (events, looked) = (Events::new(&mut registry), LastLook::new(&mut registry));
        events.log_read(node::LOG.as_ref(), true);
        Ok(Self {
            nodes: (0..options.nodes).map(|_| OnceLock::new()).collect(),
            first: options.first,
            checks: options.checks,
            agent: Agent { flags, events },
            registry,
            looked,
            incident: Mutex::new(Incident::none(options.checks)),
        })
    }

    /// The node at this address, if there is one.
    fn asked(&self, Asked(address): Asked) -> anyhow::Result<Option<&Node>> {
        let number = address.and_then(|address| u32::from(address).checked_sub(u32::from(self.first)));
        number.filter(|number| (*number as usize) < self.nodes.len()).map(|number| self.node(number)).transpose()
    }

    fn node(&self, number: u32) -> anyhow::Result<&Node> {
        let slot = self.nodes.get(number as usize).with_context(|| format!("there is no node {number}"))?;
        if let Some(node) = slot.get() {
            return Ok(node);
        }
        let address = Ipv4Addr::from(u32::from(self.first) + number);
        let node = Node::new((number, address), self.checks, &self.agent)?;
        Ok(slot.get_or_init(|| node))
    }

    fn incident(&self) -> Incident {
        *self.incident.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes checks fail, or all well again; when, which incident it is, and the address and name of each check that failed or
    /// recovered: of all nodes, so that one that nobody scrapes is missed.
    fn turn(&self, one_of: Option<usize>) -> anyhow::Result<Value> {
        let (before, now) = (self.incident(), Timestamp::now());
        let incident = before.next(one_of);
        *self.incident.lock().unwrap_or_else(PoisonError::into_inner) = incident;
        let mut turned = Vec::new();
        for number in 0..u32::try_from(self.nodes.len())? {
            let node = self.node(number)?;
            let changes = |check| incident.fails(node.number(), check) != before.fails(node.number(), check);
            let ran = node.run(&self.agent, now, &incident, changes)?;
            turned.extend(ran.into_iter().map(|check| json!([node.address(), check])));
        }
        Ok(json!({"at": now.as_microsecond() as f64 / 1e6, "incident": incident.number(), "checks": turned}))
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Asked {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        match stream.io().local_addr() {
            Ok(SocketAddr::V4(address)) => Self(Some(*address.ip())),
            Ok(SocketAddr::V6(_)) | Err(_) => Self(None),
        }
    }
}
