//! Gateways that share a Redis: a real one, from `target/tools` or the path.

mod expiry;
mod faults;
mod kinds;
pub(crate) mod redis;
mod replicas;
mod store;
