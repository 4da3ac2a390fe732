//! What the agent knows: the state of every check, fed by log lines, read by scrapes and the detail API.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use check_result::api::{Checks, Entry, Filter, Labels, Unavailable};
use check_result::log::{Line, LoggedResult, read_line};
use check_result::{CheckKey, CheckResult, CheckState, HistoryLimits, Object};
use jiff::Timestamp;

use crate::events::Events;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Checks known at a time, those of proxy clients included; results of others are dropped and counted.
    pub checks: usize,
    /// Seconds without a result after which a check is taken for removed. Three of its intervals, where those are longer.
    pub forget_after: i64,
    /// How much of each check's past is kept.
    pub history: HistoryLimits,
}

/// The states of all checks. Shared; every read is a snapshot.
#[derive(Debug)]
pub struct Store {
    known: RwLock<Known>,
    limits: Limits,
    events: Events,
}

#[derive(Debug, Default)]
struct Known {
    checks: BTreeMap<CheckKey, Arc<CheckState>>,
    /// By the client's name. A log has one client, a few where several logs are followed.
    clients: HashMap<String, Arc<Object>>,
}

/// Names of clients whose attributes are kept. More than a few mean that somebody writes names into the log.
const MAX_CLIENTS: usize = 100;

// === impl Store ===

impl Store {
    /// An empty store.
    pub fn new(limits: Limits, events: Events) -> Self {
        Self { known: RwLock::default(), limits, events }
    }

    /// Takes one line of a log, whatever it is.
    pub fn take(&self, line: &[u8]) {
        match read_line(line) {
            Line::Result(logged) => self.take_result(logged),
            Line::ClientAttributes(client) => self.take_client(client),
            Line::Other => self.events.line_other(),
            Line::Invalid(reason) => self.events.line_invalid(&reason),
        }
    }

    /// Drops the checks that had no result for so long that their definition must be gone.
    pub fn forget_removed(&self, now: Timestamp) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.checks.retain(|key, state| {
            let keep = !self.is_removed(state, now);
            if !keep {
                self.events.check_forgotten(key);
            }
            keep
        });
        self.events.checks_known(known.checks.len());
    }

    /// The states at this moment, in the order of their keys.
    pub fn snapshot(&self) -> Vec<Arc<CheckState>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).checks.values().cloned().collect()
    }

    fn take_result(&self, logged: LoggedResult) {
        let key = logged.result.key();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = known.checks.get_mut(&key) {
            self.events.line_result(logged.logged);
            Arc::make_mut(state).apply(logged, &self.limits.history);
        } else if known.checks.len() < self.limits.checks {
            self.events.line_result(logged.logged);
            known.checks.insert(key, Arc::new(CheckState::new(logged, &self.limits.history)));
            self.events.checks_known(known.checks.len());
        } else {
            self.events.check_over_limit(&key, self.limits.checks);
        }
    }

    fn take_client(&self, client: Object) {
        self.events.line_client();
        let Some(name) = client.get("name").and_then(|name| name.as_str()).map(str::to_owned) else { return };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.clients.len() < MAX_CLIENTS || known.clients.contains_key(&name) {
            known.clients.insert(name, Arc::new(client));
        }
    }

    fn is_removed(&self, state: &CheckState, now: Timestamp) -> bool {
        let result = state.latest();
        // When a `cron` check runs next cannot be told from its result; it stays.
        if result.check().contains_key("cron") {
            return false;
        }
        let intervals = result.interval().map_or(0, |interval| (interval * 3.0) as i64);
        now.as_second() - state.logged().as_second() > self.limits.forget_after.max(intervals)
    }
}

impl Checks for Store {
    async fn find(&self, filter: &Filter) -> Result<Vec<Entry>, Unavailable> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let entry = |state: &Arc<CheckState>| {
            let result = state.latest();
            let labels = labels(result);
            filter.matches(&labels, state.status()).then(|| Entry {
                labels,
                state: Arc::clone(state),
                client_attributes: known.clients.get(result.client()).cloned(),
            })
        };
        Ok(known.checks.values().filter_map(entry).collect())
    }
}

fn labels(result: &CheckResult) -> Labels {
    let source = result.source().map(|source| ("source", source));
    [("check", result.name())]
        .into_iter()
        .chain(source)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { checks: 2, forget_after: 100, history: HISTORY };
    const HISTORY: HistoryLimits =
        HistoryLimits { results: 3, changes: 3, output_bytes: 100, latest_output_bytes: 100 };

    fn store() -> Store {
        Store::new(LIMITS, Events::unregistered())
    }

    fn line(name: &str, more: &str) -> String {
        format!(
            r#"{{"timestamp":"2026-11-21T00:00:00.000000+0000","level":"info","message":"publishing check result","payload":{{"client":"web-1","check":{{"name":"{name}",{more}"output":"x","status":1}}}}}}"#
        )
    }

    fn names(store: &Store) -> Vec<String> {
        store.snapshot().iter().map(|state| state.latest().name().to_owned()).collect()
    }

    #[test]
    fn results_over_the_limit_of_checks_are_dropped_and_known_checks_go_on() {
        let store = store();
        for name in ["b", "a", "c", "a"] {
            store.take(line(name, "").as_bytes());
        }
        assert_eq!(names(&store), ["a", "b"]);
        assert_eq!(store.snapshot()[0].occurrences(), 2);
    }

    #[test]
    fn a_check_without_results_is_forgotten_unless_its_schedule_explains_it() {
        let store = Store::new(Limits { checks: 9, ..LIMITS }, Events::unregistered());
        for (name, more) in [("plain", ""), ("hourly", r#""interval":3600,"#), ("cron", r#""cron":"@monthly","#)] {
            store.take(line(name, more).as_bytes());
        }
        let logged: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        store.forget_removed(logged + jiff::SignedDuration::from_secs(100));
        assert_eq!(names(&store), ["cron", "hourly", "plain"]);
        store.forget_removed(logged + jiff::SignedDuration::from_secs(101));
        assert_eq!(names(&store), ["cron", "hourly"]);
        store.forget_removed(logged + jiff::SignedDuration::from_secs(3 * 3600 + 1));
        assert_eq!(names(&store), ["cron"]);
    }

    #[tokio::test]
    async fn an_entry_carries_its_clients_attributes() {
        let store = store();
        store.take(br#"{"timestamp":"x","message":"applied sensu client overrides","client":{"name":"web-1","address":"10.0.0.1"}}"#);
        store.take(line("a", r#""source":"router-a","#).as_bytes());
        let found = store.find(&Filter::default()).await.unwrap();
        assert_eq!(found[0].labels["source"], "router-a");
        assert_eq!(found[0].client_attributes.as_ref().unwrap()["address"], "10.0.0.1");
    }
}
