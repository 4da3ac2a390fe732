//! Where the runner's results come in: the log gets them, and the queue of every gateway.

use std::sync::Arc;

use bytes::Bytes;
use check_result::CheckResult;
use check_result::log::{Level, write_payload};
use checkscript_runner::notice::{Notice, Sink};

use super::config::Kind;
use super::events::{Events, Loss};
use super::gateway::Gateway;
use super::removed::Defined;
use super::spool::Marker;
use super::states::States;

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
    /// Of use only where a gateway takes metrics.
    pub states: Arc<States>,
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
                Kind::Metrics => metrics.get_or_insert_with(|| self.states.metrics(result)).clone(),
            };
            let Some(payload) = payload else {
                let most = format!("check {}: there are {} others", result.name(), self.states.most());
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
