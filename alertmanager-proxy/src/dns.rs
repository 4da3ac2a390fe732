//! Looking names up: of nodes, of Alertmanagers, and what Alertmanagers there are.
//!
//! Asked are the name servers of the configuration, or those of `/etc/resolv.conf`; `/etc/hosts` comes first. Unlike
//! the system's resolver it takes no thread a look-up, so that a name server which does not answer for some names
//! delays no others, and it knows SRV records.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tracing::warn;

/// Looks names up. Clones share a cache.
#[derive(Clone)]
pub struct Dns {
    resolver: Arc<TokioResolver>,
    limit: Duration,
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot look up {name}: {reason}")]
pub struct LookupError {
    name: String,
    reason: String,
}

// === impl Dns ===

impl Dns {
    /// Asks `servers`, or those of the system where there are none, for `limit` at most.
    ///
    /// # Errors
    /// When the library refuses its settings.
    pub fn new(servers: &[SocketAddr], limit: Duration) -> Result<Self, LookupError> {
        let builder = if servers.is_empty() { system() } else { builder(servers) };
        let resolver = builder.build().map_err(|error| LookupError::new("any name", &error))?;
        Ok(Self { resolver: Arc::new(resolver), limit })
    }

    /// The addresses of `name`, IPv4 and IPv6; at least one.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let found = self.in_time(name, self.resolver.lookup_ip(name)).await?;
        Ok(found.iter().collect())
    }

    /// The addresses of `name` in its A records, or its AAAA records where `v6`; at least one.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn records(&self, name: &str, v6: bool) -> Result<Vec<IpAddr>, LookupError> {
        let kind = if v6 { RecordType::AAAA } else { RecordType::A };
        let address = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        self.all(name, kind, address).await
    }

    /// Hosts and ports of the SRV records of `name`; at least one.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn services(&self, name: &str) -> Result<Vec<(String, u16)>, LookupError> {
        let service = |data: &RData| match data {
            RData::SRV(service) => Some((service.target.to_utf8().trim_end_matches('.').to_owned(), service.port)),
            _ => None,
        };
        self.all(name, RecordType::SRV, service).await
    }

    async fn all<T>(
        &self,
        name: &str,
        kind: RecordType,
        of: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, LookupError> {
        let found = self.in_time(name, self.resolver.lookup(name, kind)).await?;
        let all: Vec<_> = found.answers().iter().filter_map(|record| of(&record.data)).collect();
        match all.is_empty() {
            true => Err(LookupError { name: name.to_owned(), reason: format!("it has no {kind} record") }),
            false => Ok(all),
        }
    }

    async fn in_time<T>(
        &self,
        name: &str,
        lookup: impl Future<Output = Result<T, NetError>>,
    ) -> Result<T, LookupError> {
        let found = tokio::time::timeout(self.limit, lookup).await.unwrap_or(Err(NetError::Timeout));
        found.map_err(|error| LookupError::new(name, &error))
    }
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

impl Resolve for Dns {
    fn resolve(&self, name: Name) -> Resolving {
        let dns = self.clone();
        Box::pin(async move {
            let found = dns.addresses(name.as_str()).await?;
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// The system's name servers. Where it names none, the machine itself is asked, as libc does.
fn system() -> ResolverBuilder<TokioRuntimeProvider> {
    TokioResolver::builder_tokio().unwrap_or_else(|error| {
        warn!(%error, "/etc/resolv.conf names no server, asking 127.0.0.1 for names: {error}");
        builder(&[SocketAddr::from(([127, 0, 0, 1], 53))])
    })
}

fn builder(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let server = |address: &SocketAddr| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        NameServerConfig::new(address.ip(), true, connections.to_vec())
    };
    let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

// === impl LookupError ===

impl LookupError {
    fn new(name: &str, error: &NetError) -> Self {
        let reason = match error {
            error if error.is_nx_domain() => "there is no such name".to_owned(),
            error if error.is_no_records_found() => "it has no such record".to_owned(),
            NetError::Timeout => "the name servers did not answer in time".to_owned(),
            error => error.to_string(),
        };
        Self { name: name.to_owned(), reason }
    }
}
