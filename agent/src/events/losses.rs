//! What the intake leaves out of a line that it takes.

use std::sync::atomic::AtomicBool;

use check_result::CheckKey;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::{Events, first};

#[derive(Debug, Default)]
pub(super) struct Losses {
    clients: Counter,
    definitions: Counter,
    told_client: AtomicBool,
    told_definition: AtomicBool,
}

// === impl Losses ===

impl Losses {
    pub(super) fn register(&self, registry: &mut Registry) {
        let clients = "Clients whose attributes were dropped because too many clients are known";
        registry.register("clients_dropped", clients, self.clients.clone());
        let definitions = "Results taken without their definition, which cannot be read";
        registry.register("definitions_unreadable", definitions, self.definitions.clone());
    }
}

// === impl Events ===

impl Events {
    /// A client's attributes make room for another one's.
    pub(crate) fn client_dropped(&self, name: &str, limit: usize) {
        self.0.losses.clients.inc();
        if first(&self.0.losses.told_client) {
            tracing::warn!(
                client = name,
                limit,
                "The attributes of client {name} are dropped: only those of {limit} clients are kept, and it was \
                 silent longest; further ones are only counted"
            );
        }
    }

    /// A result's definition cannot be read.
    pub(crate) fn definition_unreadable(&self, key: &CheckKey) {
        self.0.losses.definitions.inc();
        if first(&self.0.losses.told_definition) {
            tracing::error!(
                check = key.check,
                source = key.source,
                "A result of check {} is taken without its definition (interval, handlers, other attributes), which \
                 cannot be read: it is nested too deep; further ones are only counted",
                key.check
            );
        }
    }
}

#[cfg(test)]
impl Events {
    /// How many clients' attributes were dropped, and how many definitions could not be read.
    pub(crate) fn losses(&self) -> (u64, u64) {
        (self.0.losses.clients.get(), self.0.losses.definitions.get())
    }
}
