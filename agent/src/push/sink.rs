//! Where the runner's results come in: the log gets them, and the queue of every gateway.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use check_result::log::{Level, LoggedResult, write_payload};
use check_result::{CheckKey, CheckResult, CheckState, HistoryLimits, metrics};
use checkscript_runner::notice::{Notice, Sink};
use exposition::Format;
use jiff::Timestamp;

use super::config::Kind;
use super::events::{Events, Loss};
use super::gateway::Gateway;
use super::removed::Defined;
use super::spool::Marker;

/// Checks whose metrics are made here. Applications can push results of any name.
const MOST_CHECKS: usize = 10_000;
/// Of a check's past the metrics need but the statuses.
const NO_OUTPUTS: HistoryLimits = HistoryLimits { results: 0, changes: 0, output_bytes: 0, latest_output_bytes: 0 };

/// The sink.
pub struct Pushing {
    /// Gets everything.
    pub log: Arc<dyn Sink>,
    /// Get the results.
    pub gateways: Arc<[Gateway]>,
    /// Told what is to be delivered, where queues are kept on the disk.
    pub marker: Option<Marker>,
    /// Counts and logs.
    pub events: Events,
    /// How much is kept of each output.
    pub output_bytes: usize,
    /// The checks that run here.
    pub defined: Arc<Defined>,
    /// Only where a gateway takes metrics.
    pub states: Mutex<HashMap<CheckKey, CheckState>>,
}

// === impl Pushing ===

impl Pushing {
    fn results(&self, result: &CheckResult) -> Bytes {
        let mut bounded = result.clone();
        bounded.bound_output(self.output_bytes);
        let mut payload = Vec::new();
        write_payload(&mut payload, &bounded);
        payload.into()
    }

    /// The metrics of the result's check; none beyond the limit of checks.
    fn metrics(&self, result: &CheckResult) -> Option<Bytes> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, next) = (result.key(), LoggedResult { logged: Timestamp::now(), result: result.clone() });
        let full = states.len() >= MOST_CHECKS;
        match states.entry(key.clone()) {
            Entry::Occupied(mut known) => known.get_mut().apply(next, &NO_OUTPUTS),
            Entry::Vacant(_) if full => return None,
            Entry::Vacant(new) => drop(new.insert(CheckState::new(next, &NO_OUTPUTS))),
        }
        let families = metrics::families([(&[][..], &states[&key])], &metrics::Options::default());
        let mut page = String::new();
        exposition::write(&families, Format::Text, &mut page);
        Some(page.into())
    }
}

impl Sink for Pushing {
    fn publish(&self, result: &CheckResult) {
        self.log.publish(result);
        if self.defined.is_late(result) {
            return;
        }
        let (mut results, mut metrics) = (None, None);
        for (index, gateway) in self.gateways.iter().enumerate() {
            let payload = match gateway.kind() {
                Kind::Results => Some(results.get_or_insert_with(|| self.results(result)).clone()),
                Kind::Metrics => metrics.get_or_insert_with(|| self.metrics(result)).clone(),
            };
            let Some(payload) = payload else {
                let most = format!("check {}: there are {MOST_CHECKS} others", result.name());
                self.events.dropped(gateway.name(), Loss::Checks, &most);
                continue;
            };
            gateway.leftovers().keep(&result.key());
            let displaced = gateway.queue().push(result.key(), payload);
            if displaced.superseded {
                self.events.superseded(gateway.name());
            }
            self.events.no_room(gateway, &displaced.dropped);
            for key in displaced.dropped.into_iter().chain([result.key()]) {
                self.marker.iter().for_each(|marker| marker.mark(index, key.clone()));
            }
            self.events.waits(gateway);
        }
    }

    fn notice(&self, notice: &Notice) {
        self.log.notice(notice);
    }

    fn wants(&self, level: Level) -> bool {
        self.log.wants(level)
    }
}
