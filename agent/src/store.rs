//! What the agent knows: the state of every check, fed by the [`intake`](crate::intake), read by scrapes and the detail API.

mod restore;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use check_result::api::{Checks, Entry, Filter, Labels, Unavailable};
use check_result::{CheckKey, CheckResult, CheckState, HistoryLimits, Object};
use jiff::Timestamp;

use crate::events::Events;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Checks known at a time, those of proxy clients included; results of others are dropped and counted.
    pub checks: usize,
    /// Seconds without a result, while its log was written to, after which a check that is OK is taken for removed. Three of
    /// its intervals, where those are longer.
    pub forget_after: i64,
    /// The same for any check; none: never.
    pub forget_any_after: Option<i64>,
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
    checks: BTreeMap<CheckKey, Tracked>,
    /// By the client's name. A log has one client, a few where several logs are followed.
    clients: HashMap<String, Arc<Object>>,
}

/// Why a check is taken for removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It has had no results for too long.
    Silent,
    /// It did not run after its client's restart.
    Undefined,
}

/// A check and where it comes from.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// Its state.
    pub state: Arc<CheckState>,
    /// The log that its last result was in.
    pub log: Arc<Path>,
    /// When the log last told that its definition exists: by a result, or by a run that did not take place.
    pub alive: Timestamp,
}

// === impl Store ===

impl Store {
    /// An empty store.
    pub fn new(limits: Limits, events: Events) -> Self {
        Self { known: RwLock::default(), limits, events }
    }

    /// How much is kept.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Puts new states in the place of old ones.
    pub fn publish(&self, checks: Vec<(CheckKey, Tracked)>) {
        let mut known = self.write();
        known.checks.extend(checks);
        self.events.checks_known(known.checks.len());
    }

    /// Drops the checks that are `gone`.
    pub fn forget(&self, gone: impl Fn(&Tracked) -> Option<Gone>) {
        let mut known = self.write();
        known.checks.retain(|key, tracked| {
            let gone = gone(tracked);
            if let Some(why) = gone {
                self.events.check_forgotten(key, why);
            }
            gone.is_none()
        });
        self.events.checks_known(known.checks.len());
    }

    /// The states at this moment, in the order of their keys.
    pub fn snapshot(&self) -> Vec<Arc<CheckState>> {
        self.read().checks.values().map(|tracked| Arc::clone(&tracked.state)).collect()
    }

    /// The checks at this moment, in the order of their keys.
    pub fn all_tracked(&self) -> Vec<Tracked> {
        self.read().checks.values().cloned().collect()
    }

    /// The check of this key.
    pub fn tracked(&self, key: &CheckKey) -> Option<Tracked> {
        self.read().checks.get(key).cloned()
    }

    /// How many checks are known.
    pub fn count(&self) -> usize {
        self.read().checks.len()
    }

    /// What is known of the client `name`.
    pub fn client(&self, name: &str) -> Option<Arc<Object>> {
        self.read().clients.get(name).cloned()
    }

    /// Notes what a client said of itself.
    pub fn set_client(&self, name: String, attributes: impl Into<Arc<Object>>) {
        self.write().clients.insert(name, attributes.into());
    }

    /// Drops what is known of the client `name`.
    pub fn drop_client(&self, name: &str) {
        self.write().clients.remove(name);
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checks for Store {
    async fn find(&self, filter: &Filter) -> Result<Vec<Entry>, Unavailable> {
        let known = self.read();
        let entry = |Tracked { state, .. }: &Tracked| {
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

    fn labels(&self) -> Option<&'static [&'static str]> {
        Some(&["check", "source"])
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
pub(crate) mod tests {
    use check_result::log::{Line, read_line};

    use super::*;

    pub(crate) const LIMITS: Limits =
        Limits { checks: 2, forget_after: 1_000_000, forget_any_after: None, history: HISTORY };
    const HISTORY: HistoryLimits =
        HistoryLimits { results: 3, changes: 3, output_bytes: 100, latest_output_bytes: 100 };

    pub(crate) fn at(second: i64) -> Timestamp {
        let midnight: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        midnight + jiff::SignedDuration::from_secs(second)
    }

    pub(crate) fn line(name: &str, second: i64, more: &str, status: i64) -> String {
        let stamp = at(second);
        format!(
            r#"{{"timestamp":"{stamp}","level":"info","message":"publishing check result","payload":{{"client":"web-1","check":{{"name":"{name}",{more}"output":"x","status":{status}}}}}}}"#
        )
    }

    pub(crate) fn names(store: &Store) -> Vec<String> {
        store.snapshot().iter().map(|state| state.latest().name().to_owned()).collect()
    }

    pub(super) fn tracked(line: &str) -> (CheckKey, Tracked) {
        let Line::Result(logged) = read_line(line.as_bytes()) else { panic!("no result: {line}") };
        let (key, alive) = (logged.result.key(), logged.logged);
        let state = Arc::new(CheckState::new(logged, &HISTORY));
        (key, Tracked { state, log: Arc::from(Path::new("log")), alive })
    }

    fn store(checks: &[(&str, &str)]) -> Store {
        let store = Store::new(Limits { forget_after: 100, ..LIMITS }, Events::unregistered());
        store.publish(
            checks.iter().map(|(name, more)| tracked(&line(name, 0, more, i64::from(*name == "failing")))).collect(),
        );
        store
    }

    #[test]
    fn what_is_gone_is_dropped() {
        let store = store(&[("a", ""), ("b", "")]);
        store.forget(|tracked| (tracked.state.latest().name() == "a").then_some(Gone::Silent));
        assert_eq!(names(&store), ["b"]);
    }

    #[tokio::test]
    async fn an_entry_carries_its_clients_attributes() {
        let store = store(&[("a", r#""source":"router-a","#)]);
        let client = serde_json::json!({"name": "web-1", "address": "10.0.0.1"});
        store.set_client("web-1".to_owned(), client.as_object().unwrap().clone());
        let found = store.find(&Filter::default()).await.unwrap();
        assert_eq!(found[0].labels["source"], "router-a");
        assert_eq!(found[0].client_attributes.as_ref().unwrap()["address"], "10.0.0.1");
    }
}
