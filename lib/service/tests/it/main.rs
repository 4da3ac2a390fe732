//! Servers with real sockets, files and processes.

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
