//! HTTP clients of our own, and bounded reading of what they get.
//!
//! Clients for two patterns. *Fleet*: one request now and then to each of tens of thousands of nodes; a pool would keep
//! a connection, a file descriptor and 17 KiB for every node, so there is none. Where thousands run at a time it is
//! [`Fleet`]. *Upstream*: many requests to a few servers, over kept connections. None follows redirects (a node must
//! not be able to send us elsewhere) nor reads proxy settings from the environment (requests within a network must not
//! leave it because of a variable).

use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use rustls::RootCertStore;

mod config;
mod fleet;
mod headers;
mod identity;
mod tls;

pub use config::HttpConfig;
pub use fleet::{Answer, AskError, Fleet};
use tls::Settings;

/// How long an upstream connection may wait for its next request.
const UPSTREAM_IDLE: Duration = Duration::from_secs(90);

/// Settings of a client.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Value of the `User-Agent` header: `name/version`.
    pub user_agent: String,
    /// Limit for the connection, TLS included.
    pub connect_timeout: Duration,
    /// Limit for the whole exchange, the answer's body included.
    pub timeout: Duration,
    /// Credentials and TLS.
    pub http: HttpConfig,
}

impl ClientOptions {
    /// Settings for a program: its name and version, 3 s to connect, 10 s in all.
    #[must_use]
    pub fn new(info: crate::BuildInfo) -> Self {
        Self {
            user_agent: format!("{}/{}", info.name, info.version),
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            http: HttpConfig::default(),
        }
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The TLS library refused its settings.
    #[error("cannot make an HTTP client: {0}")]
    Tls(String),
    /// The library refused the settings.
    #[error("cannot make an HTTP client: {0}")]
    Build(#[from] reqwest::Error),
}

/// A client for one request now and then to each of very many hosts. It keeps no connection; callers bound how many
/// requests run at a time.
///
/// # Errors
/// See [`ClientError`].
pub fn fleet_client(options: &ClientOptions) -> Result<Client, ClientError> {
    client(options, |builder| builder.pool_max_idle_per_host(0))
}

/// A client for many requests to few hosts, over kept connections.
///
/// # Errors
/// See [`ClientError`].
pub fn upstream_client(options: &ClientOptions) -> Result<Client, ClientError> {
    client(options, pooled)
}

/// An [`upstream_client`] that finds hosts by `resolver`.
///
/// # Errors
/// See [`ClientError`].
pub fn upstream_client_resolving(
    options: &ClientOptions,
    resolver: impl Resolve + 'static,
) -> Result<Client, ClientError> {
    client(options, |builder| pooled(builder).dns_resolver(resolver))
}

fn pooled(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder.pool_idle_timeout(UPSTREAM_IDLE).pool_max_idle_per_host(16)
}

fn client(
    options: &ClientOptions,
    pool: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<Client, ClientError> {
    let tls = match options.http.tls.clone() {
        Some(tls) => tls,
        None => tls::client_config(Settings::default()).map_err(ClientError::Tls)?,
    };
    let builder = Client::builder()
        .default_headers(options.http.headers())
        .user_agent(&options.user_agent)
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        .redirect(Policy::none())
        .no_proxy()
        .tls_backend_preconfigured(tls);
    Ok(pool(builder).build()?)
}

/// The system's authorities. A machine without any is no error: plain HTTP works all the same, and an HTTPS request
/// then fails with a message of its own.
fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (_, unusable) = roots.add_parsable_certificates(system.certs);
    if unusable > 0 || !system.errors.is_empty() {
        tracing::debug!(unusable, errors = ?system.errors, "Some of the system's certificate authorities are unusable");
    }
    roots
}

/// A URL that paths are added to; slashes at its end say nothing.
///
/// # Errors
/// What is wrong with it, without a password that may be in it.
pub fn base_url(text: &str) -> Result<Url, String> {
    // What has an `@` may hold a password.
    let shown = || if text.contains('@') { "this (not shown)".to_owned() } else { format!("`{text}`") };
    let mut url = Url::parse(text).map_err(|error| format!("{} is not a URL: {error}", shown()))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("the URL may have no user name, password, query or fragment".to_owned());
    }
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!("{} must begin with http:// or https:// and name a host", shown()));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The body is larger than the limit. What was read is dropped.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The client's timeout passed.
    #[error("the body did not arrive in time")]
    Timeout,
    /// The connection failed.
    #[error("the body broke off: {0}")]
    Broken(#[source] reqwest::Error),
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// See [`ReadError`].
pub async fn read_limited(mut response: Response, limit: usize) -> Result<Bytes, ReadError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(ReadError::TooLarge { limit });
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = response.chunk().await.map_err(read_error)? {
        if chunk.len() > limit - body.len() {
            return Err(ReadError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The cause that an operator can act on: `Connection refused (os error 111)`, not the chain of `error sending request`
/// above it.
#[must_use]
pub fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "did not answer in time".to_owned();
    }
    root_cause(error).to_string()
}

/// What is at the bottom of an error: the error itself where nothing caused it.
pub fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.last().unwrap_or(error)
}

fn read_error(error: reqwest::Error) -> ReadError {
    if error.is_timeout() { ReadError::Timeout } else { ReadError::Broken(error) }
}
