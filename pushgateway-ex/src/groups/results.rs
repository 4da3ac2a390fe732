//! Check results of a group, and the metrics that are made from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use check_result::log::LoggedResult;
use check_result::{CheckKey, CheckResult, CheckState, HistoryLimits, metrics};
use exposition::pushed::{Metric, MetricFamily, MetricType, Value};
use jiff::Timestamp;

use super::remade::remade;
use super::{Check, Group, Groups, Inconsistent, Refused, Term, prepare};
use crate::labels::{Key, Labels};

/// Check results that are pushed together.
#[derive(Clone, Debug)]
pub struct Results {
    /// The group.
    pub labels: Labels,
    /// The results, in the order of their runs.
    pub results: Vec<CheckResult>,
    /// Whether the checks that are not named go (PUT) or stay (POST).
    pub replace: bool,
    /// When they came, and how long each is kept if it is not pushed again.
    pub term: Term,
}

pub(super) type Checks = BTreeMap<CheckKey, Check>;

/// Seconds by which the clocks of those who push may be ahead.
const CLOCKS: i64 = 300;

impl Groups {
    /// Takes check results: states, history and metrics change together, or nothing does. Says how many of them came late: what is known
    /// is of later runs, and stays.
    ///
    /// # Errors
    /// When their metrics do not fit what is there, or over a limit.
    pub fn results(&mut self, pushed: Results, limits: &HistoryLimits) -> Result<usize, Refused> {
        let (key, at) = (Key::checks(pushed.labels.clone()), pushed.term.at);
        let known = self.get(&key).map(|group| group.checks.clone()).unwrap_or_default();
        let (checks, late) = fold(known, pushed, limits);
        if checks.is_empty() {
            self.delete(&key);
            return Ok(late);
        }
        // Each makes more series than one: what is far too much is not rendered first.
        let (series, limit) = (checks.len(), self.limits.series);
        if series > limit {
            return Err(Refused::Series { series, limit });
        }
        let before = self.get(&key).map(|before| &**before);
        self.check_new(&key, before)?;
        let group = remade(before, key, checks, at)?;
        self.check(before, &group.families, true)?;
        self.put(group);
        Ok(late)
    }

    /// Removes one check of a group; the group goes with its last one. Says whether there was such a check.
    ///
    /// # Errors
    /// When the metrics of those that are left do not fit.
    pub fn forget(&mut self, labels: Labels, check: &CheckKey) -> Result<bool, Inconsistent> {
        let key = Key::checks(labels);
        let Some(group) = self.get(&key).filter(|group| group.checks.contains_key(check)) else { return Ok(false) };
        let Group { pushed, mut checks, .. } = Group::clone(group);
        checks.remove(check);
        if checks.is_empty() {
            return Ok(self.delete(&key));
        }
        self.put(made(key, checks, pushed.unwrap_or(Timestamp::UNIX_EPOCH))?);
        Ok(true)
    }
}

/// The group of these checks, with its metrics.
///
/// # Errors
/// When two of them would have the same series, because the group's labels hide what tells them apart.
pub(crate) fn made(key: Key, checks: Checks, at: Timestamp) -> Result<Group, Inconsistent> {
    let states = checks.values().map(|check| (&[][..], &*check.state));
    let families = metrics::families(states, &metrics::Options::default(), metrics::Read::Later);
    let families = families.iter().filter(|family| !family.samples().is_empty()).map(pushed).collect();
    let families = prepare(&key.labels, families, at)?;
    Ok(Group { families, pushed: Some(at), checks, ..Group::new(key) })
}

/// What is known after a push, and how many of its results came late.
fn fold(mut known: Checks, pushed: Results, limits: &HistoryLimits) -> (Checks, usize) {
    let (mut named, mut late) = (Checks::new(), 0);
    for result in pushed.results {
        let (id, end) = (result.key(), pushed.term.end(&result));
        let before = match named.remove(&id).or_else(|| known.remove(&id)) {
            Some(check) if is_late(&check.state, &result, pushed.term.at) => {
                named.insert(id, check);
                late += 1;
                continue;
            }
            before => before.map(|check| check.state),
        };
        let is_told_again = before.as_ref().is_some_and(|state| is_same_run(state.latest(), &result));
        let next = LoggedResult { logged: pushed.term.at, result };
        let state = match before {
            // Somebody who did not hear that it was taken pushes it again: it lives on, and that is no further occurrence.
            Some(state) if is_told_again => state,
            Some(mut state) => {
                Arc::make_mut(&mut state).apply(next, limits);
                state
            }
            None => Arc::new(CheckState::new(next, limits)),
        };
        named.insert(id, Check { state, end });
    }
    if !pushed.replace {
        named.extend(known);
    }
    (named, late)
}

/// Whether a result is of an earlier run than the last one that is known: who delivers late, or again, shall not undo what came after.
fn is_late(state: &CheckState, result: &CheckResult, now: Timestamp) -> bool {
    let latest = state.latest();
    let (Some(issued), Some(known)) = (result.issued(), latest.issued()) else { return false };
    // A time to come was given by a clock that went wrong, and would hold up everything that follows.
    if known > now.as_second() + CLOCKS || is_same_run(latest, result) {
        return false;
    }
    let run = (result.executed(), result.exit_code(), result.duration().map(f64::to_bits));
    let mut history = state.history().skip(1);
    let mut is_known = || history.any(|past| (past.executed, past.status, past.duration.map(f64::to_bits)) == run);
    issued < known || (issued == known && result.executed().is_some() && is_known())
}

/// Whether both tell of one run. Results that do not say when they ran are always another's.
fn is_same_run(one: &CheckResult, other: &CheckResult) -> bool {
    let run = |result: &CheckResult| {
        (result.issued(), result.executed(), result.exit_code(), result.duration().map(f64::to_bits))
    };
    one.issued().is_some() && run(one) == run(other)
}

fn pushed(family: &exposition::Family) -> MetricFamily {
    let metric = |sample: &exposition::Sample| Metric {
        labels: sample.labels().iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        value: Some(Value::Number(sample.value())),
        timestamp_ms: None,
    };
    MetricFamily {
        name: family.name().to_owned(),
        help: Some(family.help().to_owned()),
        kind: MetricType::Gauge,
        metrics: family.samples().iter().map(metric).collect(),
    }
}
