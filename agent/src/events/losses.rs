//! What is not kept of lines that were taken.

use std::sync::atomic::AtomicBool;

use check_result::CheckKey;
use check_result::values::MOST_VALUES;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::{Events, first};

#[derive(Debug, Default)]
pub(super) struct Losses {
    clients: Counter,
    definitions: Counter,
    told_client: AtomicBool,
    told_definition: AtomicBool,
    told_dropped: AtomicBool,
    results: Counter,
    told_result: AtomicBool,
    outputs: Counter,
    told_output: AtomicBool,
}

// === impl Losses ===

impl Losses {
    pub(super) fn register(&self, registry: &mut Registry) {
        let clients = "Clients whose attributes were dropped because too many clients are known";
        registry.register("clients_dropped", clients, self.clients.clone());
        let definitions = "Results kept without their definition, which is nested too deep, too long, of too many values or among the largest of too much";
        registry.register("definitions_unreadable", definitions, self.definitions.clone());
        let cut = "Checks whose outputs were cut because those of all checks held too much";
        registry.register("outputs_cut", cut, self.outputs.clone());
        let dropped = "Results dropped because too many checks are known";
        registry.register("results_dropped", dropped, self.results.clone());
    }
}

// === impl Events ===

impl Events {
    /// A result of a new check was dropped.
    pub(crate) fn check_over_limit(&self, key: &CheckKey, limit: usize) {
        self.0.losses.results.inc();
        if first(&self.0.losses.told_result) {
            tracing::error!(
                check = key.check,
                limit,
                "Check {} is not exported: {limit} checks are known already; raise --check.limit",
                key.check
            );
        }
    }

    /// The outputs of all checks held more than `most`: those of `cut` checks were cut to `longest` bytes.
    pub(crate) fn outputs_cut(&self, cut: usize, longest: usize, most: usize) {
        self.0.losses.outputs.inc_by(cut as u64);
        if first(&self.0.losses.told_output) {
            tracing::warn!(
                longest,
                "The outputs of all checks hold more than {most} bytes: the longest are cut to {longest} bytes; raise \
                 --detail.total-output-bytes, or lower --detail.output-bytes; further ones are only counted"
            );
        }
    }

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

    /// A result's definition cannot be read, or has more than `longest` bytes.
    pub(crate) fn definition_unreadable(&self, key: &CheckKey, longest: usize) {
        self.0.losses.definitions.inc();
        if first(&self.0.losses.told_definition) {
            tracing::error!(
                check = key.check,
                source = key.source,
                "A result of check {} is taken without its definition (interval, handlers, other attributes): it is nested \
                 too deep, or has more than {longest} bytes besides the outputs or {MOST_VALUES} JSON values; further ones \
                 are only counted",
                key.check
            );
        }
    }

    /// The definitions of all checks took more than `most` bytes, and that of `key` was among the largest.
    pub(crate) fn definition_dropped(&self, key: &CheckKey, most: usize) {
        self.0.losses.definitions.inc();
        if first(&self.0.losses.told_dropped) {
            tracing::error!(
                check = key.check,
                source = key.source,
                "The result of check {} is kept without its definition (interval, handlers, other attributes): those of all \
                 checks take more than {most} bytes of memory, and it is the largest; further ones are only counted",
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
