//! A server that runs in the test, and what tests ask of it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use clap::Parser as _;
use service::http::{ClientOptions, read_limited, upstream_client};
use service::{BuildInfo, Server, Timeouts, WebFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const INFO: BuildInfo = BuildInfo { name: "test-server", version: "1.2.3", revision: "abc" };

/// A wait that ends a test which would wait for ever; no test takes part of it when all is well.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

/// Limits that do not pass within a test.
pub(crate) const PATIENT: Timeouts =
    Timeouts { tls_handshake: NEVER, header: NEVER, body: NEVER, idle: NEVER, write: NEVER, answer: NEVER };

/// A limit that passes at once.
pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// Bytes of an answer that no socket buffer holds.
pub(crate) const LARGE: usize = 64 << 20;

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    web: WebFlags<0>,
}

/// A server on a free port of the loopback interface.
pub(crate) fn server(arguments: &[&str]) -> Server {
    try_server(arguments).unwrap()
}

pub(crate) fn try_server(arguments: &[&str]) -> Result<Server, service::ConfigError> {
    let given = ["server", "--web.listen-address=127.0.0.1:0"].iter().chain(arguments);
    Server::new(INFO, &Flags::parse_from(given).web)
}

/// Routes with every kind of behaviour that serving has to cope with.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/echo", post(async |body: String| body))
        .route("/small", post(async |body: String| body).layer(service::body_limit(4)))
        .route("/large", get(async || vec![b'x'; LARGE]))
        .route("/panic", get(async || -> StatusCode { panic!("told to") }))
        .route("/hang", get(async || std::future::pending::<StatusCode>().await))
        .route("/item/{name}", get(async || "item"))
}

/// A server that serves.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

pub(crate) fn start(server: Server) -> Running {
    let bound = server.bind().unwrap();
    let address = bound.addresses()[0];
    let stop = CancellationToken::new();
    let task = tokio::spawn(bound.run(stop.clone()));
    Running { address, stop, task }
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_limited(response, 16 << 20).await.unwrap();
        Self { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A sample of a metrics page.
    pub(crate) fn sample(&self, series: &str) -> Option<f64> {
        let line = self.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(reqwest::Method::GET, path).await
    }

    pub(crate) async fn send(&self, method: reqwest::Method, path: &str) -> Answer {
        Answer::read(client().request(method, self.url(path)).send().await.unwrap()).await
    }

    /// Asks for the metrics until a series has the value.
    pub(crate) async fn wait_for(&self, series: &str, value: f64) {
        until(async || self.get("/metrics").await.sample(series) == Some(value)).await;
    }

    pub(crate) async fn wait_for_cut(&self, reason: &str) {
        self.wait_for(&format!("http_connections_cut_total{{reason=\"{reason}\"}}"), 1.0).await;
    }

    /// A raw connection that has sent `text`.
    pub(crate) async fn connect(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Stops the server and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.ended().await;
    }

    /// Waits until a server that was told to stop has ended.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(NEVER, self.task).await.expect("the server does not stop").unwrap().unwrap();
    }
}

pub(crate) fn client() -> reqwest::Client {
    upstream_client(&ClientOptions { timeout: NEVER, ..ClientOptions::new(INFO) }).unwrap()
}

/// Asks again until the condition holds.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let holds = async { while !condition().await {} };
    tokio::time::timeout(NEVER, holds).await.expect("the condition never holds");
}

/// What a connection still gets until the server ends it. A reset is an end as well.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let read = tokio::time::timeout(NEVER, stream.read_to_end(&mut got)).await;
    let _ = read.expect("the server does not end the connection");
    String::from_utf8(got).unwrap()
}

/// One answer from a connection that stays open, whose body is `body`.
pub(crate) async fn answer(stream: &mut TcpStream, body: &str) -> String {
    let mut got = Vec::new();
    while !got.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
        let mut part = [0; 1024];
        let length = tokio::time::timeout(NEVER, stream.read(&mut part)).await.expect("no answer").unwrap();
        assert_ne!(length, 0, "closed after {:?}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&part[..length]);
    }
    String::from_utf8(got).unwrap()
}
