//! Finding Alertmanagers in DNS, as Prometheus's `dns_sd_configs` do.
//!
//! Each name is looked up anew at its interval, by a task of its own. What it stands for is handed to the
//! [`Forwarder`]. A look-up that fails, or gives nothing, changes nothing: a name server's trouble must not take
//! Alertmanagers away.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::config::{Lookup, Record};
use crate::dns::{Dns, LookupError};
use crate::events::Events;
use crate::forward::Forwarder;
use crate::setup::Shared;

/// Keeps what is known of Alertmanagers up to date.
#[derive(Debug)]
pub struct Discovery {
    setup: Shared,
    forwarder: Arc<Forwarder>,
    events: Arc<Events>,
    /// Ends the look-ups of the configuration before.
    running: Mutex<CancellationToken>,
}

// === impl Discovery ===

impl Discovery {
    /// Starts looking up what the configuration names; needs a runtime.
    pub fn start(setup: Shared, forwarder: Arc<Forwarder>, events: Arc<Events>) -> Self {
        let discovery = Self { setup, forwarder, events, running: Mutex::default() };
        discovery.restart();
        discovery
    }

    /// Looks up what the configuration names now, and nothing else any more.
    pub fn restart(&self) {
        let running = CancellationToken::new();
        self.replace(running.clone());
        let setup = self.setup.load_full();
        for lookup in setup.config.lookups() {
            let (lookup, dns, stop) = (lookup.clone(), setup.dns.clone(), running.clone());
            let (forwarder, events) = (Arc::clone(&self.forwarder), Arc::clone(&self.events));
            tokio::spawn(async move { stop.run_until_cancelled(follow(lookup, dns, forwarder, events)).await });
        }
    }

    /// Looks nothing up any more.
    pub fn stop(&self) {
        self.replace(CancellationToken::new());
    }

    fn replace(&self, running: CancellationToken) {
        let mut current = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, running).cancel();
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn follow(lookup: Lookup, dns: Dns, forwarder: Arc<Forwarder>, events: Arc<Events>) {
    loop {
        match find(&lookup, &dns).await {
            Ok(found) => forwarder.found(&lookup, found),
            Err(error) => events.lookup_failed(&lookup.name, &error),
        }
        tokio::time::sleep(lookup.refresh).await;
    }
}

/// Hosts and ports that `lookup` stands for now, in a fixed order; at least one.
///
/// # Errors
/// See [`LookupError`].
pub async fn find(lookup: &Lookup, dns: &Dns) -> Result<Vec<(String, u16)>, LookupError> {
    let mut found = match lookup.record {
        Record::Srv => dns.services(&lookup.name).await?,
        Record::A { port } => hosts(dns.records(&lookup.name, false).await?, port),
        Record::Aaaa { port } => hosts(dns.records(&lookup.name, true).await?, port),
    };
    found.sort();
    found.dedup();
    Ok(found)
}

fn hosts(addresses: Vec<IpAddr>, port: u16) -> Vec<(String, u16)> {
    let host = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    addresses.into_iter().map(|address| (host(address), port)).collect()
}
