//! What was saved, fitted to the flags of now.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use check_result::Status;

use super::{Store, Tracked};
use crate::select::Select;
use crate::state_file::SavedCheck;

impl Store {
    /// Takes the checks that `select` takes, as many as the limit allows: those that are not OK first, then those that were heard
    /// of last. The others are dropped and counted.
    pub(crate) fn restore(&self, mut checks: Vec<SavedCheck>, select: &Select) {
        checks.retain(|check| select.takes(check.state.latest().name()));
        if checks.len() > self.limits.checks {
            checks.sort_by_key(|check| (check.state.status() == Status::Ok, Reverse(check.alive)));
            for check in checks.drain(self.limits.checks..) {
                self.events.check_over_limit(&check.state.latest().key(), self.limits.checks);
            }
        }
        let mut logs: BTreeMap<String, Arc<Path>> = BTreeMap::new();
        let tracked = checks.into_iter().map(|SavedCheck { log, alive, mut state }| {
            Arc::make_mut(&mut state).bound(&self.limits.history);
            let log = Arc::clone(logs.entry(log).or_insert_with_key(|log| Arc::from(Path::new(log))));
            (state.latest().key(), Tracked { state, log, alive })
        });
        self.publish(tracked.collect());
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::super::Limits;
    use super::super::tests::{LIMITS, line, names, tracked};
    use super::*;
    use crate::events::Events;

    #[test]
    fn of_too_many_checks_the_failing_ones_and_the_newest_are_kept() {
        let mut registry = Registry::default();
        let store = Store::new(Limits { checks: 3, ..LIMITS }, Events::new(&mut registry));
        let checks = [("a", 1, 0), ("b", 9, 0), ("c", 2, 0), ("x", 8, 1), ("y", 1, 2), ("z", 1, 2)];
        let saved = checks.map(|(name, second, status)| {
            let (_, Tracked { state, alive, .. }) = tracked(&line(name, second, "", status));
            SavedCheck { log: "log".to_owned(), alive, state }
        });
        store.restore(saved.into(), &Select::for_tests(None, Some("z"), &[]));
        assert_eq!(names(&store), ["b", "x", "y"]);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("checkscript_agent_results_dropped_total 2\n"), "{text}");
    }
}
