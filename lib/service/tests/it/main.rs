//! Servers with real sockets, files and processes.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, in helpers as well")]

mod access;
mod auth;
mod endpoints;
mod http_client;
mod limits;
mod process;
mod reload;
mod running;
mod stopping;
mod tls;
mod web_config;
