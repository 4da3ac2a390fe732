//! What the server knew of checks, in Alertmanager's words: who is told, how often, and when not.

use std::collections::BTreeMap;

use check_result::Object;
use serde_json::Value;

use super::alertmanager::{InhibitRule, equal};
use super::handlers::texts;
use super::installation::Installation;
use super::windows::{TimeInterval, TimeIntervals, intervals};

/// After how many seconds Sensu's `occurrences` filter told a problem again, where the check does not say it.
pub(super) const REFRESH: u64 = 1800;

/// Where alerts go of checks that name no handler.
const DEFAULT_HANDLER: &str = "default";

/// One check's word on its alerts.
#[derive(Clone, Debug)]
pub(super) struct Check {
    /// The key that it stands under.
    pub(super) key: String,
    /// The label `check` of its alerts.
    pub(super) label: String,
    /// In seconds, 60 for a cron check.
    pub(super) interval: u64,
    pub(super) refresh: Option<u64>,
    /// At least one: Sensu's default is `default`.
    pub(super) handlers: Vec<String>,
    /// `handle: false`.
    pub(super) is_unhandled: bool,
    pub(super) contacts: Vec<String>,
    /// The name of its time intervals, where it is subdued.
    pub(super) subdue: Option<String>,
    pub(super) dependencies: Vec<String>,
    pub(super) ttl_status: Option<i64>,
    pub(super) aggregates: Vec<String>,
}

/// All checks, and the times at which some are not told of.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) all: Vec<Check>,
    pub(super) intervals: Vec<TimeIntervals>,
    /// Windows that cannot be said, by the check's key.
    pub(super) left_out: BTreeMap<String, Vec<String>>,
}

// === impl Checks ===

impl Checks {
    pub(super) fn of(installation: &Installation) -> Self {
        let mut checks = Self::default();
        for (key, definition) in installation.objects("checks") {
            let mut check = Check::of(key, definition);
            if let Some(windows) = definition.get("subdue").filter(|windows| windows.is_object()) {
                let (intervals, left_out) = intervals(windows);
                check.subdue = checks.named(key, intervals);
                if !left_out.is_empty() {
                    checks.left_out.insert(key.to_owned(), left_out);
                }
            }
            checks.all.push(check);
        }
        checks
    }

    /// The name of these intervals: that of the first check that has them.
    fn named(&mut self, key: &str, time_intervals: Vec<TimeInterval>) -> Option<String> {
        if time_intervals.is_empty() {
            return None;
        }
        if let Some(known) = self.intervals.iter().find(|known| known.time_intervals == time_intervals) {
            return Some(known.name.clone());
        }
        let name = format!("subdue-{key}");
        self.intervals.push(TimeIntervals { name: name.clone(), time_intervals });
        Some(name)
    }

    /// An alert of a check says nothing while one of its dependencies has a problem (sensu-extensions-check-dependencies): `CHECK` of the same
    /// client, or `CLIENT/CHECK`.
    pub(super) fn inhibit_rules(&self) -> Vec<InhibitRule> {
        let mut rules = Vec::new();
        for check in &self.all {
            for dependency in &check.dependencies {
                let rule = inhibit_rule(&check.label, dependency);
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
        }
        rules
    }
}

fn inhibit_rule(check: &str, dependency: &str) -> InhibitRule {
    let (client, needed) = match dependency.split_once('/') {
        Some((client, needed)) => (Some(client), needed),
        None => (None, dependency),
    };
    let mut source_matchers = match needed {
        "keepalive" => vec![equal("alertname", "NodeDown")],
        _ => vec!["alertname =~ \"Check(Warning|Critical|Unknown)\"".to_owned(), equal("check", needed)],
    };
    source_matchers.extend(client.map(|client| equal("instance", client)));
    let target_matchers = vec![equal("check", check)];
    let equal = match (client, needed) {
        (Some(_), _) => vec![],
        // NodeDown knows no proxy clients.
        (None, "keepalive") => vec!["instance"],
        (None, _) => vec!["instance", "source"],
    };
    InhibitRule { source_matchers, target_matchers, equal }
}

// === impl Check ===

impl Check {
    fn of(key: &str, definition: &Object) -> Self {
        let name = definition.get("name").and_then(Value::as_str).unwrap_or(key);
        let seconds =
            |name: &str| definition.get(name).and_then(Value::as_f64).filter(|seconds| *seconds > 0.0).map(whole);
        let list = |plural: &str, single: &str| {
            let single = definition.get(single).and_then(Value::as_str);
            let list: Vec<_> = texts(definition.get(plural)).map(str::to_owned).collect();
            if list.is_empty() { single.map(str::to_owned).into_iter().collect() } else { list }
        };
        let handlers: Vec<String> = list("handlers", "handler");
        Self {
            key: key.to_owned(),
            label: name.to_owned(),
            interval: seconds("interval").unwrap_or(60),
            refresh: seconds("refresh"),
            handlers: if handlers.is_empty() { vec![DEFAULT_HANDLER.to_owned()] } else { handlers },
            is_unhandled: definition.get("handle") == Some(&Value::Bool(false)),
            contacts: list("contacts", "contact"),
            subdue: None,
            dependencies: texts(definition.get("dependencies")).map(str::to_owned).collect(),
            ttl_status: definition.get("ttl").and(definition.get("ttl_status")).and_then(Value::as_i64),
            aggregates: list("aggregates", "aggregate"),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of a positive number; beyond u64 it saturates"
)]
fn whole(seconds: f64) -> u64 {
    seconds.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_of_the_same_client_or_of_a_named_one() {
        let rule = inhibit_rule("app", "db");
        assert_eq!(rule.source_matchers, ["alertname =~ \"Check(Warning|Critical|Unknown)\"", "check = \"db\""]);
        assert_eq!(
            (&*rule.target_matchers, &*rule.equal),
            (&["check = \"app\"".to_owned()][..], &["instance", "source"][..])
        );
        let rule = inhibit_rule("app", "db-1/keepalive");
        assert_eq!(rule.source_matchers, ["alertname = \"NodeDown\"", "instance = \"db-1\""]);
        assert!(rule.equal.is_empty());
    }
}
