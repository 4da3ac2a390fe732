//! The bounded past of a check.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::HistoryLimits;
use crate::log::Run;
use crate::result::{bounded, truncated};

/// One past result, without the definition's attributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When the result was logged.
    pub logged: Timestamp,
    /// When the run was started, in epoch seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed: Option<i64>,
    /// How long the run took, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// The exit status.
    pub status: i64,
    /// Whether the result before it had another status. The first result known counts as a change.
    pub changed: bool,
    /// The output, bounded. Entries in a row that say the same share it.
    pub output: Arc<str>,
}

/// The last results, and behind them older changes of status. Serialized, one list.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Newest first, as are the changes.
    results: VecDeque<HistoryEntry>,
    changes: VecDeque<HistoryEntry>,
}

// === impl History ===

impl History {
    /// Takes the next run.
    pub(super) fn push(&mut self, run: &Run<'_>, changed: bool, limits: &HistoryLimits) {
        let entry = HistoryEntry::new(run, changed, limits.output_bytes, self.results.front());
        self.remember(entry, limits);
    }

    /// The same, fitted to `limits`.
    pub(super) fn bounded(self, limits: &HistoryLimits) -> Self {
        let mut fitting = Self::default();
        for mut entry in self.changes.into_iter().rev().chain(self.results.into_iter().rev()) {
            entry.output = shared(bounded(&entry.output, limits.output_bytes), fitting.results.front());
            fitting.remember(entry, limits);
        }
        fitting
    }

    /// Newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.results.iter().chain(&self.changes)
    }

    /// Newest first: those with none left out in between.
    pub(super) fn in_a_row(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.results.iter()
    }

    /// The outputs, each once.
    pub(super) fn outputs(&self) -> impl Iterator<Item = &str> {
        let before = std::iter::once(None).chain(self.iter().map(Some));
        let is_shared = |before: Option<&HistoryEntry>, entry: &HistoryEntry| {
            before.is_some_and(|before| Arc::ptr_eq(&before.output, &entry.output))
        };
        let own = move |(entry, before): (_, _)| (!is_shared(before, entry)).then_some(&*entry.output);
        self.iter().zip(before).filter_map(own)
    }

    fn remember(&mut self, entry: HistoryEntry, limits: &HistoryLimits) {
        self.grow(limits);
        self.results.push_front(entry);
        while self.results.len() > limits.results {
            if let Some(change) = self.results.pop_back().filter(|oldest| oldest.changed) {
                self.changes.push_front(change);
            }
        }
        self.changes.truncate(limits.changes);
    }

    /// Makes room for one more, and not for twice as many as there may be: every check has a history.
    fn grow(&mut self, limits: &HistoryLimits) {
        let len = self.results.len();
        if len == self.results.capacity() {
            let missing = limits.results.saturating_add(1).saturating_sub(len);
            self.results.reserve_exact(len.max(4).min(missing).max(1));
        }
    }
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for History {
    /// Which entries are among the last results, the limits say: see [`History::bounded`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { results: VecDeque::deserialize(deserializer)?, changes: VecDeque::new() })
    }
}

// === impl HistoryEntry ===

impl HistoryEntry {
    fn new(run: &Run<'_>, changed: bool, output_bytes: usize, before: Option<&Self>) -> Self {
        let output = run.truncation.map_or(Cow::Borrowed(&*run.output), |length| truncated(&run.output, length));
        Self {
            logged: run.logged,
            executed: run.executed,
            duration: run.duration,
            status: run.status,
            changed,
            output: shared(bounded(&output, output_bytes), before),
        }
    }
}

/// `output`, kept once where the entry before says the same: most checks say the same for days.
fn shared(output: Cow<'_, str>, before: Option<&HistoryEntry>) -> Arc<str> {
    match before {
        Some(before) if *before.output == *output => Arc::clone(&before.output),
        _ => output.into(),
    }
}
