//! What pushing counts and logs. What happens again and again is logged the first time of a row.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use check_result::CheckKey;
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::gateway::Gateway;
use super::queue::Entry;

/// Rows that are remembered as logged.
const MOST_SAID: usize = 10_000;

/// Why a result is pushed no more, though no newer one has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The gateway finds fault with it.
    Refused,
    /// More waited than may.
    Room,
    /// Metrics of more checks than may be.
    Checks,
    /// The program stopped, and there is no file that keeps it.
    Stopped,
    /// It was kept for a gateway that there is no more.
    Removed,
    /// Its check is defined no more.
    Undefined,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GatewayLabel {
    gateway: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    gateway: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LossLabels {
    gateway: String,
    reason: &'static str,
}

/// Metrics and log lines. Clones count in the same place.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Metrics>);

#[derive(Debug, Default)]
struct Metrics {
    pushes: Family<OutcomeLabels, Counter>,
    pushed: Family<GatewayLabel, Counter>,
    superseded: Family<GatewayLabel, Counter>,
    deleted: Family<GatewayLabel, Counter>,
    not_deleted: Family<GatewayLabel, Counter>,
    dropped: Family<LossLabels, Counter>,
    pending: Family<GatewayLabel, Gauge>,
    bytes: Family<GatewayLabel, Gauge>,
    last: Family<GatewayLabel, Gauge>,
    unsaved: Gauge,
    save_failures: Counter,
    said: Mutex<HashSet<Said>>,
}

/// What has been logged and is not over.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Said {
    Away(String),
    Dropped(String, Loss),
    Refused(String, CheckKey),
    Untidy(String),
    Unsaved,
}

impl Loss {
    const ALL: [Self; 6] = [Self::Refused, Self::Room, Self::Checks, Self::Stopped, Self::Removed, Self::Undefined];

    fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Room => "room",
            Self::Checks => "checks",
            Self::Stopped => "stopped",
            Self::Removed => "removed",
            Self::Undefined => "undefined",
        }
    }
}

// === impl Events ===

