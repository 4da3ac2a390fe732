//! What the agent knows: the state of every check, fed by the [`intake`](crate::intake), read by scrapes and the detail API.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use check_result::api::{Checks, Entry, Filter, Labels, Unavailable};
use check_result::{CheckKey, CheckResult, CheckState, HistoryLimits, Object, Status};
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
    checks: BTreeMap<CheckKey, Tracked>,
    /// By the client's name. A log has one client, a few where several logs are followed.
    clients: HashMap<String, Arc<Object>>,
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

// === impl Limits ===

impl Limits {
    /// Seconds after which a check that is silent is taken for removed.
    pub(crate) fn silence(&self, latest: &CheckResult) -> i64 {
        let intervals = latest.interval().map_or(0, |interval| (interval * 3.0) as i64);
        self.forget_after.max(intervals)
    }
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

    /// Drops the checks that had no result for so long that their definition must be gone, and those that are `undefined`.
    pub fn forget(&self, now: Timestamp, undefined: impl Fn(&Tracked) -> bool) {
        let mut known = self.write();
        known.checks.retain(|key, tracked| {
            if undefined(tracked) {
                self.events.check_undefined(key);
                return false;
            }
            let keep = !self.is_removed(&tracked.state, now);
            if !keep {
                self.events.check_forgotten(key);
            }
            keep
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

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has been silent for so long that it is taken for removed. Its series end then, and with them its alerts, which
    /// tells people that the problem is over: so only a check that is OK is, and one whose silence nothing else explains or tells
    /// (`cron`: when it runs next is not in its result; `ttl`: CheckStale).
    fn is_removed(&self, state: &CheckState, now: Timestamp) -> bool {
        let result = state.latest();
        if state.status() != Status::Ok || result.ttl().is_some() || result.check().contains_key("cron") {
            return false;
        }
        now.as_second() - state.logged().as_second() > self.limits.silence(result)
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

    pub(crate) const LIMITS: Limits = Limits { checks: 2, forget_after: 1_000_000, history: HISTORY };
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

    fn tracked(line: &str) -> (CheckKey, Tracked) {
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
    fn a_silent_check_is_forgotten_unless_it_fails_or_its_silence_is_explained_or_told() {
        let (hourly, cron, ttl) = (r#""interval":3600,"#, r#""cron":"@monthly","#, r#""ttl":60,"#);
        let store = store(&[("plain", ""), ("hourly", hourly), ("cron", cron), ("stale", ttl), ("failing", "")]);
        store.forget(at(100), |_| false);
        assert_eq!(names(&store), ["cron", "failing", "hourly", "plain", "stale"]);
        store.forget(at(101), |_| false);
        assert_eq!(names(&store), ["cron", "failing", "hourly", "stale"]);
        store.forget(at(3 * 3600 + 1), |_| false);
        assert_eq!(names(&store), ["cron", "failing", "stale"]);
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
