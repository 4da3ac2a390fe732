//! The states of checks whose metrics are made here, for gateways that take nothing else.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use check_result::log::LoggedResult;
use check_result::{CheckKey, CheckResult, CheckState, HistoryLimits, metrics};
use exposition::Format;
use jiff::Timestamp;

/// Of a check's past the metrics need but the statuses.
const NO_OUTPUTS: HistoryLimits = HistoryLimits { results: 0, changes: 0, output_bytes: 0, latest_output_bytes: 0 };

/// What is known of each check.
#[derive(Debug)]
pub struct States {
    states: Mutex<HashMap<CheckKey, CheckState>>,
    most: usize,
}

impl States {
    /// Those of at most `most` checks. Applications can push results of any name.
    pub fn new(most: usize) -> Self {
        Self { states: Mutex::default(), most }
    }

    /// How many checks there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The metrics of the result's check after it; none beyond the limit of checks.
    pub fn metrics(&self, result: &CheckResult) -> Option<Bytes> {
        let mut states = self.states();
        let (key, next) = (result.key(), LoggedResult { logged: Timestamp::now(), result: result.clone() });
        let full = states.len() >= self.most;
        match states.entry(key.clone()) {
            Entry::Occupied(mut known) => known.get_mut().apply(next, &NO_OUTPUTS),
            Entry::Vacant(_) if full => return None,
            Entry::Vacant(new) => drop(new.insert(CheckState::new(next, &NO_OUTPUTS))),
        }
        let families =
            metrics::families([(&[][..], &states[&key])], &metrics::Options::default(), metrics::Read::Later);
        let mut page = String::new();
        exposition::write(&families, Format::Text, &mut page);
        Some(page.into())
    }

    /// These checks are defined no more: they make room for others, and begin anew if they come back.
    pub fn forget(&self, checks: &[CheckKey]) {
        let mut states = self.states();
        checks.iter().for_each(|key| drop(states.remove(key)));
    }

    fn states(&self) -> MutexGuard<'_, HashMap<CheckKey, CheckState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_forgotten_makes_room_and_begins_anew() {
        let states = States::new(2);
        let result = |name: &str| {
            let check = json!({"name": name, "output": "", "status": 2});
            CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap()
        };
        let occurrences = |name: &str| {
            let page = states.metrics(&result(name))?;
            let page = std::str::from_utf8(&page).unwrap();
            page.lines()
                .find(|line| line.starts_with("checkscript_occurrences{"))
                .map(|line| line[line.len() - 2..].to_owned())
        };
        assert_eq!(
            (occurrences("a"), occurrences("a"), occurrences("b")),
            (Some(" 1".into()), Some(" 2".into()), Some(" 1".into()))
        );
        assert_eq!(occurrences("c"), None);
        states.forget(&[result("a").key(), result("none").key()]);
        assert_eq!(
            (occurrences("c"), occurrences("a"), occurrences("b")),
            (Some(" 1".into()), None, Some(" 2".into()))
        );
    }
}
