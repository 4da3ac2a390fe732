//! What every Ogi server shares, once: flags, logging, listeners, exporter-toolkit's web config, health, `/metrics`, serving
//! within limits, reloading, stopping, systemd, HTTP clients, and [reading configuration files](config).
//!
//! A program is a thin shell around a library that builds a [`Server`]:
//!
//! ```no_run
//! use clap::Parser as _;
//! use tokio_util::sync::CancellationToken;
//!
//! #[derive(clap::Parser)]
//! #[command(name = "example", version, about = "Answers")]
//! struct Flags {
//!     #[command(flatten)]
//!     web: service::WebFlags<9780>,
//!     #[command(flatten)]
//!     log: service::LogFlags,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let flags = Flags::parse();
//!     let info = service::build_info!();
//!     service::run(info, &flags.log, service::Runtime::CurrentThread, async |stop: CancellationToken| {
//!         let server = service::Server::new(info, &flags.web)?
//!             .routes(axum::Router::new().route("/answer", axum::routing::get(async || "42")))
//!             .landing(service::Landing::new("Example", "Answers").link("/answer", "The answer"));
//!         server.run(stop).await
//!     })
//! }
//! ```
//!
//! # What a server answers by itself
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /metrics` | own metrics and the program's, text format 0.0.4 or OpenMetrics as negotiated, gzip when accepted |
//! | `GET /-/healthy` | 200 while the process serves and does its work, 503 and the reason where it does not |
//! | `GET /-/ready` | 200 when the program is ready, 503 before |
//! | `POST /-/reload` | with a reload hook: 200 when the configuration was reloaded, 500 and the reason when not |
//! | `GET /` | with a [`Landing`]: a page that names the program and its links |
//!
//! # What a request carries besides what the client sent
//!
//! Two extensions: the address that it comes from ([`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo)), and the
//! [`User`], where the web config has anybody asked. The password itself is taken off.
//!
//! # Rules
//!
//! - Configuration is read and checked before a port is bound; all failures are reported ([`ConfigError`], exit code 2).
//! - Every phase of a connection has a time limit ([`Timeouts`]), there is a limit of connections, and stopping has a
//!   deadline. What is cut is counted in `http_connections_cut_total` by reason.
//! - A server may bound the requests that it answers at a time ([`Server::max_requests`]), keep routes to some callers
//!   ([`Server::restricted_routes`]) and refuse what another site makes a browser send ([`is_foreign`]).
//! - The web config file is watched. Unlike exporter-toolkit, which answers 500 until a broken edit is mended, a broken edit
//!   leaves the old settings in force, is logged once and shown by a gauge; an edit that would take TLS or
//!   authentication away waits for a restart.
//! - HTTP/1.1 only: scrapes and webhooks gain nothing from HTTP/2, and its denial-of-service surface is large.

mod access;
mod auth;
mod body;
pub mod config;
mod error;
mod files;
mod flags;
pub mod http;
mod info;
mod listen;
mod log;
mod metrics;
mod origin;
mod panic;
mod room;
mod run;
mod serve;
mod server;
mod systemd;
mod tls;
mod web_config;

pub use access::{Allowed, User};
pub use body::limit as body_limit;
pub use error::ConfigError;
pub use files::raise_open_files;
pub use flags::{LogFlags, LogFormat, LogLevel, WebFlags, duration, unshown};
pub use info::BuildInfo;
pub use listen::{ListenAddress, ListenAddressError};
pub use origin::is_foreign;
pub use panic::panic_message;
pub use room::Room;
pub use run::{Runtime, run};
pub use serve::Timeouts;
pub use server::{Bound, Landing, Readiness, RequestLimit, RouteName, Server};
pub use tls::provider as tls_provider;
pub use web_config::fields as web_config_fields;