impl Events {
    /// Registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let events = Self::default();
        let metrics = &events.0;
        let name = |name: &str| format!("pushgateway_agent_{name}");
        registry.register(name("pushes"), "Requests to gateways, by outcome", metrics.pushes.clone());
        registry.register(name("results_pushed"), "Results that a gateway has taken", metrics.pushed.clone());
        let help = "Results in whose place a newer one of the same check came before they were pushed";
        registry.register(name("results_superseded"), help, metrics.superseded.clone());
        let help = "Checks that were deleted from a gateway since they are defined no more";
        registry.register(name("checks_deleted"), help, metrics.deleted.clone());
        let help = "Tries to find or delete such checks that failed";
        registry.register(name("check_deletion_failures"), help, metrics.not_deleted.clone());
        registry.register(
            name("results_dropped"),
            "Results that are pushed no more, by reason",
            metrics.dropped.clone(),
        );
        registry.register(name("results_pending"), "Results that wait for a gateway", metrics.pending.clone());
        registry.register(name("results_pending_bytes"), "Their size in memory", metrics.bytes.clone());
        let help = "When a gateway took something last, in epoch seconds";
        registry.register(name("last_push_timestamp_seconds"), help, metrics.last.clone());
        let help = "Changes of what waits that are not in the queue's file yet";
        registry.register(name("queue_file_unsaved"), help, metrics.unsaved.clone());
        let help = "Tries to write the queue's file that failed";
        registry.register(name("queue_file_write_failures"), help, metrics.save_failures.clone());
        events
    }

    /// There is such a gateway. A counter that starts at its first event hides that event from `increase`.
    pub fn known(&self, gateway: &str) {
        let label = || GatewayLabel { gateway: gateway.to_owned() };
        for outcome in ["ok", "failed"] {
            drop(self.0.pushes.get_or_create(&OutcomeLabels { gateway: gateway.to_owned(), outcome }));
        }
        drop(self.0.pushed.get_or_create(&label()));
        drop(self.0.superseded.get_or_create(&label()));
        drop(self.0.deleted.get_or_create(&label()));
        drop(self.0.not_deleted.get_or_create(&label()));
        for loss in Loss::ALL {
            drop(self.losses(gateway, loss));
        }
        drop(self.0.pending.get_or_create(&label()));
    }

    /// What waits for the gateway has changed.
    pub fn waits(&self, gateway: &Gateway) {
        let label = GatewayLabel { gateway: gateway.name().to_owned() };
        self.0.pending.get_or_create(&label).set(number(gateway.queue().len()));
        self.0.bytes.get_or_create(&label).set(number(gateway.queue().bytes()));
    }

    /// The gateway has taken these results.
    pub fn pushed(&self, gateway: &str, results: &[Entry]) {
        self.outcome(gateway, "ok");
        let label = GatewayLabel { gateway: gateway.to_owned() };
        self.0.pushed.get_or_create(&label).inc_by(results.len() as u64);
        self.0.last.get_or_create(&label).set(Timestamp::now().as_second());
        if self.over(&Said::Away(gateway.to_owned())) {
            tracing::info!(gateway, "Pushing to {gateway} works again");
        }
        self.over(&Said::Dropped(gateway.to_owned(), Loss::Room));
        for entry in results {
            self.over(&Said::Refused(gateway.to_owned(), entry.key.clone()));
        }
    }

    /// A push could not be delivered and is tried again.
    pub fn failed(&self, gateway: &str, error: &str) {
        self.outcome(gateway, "failed");
        if self.first(Said::Away(gateway.to_owned())) {
            tracing::warn!(
                gateway,
                error,
                "Could not push to {gateway}: {error}; the newest result of each check is kept and tried again (said once)"
            );
        }
    }

    /// A newer result came before this one was pushed.
    pub fn superseded(&self, gateway: &str) {
        self.0.superseded.get_or_create(&GatewayLabel { gateway: gateway.to_owned() }).inc();
    }

    /// A result is lost to the gateway.
    pub fn dropped(&self, gateway: &str, loss: Loss, what: &str) {
        self.losses(gateway, loss).inc();
        if self.first(Said::Dropped(gateway.to_owned(), loss)) {
            tracing::error!(
                gateway,
                reason = loss.label(),
                "Dropped a result for {gateway}: {what} (said once; pushgateway_agent_results_dropped_total counts)"
            );
        }
    }

    /// The gateway finds fault with a result of this check. The next ones will be as bad, until it takes one.
    pub fn refused(&self, gateway: &str, key: &CheckKey, error: &str) {
        self.losses(gateway, Loss::Refused).inc();
        if self.first(Said::Refused(gateway.to_owned(), key.clone())) {
            let check = &key.check;
            tracing::error!(
                gateway,
                check,
                reason = Loss::Refused.label(),
                "Dropped a result for {gateway}: check {check}: it {error} (said once until it takes one of this check)"
            );
        }
    }

    /// These checks' results had to make room.
    pub fn no_room(&self, gateway: &Gateway, checks: &[CheckKey]) {
        for key in checks {
            let what = format!("check {}: more waits than --push.queue.bytes allows", key.check);
            self.dropped(gateway.name(), Loss::Room, &what);
        }
    }

    /// The program ends while so many results wait.
    pub fn left(&self, gateway: &str, results: usize, kept: bool) {
        match (results, kept) {
            (0, _) => {}
            (_, true) => {
                tracing::warn!(gateway, results, "Stopping with {results} results for {gateway} in the queue's file")
            }
            (_, false) => {
                self.losses(gateway, Loss::Stopped).inc_by(results as u64);
                tracing::error!(
                    gateway,
                    results,
                    "Stopping, {results} results for {gateway} are lost; --push.queue.file would keep them"
                );
            }
        }
    }

    /// So many results were kept for a gateway that there is no more.
    pub fn removed(&self, gateway: &str, results: usize) {
        self.losses(gateway, Loss::Removed).inc_by(results as u64);
        tracing::error!(
            gateway,
            results,
            "Dropped {results} results for {gateway}, to which nothing is pushed any more"
        );
    }

    /// So many results that waited are of checks that are defined no more.
    pub fn undefined(&self, gateway: &Gateway, results: usize) {
        if results > 0 {
            let name = gateway.name();
            self.losses(name, Loss::Undefined).inc_by(results as u64);
            tracing::info!(
                gateway = name,
                results,
                "Dropped {results} results for {name}: their checks are defined no more"
            );
        }
        self.waits(gateway);
    }

    /// Results of these checks expire at the gateways between two runs.
    pub fn short_ttl(&self, checks: &[&str], ttl: Duration) {
        let [first, ..] = checks else { return };
        let checks = checks.len();
        tracing::warn!(
            check = first,
            checks,
            "The check {first} (one of {checks}) runs no more often than --push.ttl={ttl:?}: \
             its results expire between two runs"
        );
    }

    /// A check that is defined no more was deleted.
    pub fn forgotten(&self, gateway: &str, check: &str) {
        self.0.deleted.get_or_create(&GatewayLabel { gateway: gateway.to_owned() }).inc();
        tracing::info!(gateway, check, "Deleted the check {check} from {gateway}: it is defined no more");
    }

    /// The gateway did what was asked of it about checks that are defined no more.
    pub fn tidied(&self, gateway: &str) {
        self.over(&Said::Untidy(gateway.to_owned()));
    }

    /// It did not, and is asked again.
    pub fn not_tidied(&self, gateway: &str, error: &str) {
        self.0.not_deleted.get_or_create(&GatewayLabel { gateway: gateway.to_owned() }).inc();
        if self.first(Said::Untidy(gateway.to_owned())) {
            tracing::warn!(
                gateway,
                error,
                "Could not delete from {gateway} what is defined no more: {error}; it is tried again (said once)"
            );
        }
    }

    /// The gateway cannot be rid of checks that are defined no more.
    pub fn left_behind(&self, gateway: &str, error: &str) {
        tracing::warn!(
            gateway,
            error,
            "Could not delete from {gateway} what is defined no more, it stays there: {error}"
        );
    }

    /// The gateway was to forget the results, at the stop.
    pub fn deleted(&self, gateway: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => tracing::info!(gateway, "Deleted the results from {gateway}"),
            Err(error) => {
                tracing::error!(
                    gateway,
                    error,
                    "Could not delete the results from {gateway}, they stay there: {error}"
                );
            }
        }
    }

    /// So many changes wait to be written to the queue's file.
    pub fn unsaved(&self, changes: usize) {
        self.0.unsaved.set(number(changes));
    }

    /// The queue's file was written.
    pub fn saved(&self) {
        if self.over(&Said::Unsaved) {
            tracing::info!("Writing the queue's file works again");
        }
    }

    /// The queue's file could not be written; it is tried again.
    pub fn not_saved(&self, error: &str) {
        self.0.save_failures.inc();
        if self.first(Said::Unsaved) {
            tracing::error!(
                error,
                "Could not write the queue's file, a crash would lose what waits: {error} (said once)"
            );
        }
    }

    fn outcome(&self, gateway: &str, outcome: &'static str) {
        self.0.pushes.get_or_create(&OutcomeLabels { gateway: gateway.to_owned(), outcome }).inc();
    }

    fn losses(&self, gateway: &str, loss: Loss) -> Counter {
        self.0.dropped.get_or_create_owned(&LossLabels { gateway: gateway.to_owned(), reason: loss.label() })
    }

    fn first(&self, what: Said) -> bool {
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        // Applications can push, and a gateway refuse, results of any name.
        (said.len() < MOST_SAID || !matches!(what, Said::Refused(..))) && said.insert(what)
    }

    fn over(&self, said: &Said) -> bool {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner).remove(said)
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    use super::*;

    /// Counts what is told.
    struct Told(Arc<Mutex<u32>>);

    impl<S: tracing::Subscriber> Layer<S> for Told {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn a_refusal_is_told_again_after_the_gateway_took_one_of_the_check() {
        let told = Arc::new(Mutex::new(0));
        let count = |what: &dyn Fn()| {
            let log = tracing_subscriber::registry().with(Told(Arc::clone(&told)));
            tracing::subscriber::with_default(log, what);
            std::mem::take(&mut *told.lock().unwrap())
        };
        let key = |check: &str| CheckKey { check: check.to_owned(), source: None };
        let events = Events::default();
        let refuse = |check: &str| count(&|| events.refused("g", &key(check), "answered 400"));
        let push = |check: &str| events.pushed("g", &[Entry { number: 0, key: key(check), payload: "".into() }]);
        assert_eq!([refuse("a"), refuse("a"), refuse("b")], [1, 0, 1]);
        push("a");
        assert_eq!([refuse("a"), refuse("b")], [1, 0]);
        (0..MOST_SAID).for_each(|check| events.refused("g", &key(&format!("check-{check}")), ""));
        assert_eq!(events.0.said.lock().unwrap().len(), MOST_SAID, "what is remembered is bounded");
    }
}
