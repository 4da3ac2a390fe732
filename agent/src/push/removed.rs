//! Checks that are defined no more: no gateway shall show them, and alert on them, for ever.
//!
//! What a reload removes is deleted from every gateway. What was removed while the agent did not run is found by asking the gateway, once
//! after the start, which checks of this client it has; a plain Pushgateway is not asked, since it would answer with all that everybody
//! has pushed. Results that applications push have no definition: they are told from those of runs by having no command, and stay.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use check_result::{CheckKey, CheckResult};
use serde::Deserialize;
use tokio::sync::Notify;

use super::config::Kind;
use super::queue::Entry;

/// A check as a gateway lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    check: String,
    source: Option<String>,
    client: String,
    has_command: bool,
}

/// The checks that run here.
#[derive(Debug)]
pub struct Defined {
    client: String,
    checks: Mutex<Checks>,
}

#[derive(Debug)]
struct Checks {
    defined: HashSet<CheckKey>,
    /// Those that a reload has removed: a run that was under way then may end later.
    removed: HashSet<CheckKey>,
}

/// What is still to be done at one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// To ask which checks it has.
    Ask,
    /// To delete one.
    Delete(CheckKey),
}

/// What one gateway has that it should not have.
#[derive(Debug)]
pub struct Leftovers {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    ask: bool,
    checks: BTreeSet<CheckKey>,
}

// === impl Defined ===

impl Defined {
    /// The checks of a client.
    pub fn new(client: &str, checks: HashSet<CheckKey>) -> Self {
        let checks = Mutex::new(Checks { defined: checks, removed: HashSet::new() });
        Self { client: client.to_owned(), checks }
    }

    /// Takes the checks of another configuration, and says which ones are gone.
    pub fn replace(&self, new: HashSet<CheckKey>) -> Vec<CheckKey> {
        let mut checks = self.checks();
        let old = std::mem::replace(&mut checks.defined, new);
        let gone: Vec<_> = old.into_iter().filter(|key| !checks.defined.contains(key)).collect();
        checks.removed.extend(gone.iter().cloned());
        let Checks { defined, removed } = &mut *checks;
        removed.retain(|key| !defined.contains(key));
        gone
    }

    /// Whether this is the result of a run whose check a reload has removed meanwhile.
    pub fn is_late(&self, result: &CheckResult) -> bool {
        result.check().contains_key("command") && self.checks().removed.contains(&result.key())
    }

    /// Whether what waits is of a check that is defined no more. Of metrics that cannot be told.
    pub fn is_outdated(&self, kind: Kind, entry: &Entry) -> bool {
        let is_of_a_run = || {
            let payload = serde_json::from_slice::<serde_json::Value>(&entry.payload);
            payload.is_ok_and(|payload| payload["check"].get("command").is_some())
        };
        kind == Kind::Results && !self.checks().defined.contains(&entry.key) && is_of_a_run()
    }

    /// The checks among those of a gateway that are this client's, and defined no more.
    pub fn outdated(&self, listed: Vec<Listed>) -> Vec<CheckKey> {
        let checks = self.checks();
        let own = listed.into_iter().filter(|listed| listed.has_command && listed.client == self.client);
        let keys = own.map(|Listed { check, source, .. }| CheckKey { check, source });
        keys.filter(|key| !checks.defined.contains(key)).collect()
    }

    fn checks(&self) -> MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Leftovers ===

impl Leftovers {
    /// Nothing yet, but the gateway may be to be asked.
    pub fn new(ask: bool) -> Self {
        Self { state: Mutex::new(State { ask, checks: BTreeSet::new() }), changed: Notify::new() }
    }

    /// These are to be deleted.
    pub fn add(&self, checks: impl IntoIterator<Item = CheckKey>) {
        self.state().checks.extend(checks);
        self.changed.notify_one();
    }

    /// This one is to stay, for there is a new result of it.
    pub fn keep(&self, check: &CheckKey) {
        self.state().checks.remove(check);
    }

    /// What is to be done next. Who stops asks no more: the next start does.
    pub fn next(&self, stopping: bool) -> Option<Task> {
        let state = self.state();
        if state.ask && !stopping {
            return Some(Task::Ask);
        }
        state.checks.first().cloned().map(Task::Delete)
    }

    /// It is done.
    pub fn done(&self, task: &Task) {
        match task {
            Task::Ask => self.state().ask = false,
            Task::Delete(check) => self.keep(check),
        }
    }

    /// Waits until there is something to be done.
    pub async fn wanted(&self, stopping: bool) {
        while self.next(stopping).is_none() {
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(check: &str) -> CheckKey {
        CheckKey { check: check.to_owned(), source: None }
    }

    fn result(check: serde_json::Value) -> CheckResult {
        CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap()
    }

    #[test]
    fn what_a_reload_removes_is_late_until_it_is_defined_again() {
        let defined = Defined::new("web-1", HashSet::from([key("disk"), key("load")]));
        let run = result(json!({"name": "disk", "command": "true", "output": "", "status": 0}));
        let application = result(json!({"name": "disk", "output": "", "status": 0}));
        assert!(!defined.is_late(&run));
        assert_eq!(defined.replace(HashSet::from([key("load")])), [key("disk")]);
        assert!(defined.is_late(&run) && !defined.is_late(&application));
        assert_eq!(defined.replace(HashSet::from([key("disk"), key("load")])), []);
        assert!(!defined.is_late(&run));
    }

    #[test]
    fn of_what_a_gateway_has_the_own_runs_are_outdated() {
        let defined = Defined::new("web-1", HashSet::from([key("disk")]));
        let listed = json!([
            {"check": "disk", "client": "web-1", "has_command": true},
            {"check": "load", "client": "web-1", "has_command": true},
            {"check": "load", "client": "web-2", "has_command": true},
            {"check": "backup", "client": "web-1", "has_command": false},
            {"check": "disk", "source": "router", "client": "web-1", "has_command": true},
        ]);
        let router = CheckKey { check: "disk".to_owned(), source: Some("router".to_owned()) };
        assert_eq!(defined.outdated(serde_json::from_value(listed).unwrap()), [key("load"), router]);
        let entry = |payload: &'static str| Entry { number: 0, key: key("load"), payload: payload.into() };
        for (kind, payload, outdated) in [
            (Kind::Results, r#"{"client":"web-1","check":{"name":"load","command":"x"}}"#, true),
            (Kind::Results, r#"{"client":"web-1","check":{"name":"load"}}"#, false),
            (Kind::Metrics, "m 1\n", false),
        ] {
            assert_eq!(defined.is_outdated(kind, &entry(payload)), outdated, "{payload}");
        }
    }

    #[test]
    fn a_new_result_takes_back_a_deletion_and_who_stops_asks_no_more() {
        let leftovers = Leftovers::new(true);
        leftovers.add([key("b"), key("a")]);
        assert_eq!(leftovers.next(false), Some(Task::Ask));
        assert_eq!(leftovers.next(true), Some(Task::Delete(key("a"))));
        leftovers.keep(&key("a"));
        leftovers.done(&Task::Ask);
        assert_eq!(leftovers.next(false), Some(Task::Delete(key("b"))));
        leftovers.done(&Task::Delete(key("b")));
        assert_eq!(leftovers.next(false), None);
    }
}
