//! What the agent knows: the state of every check, fed by the [`intake`](crate::intake), read by scrapes and the detail API.

mod definitions;
mod outputs;
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
    /// Bytes of output kept of all checks together.
    pub output_bytes: usize,
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
    /// What the outputs of all checks hold.
    output_bytes: usize,
    /// What their definitions do.
    definition_bytes: usize,
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

    /// Puts new states in the place of old ones. Where all definitions together hold too much, the largest are dropped; where all
    /// outputs do, the longest are cut.
    pub fn publish(&self, checks: Vec<(CheckKey, Tracked)>) {
        let mut known = self.write();
        for (key, tracked) in checks {
            known.put(key, tracked);
        }
        let most = definitions::most(known.checks.len());
        if known.definition_bytes > most {
            definitions::drop_largest(&mut known.checks, most, |key| self.events.definition_dropped(key, most));
            known.weigh();
        }
        let most = self.limits.output_bytes;
        if known.output_bytes > most {
            // A bit more than has to be, so that it is not each time one comes.
            let (longest, cut) = outputs::cut(&mut known.checks, most / 4 * 3, &self.limits.history);
            known.weigh();
            self.events.outputs_cut(cut, longest, most);
        }
        self.events.checks_known(known.checks.len(), known.output_bytes, known.definition_bytes);
    }

    /// Drops the checks that are `gone`.
    pub fn forget(&self, gone: impl Fn(&Tracked) -> Option<Gone>) {
        let Known { checks, output_bytes, definition_bytes, .. } = &mut *self.write();
        checks.retain(|key, tracked| {
            let gone = gone(tracked);
            if let Some(why) = gone {
                self.events.check_forgotten(key, why);
                *output_bytes -= tracked.output_bytes();
                *definition_bytes -= tracked.definition_bytes();
            }
            gone.is_none()
        });
        self.events.checks_known(checks.len(), *output_bytes, *definition_bytes);
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

// === impl Known ===

impl Known {
    fn put(&mut self, key: CheckKey, tracked: Tracked) {
        self.output_bytes += tracked.output_bytes();
        self.definition_bytes += tracked.definition_bytes();
        if let Some(old) = self.checks.insert(key, tracked) {
            self.output_bytes -= old.output_bytes();
            self.definition_bytes -= old.definition_bytes();
        }
    }

    fn weigh(&mut self) {
        self.output_bytes = self.checks.values().map(Tracked::output_bytes).sum();
        self.definition_bytes = self.checks.values().map(Tracked::definition_bytes).sum();
    }
}

// === impl Tracked ===

impl Tracked {
    fn output_bytes(&self) -> usize {
        self.state.output_bytes(usize::MAX)
    }

    /// Bytes of memory that its definition takes, about.
    pub(crate) fn definition_bytes(&self) -> usize {
        self.state.definition_bytes()
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
                expiry: None,
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
    use prometheus_client::registry::Registry;

    use super::*;

    pub(crate) const LIMITS: Limits =
        Limits { checks: 2, forget_after: 1_000_000, forget_any_after: None, history: HISTORY, output_bytes: 1000 };
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
        tracked_within(line, &HISTORY)
    }

    fn tracked_within(line: &str, limits: &HistoryLimits) -> (CheckKey, Tracked) {
        let Line::Result(logged) = read_line(line.as_bytes()) else { panic!("no result: {line}") };
        let (key, alive) = (logged.result.key(), logged.logged);
        let state = Arc::new(CheckState::new(logged, limits));
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
    fn the_longest_outputs_give_way_where_all_together_are_too_long() {
        let mut registry = Registry::default();
        let history = HistoryLimits { latest_output_bytes: 10_000, ..HISTORY };
        let limits = Limits { checks: 9, output_bytes: 4_000, history, ..LIMITS };
        let store = Store::new(limits, Events::new(&mut registry));
        let long = |length: usize| {
            let output = format!("\"{}\"", "x".repeat(length));
            tracked_within(&line("long", 0, "", 2).replace("\"x\"", &output), &history)
        };
        let others = ["a", "b", "c"].map(|name| tracked(&line(name, 0, "", 0)));
        store.publish(others.into_iter().chain([long(3_500)]).collect());
        let shown = |registry: &Registry, names: [&str; 2]| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
            let value =
                |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<usize>().ok());
            names.map(|name| value(&format!("checkscript_agent_{name}")).unwrap())
        };
        let (held, cut) = ("output_bytes", "outputs_cut_total");
        // The history has 100 bytes of the long one, and what says that it was cut.
        let [before, none] = shown(&registry, [held, cut]);
        assert_eq!((before, none), (3_500 + 100 + "\n[output cut: 100 of 3500 bytes kept]\n".len() + 6, 0));
        store.publish(vec![long(5_000)]);
        let long = store.snapshot().into_iter().find(|state| state.latest().name() == "long").unwrap();
        let output = long.latest().output();
        assert!(output.ends_with("x\n[output cut: 2500 of 5000 bytes kept]\n"), "{output}");
        let [after, one] = shown(&registry, [held, cut]);
        assert_eq!((after, one), (store.snapshot().iter().map(|state| state.output_bytes(usize::MAX)).sum(), 1));
        assert_eq!(store.snapshot()[0].latest().output(), "x");
        store.forget(|_| Some(Gone::Silent));
        assert_eq!(shown(&registry, [held, cut]), [0, 1]);
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
