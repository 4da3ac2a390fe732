//! Servers with real sockets, files and processes.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, in helpers as well")]

mod access;
mod auth;
mod endpoints;
mod fuzzing;
#[path = "../../../../fuzz/head.rs"]
mod head;
mod http_client;
mod limits;
mod process;
mod properties;
mod reload;
#[path = "../../../../fuzz/replay.rs"]
mod replay;
mod running;
mod stopping;
mod tls;
mod web_config;
