//! What alerts were given, for their resends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moka::sync::Cache;

use crate::alert::{Alert, Annotations, Fingerprint};
use crate::annotate::{self, Annotated};
use crate::detail::{Failure, Fetched};
use crate::overview::{Row, State};

/// How long an alert is remembered that nobody sends any more: longer than Prometheus sends a resolved one.
const IDLE: Duration = Duration::from_secs(20 * 60);

/// What an entry takes beside its texts, in bytes, roughly.
const OVERHEAD: usize = 1_024;

/// The annotations of all alerts, bounded in bytes; an alert that falls out is treated as a new one.
#[derive(Debug)]
pub(super) struct Memory(Cache<Fingerprint, Known>);

/// What an alert was given last.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Which alert it is.
    labels: Arc<BTreeMap<String, String>>,
    /// Host and port that were asked; empty where the labels gave none.
    node: Arc<str>,
    /// How often it was tried to learn of the alert, as long as it is remembered.
    attempts: u32,
    /// When the alert last changed.
    changed: Timestamp,
    /// From the last detail; empty where there never was one.
    detail: Arc<Annotations>,
    /// When the result of that detail was executed.
    executed: Option<Timestamp>,
    /// Why there is no newer detail, or not all of it.
    error: Option<Arc<str>>,
    /// Whether the node answered when it was last asked.
    answered: bool,
    /// Whether the alert was resolved then.
    resolved: bool,
    /// When the node was asked.
    asked: Timestamp,
    /// When it was last tried to learn more.
    tried: Instant,
}

// === impl Memory ===

impl Memory {
    /// An empty memory for at most `bytes`, roughly.
    pub(super) fn new(bytes: u64) -> Self {
        let weigh = |_: &Fingerprint, known: &Known| known.weight();
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).time_to_idle(IDLE).build())
    }

    /// What is known of the alert as it is now: asked for since it fired, or since it was resolved.
    pub(super) fn known_of(&self, alert: &Alert) -> Option<Known> {
        let current = |known: &Known| known.resolved == alert.is_resolved() && known.asked >= alert.last_change();
        self.any_of(alert).filter(current)
    }

    /// What is known of the alert from whatever time.
    pub(super) fn any_of(&self, alert: &Alert) -> Option<Known> {
        self.0.get(&alert.fingerprint())
    }

    /// Everything that is remembered.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.0.iter().map(|(fingerprint, known)| known.row(*fingerprint)).collect()
    }

    pub(super) fn put(&self, fingerprint: Fingerprint, known: Known) {
        self.0.insert(fingerprint, known);
    }
}

// === impl Known ===

impl Known {
    /// A detail.
    pub(super) fn detail(alert: &Alert, fetched: &Fetched, annotated: Annotated) -> Self {
        let executed = fetched.detail.result.executed();
        Self {
            labels: Arc::clone(alert.labels()),
            node: "".into(),
            attempts: 1,
            changed: alert.last_change(),
            detail: Arc::new(annotated.annotations),
            executed: executed.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            error: annotated.error.as_deref().map(|error| annotate::explain(error).into()),
            answered: true,
            resolved: alert.is_resolved(),
            asked: fetched.asked,
            tried: Instant::now(),
        }
    }

    /// No detail. What was known `before` is kept: an output is never taken away, but its age is told.
    pub(super) fn failure(alert: &Alert, failure: &Failure, before: Option<Self>, now: Timestamp) -> Self {
        let executed = before.as_ref().and_then(|known| known.executed);
        let mut detail = before.map(|known| known.detail).unwrap_or_default();
        if let Some(executed) = executed {
            Arc::make_mut(&mut detail).insert(annotate::AGE.into(), annotate::age(executed, now));
        }
        let error = Some(annotate::explain(&failure.reason).into());
        let (resolved, tried) = (alert.is_resolved(), Instant::now());
        let (labels, node, changed) = (Arc::clone(alert.labels()), "".into(), alert.last_change());
        Self {
            labels,
            node,
            attempts: 1,
            changed,
            detail,
            executed,
            error,
            answered: false,
            resolved,
            asked: now,
            tried,
        }
    }

    /// The same, asked of `node` and not for the first time where there is something `before`.
    pub(super) fn of(self, node: &str, before: Option<&Self>) -> Self {
        let attempts = before.map_or(0, |known| known.attempts).saturating_add(1);
        match before.filter(|known| &*known.node == node) {
            Some(known) => Self { node: Arc::clone(&known.node), attempts, ..self },
            None => Self { node: node.into(), attempts, ..self },
        }
    }

    /// As the overview shows it.
    pub(super) fn row(&self, fingerprint: Fingerprint) -> Row {
        let state = match (self.answered, &self.error, self.detail.is_empty()) {
            (true, None, _) => State::Enriched,
            (true, Some(_), _) => State::Incomplete,
            (false, _, false) => State::Outdated,
            (false, _, true) => State::Failed,
        };
        Row {
            fingerprint,
            labels: Arc::clone(&self.labels),
            node: Arc::clone(&self.node),
            state,
            error: self.error.clone(),
            output: self.detail.get("output").cloned(),
            resolved: self.resolved,
            changed: self.changed,
            asked: Some(self.asked),
            attempts: self.attempts,
        }
    }

    /// The alert's annotations.
    pub(super) fn annotations(&self) -> Annotations {
        let mut annotations = Annotations::clone(&self.detail);
        annotations.extend(self.error.as_deref().map(|error| (annotate::ERROR.into(), error.to_owned())));
        annotations
    }

    /// Since when nobody tried to learn more.
    pub(super) fn age(&self) -> Duration {
        self.tried.elapsed()
    }

    /// Whether the output with which the check went back to normal is known.
    pub(super) fn is_final(&self) -> bool {
        self.resolved && self.answered
    }

    /// The same, being tried again now.
    pub(super) fn renewed(self) -> Self {
        Self { tried: Instant::now(), ..self }
    }

    fn weight(&self) -> u32 {
        let labels: usize = self.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        let texts: usize = self.detail.iter().map(|(name, text)| name.len() + text.len()).sum();
        u32::try_from(OVERHEAD + labels + texts).unwrap_or(u32::MAX)
    }
}
