//! What alerts were given, for their resends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moka::sync::Cache;

use crate::alert::{Fingerprint, Incident, Texts};
use crate::annotate::{self, Annotated};
use crate::config::Fetch;
use crate::detail::{Failure, Fetched};
use crate::overview::{Row, State};

/// How long an alert is remembered that nobody sends any more: longer than Prometheus sends a resolved one.
const IDLE: Duration = Duration::from_secs(20 * 60);

/// What an entry takes beside its texts, in bytes, roughly.
const OVERHEAD: usize = 768;

/// The annotations of all alerts, bounded in bytes; an alert that falls out is treated as a new one.
#[derive(Debug)]
pub(super) struct Memory(Cache<Fingerprint, Known>);

/// What an alert was given last.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Which alert it is.
    labels: Arc<Texts>,
    /// Host and port that were asked; empty where the labels gave none.
    node: Arc<str>,
    /// How often it was tried to learn of the alert, as long as it is remembered.
    attempts: u32,
    /// When the alert last changed.
    changed: Timestamp,
    /// What it was given: from the last detail, if there ever was one, and why there is no newer one, or not all of it.
    annotations: Arc<Texts>,
    /// When the result of that detail was executed.
    executed: Option<Timestamp>,
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
    pub(super) fn known_of(&self, alert: &Incident) -> Option<Known> {
        let current = |known: &Known| known.resolved == alert.resolved && known.asked >= alert.changed;
        self.any_of(alert.fingerprint).filter(current)
    }

    /// What is known of the alert from whatever time.
    pub(super) fn any_of(&self, fingerprint: Fingerprint) -> Option<Known> {
        self.0.get(&fingerprint)
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
    pub(super) fn detail(alert: &Incident, fetched: &Fetched, annotated: Annotated) -> Self {
        let executed = fetched.detail.result.executed();
        let error = annotated.error.map(|error| (annotate::ERROR.into(), annotate::explain(&error)));
        Self {
            labels: Arc::clone(&alert.labels),
            node: "".into(),
            attempts: 1,
            changed: alert.changed,
            annotations: Arc::new(annotated.annotations.into_iter().chain(error).collect()),
            executed: executed.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            answered: true,
            resolved: alert.resolved,
            asked: fetched.asked,
            tried: Instant::now(),
        }
    }

    /// No detail. What was known `before` is kept: an output is never taken away, but its age is told. That of an alert
    /// which has ended since is none of this one: it would tell that all is well.
    pub(super) fn failure(alert: &Incident, failure: &Failure, before: Option<Self>, now: Timestamp) -> Self {
        let before = before.filter(|known| alert.resolved || !known.resolved);
        let executed = before.as_ref().and_then(|known| known.executed);
        let error = (annotate::ERROR, annotate::explain(&failure.reason));
        let added = executed.map(|executed| (annotate::AGE, annotate::age(executed, now))).into_iter().chain([error]);
        let added: Vec<_> = added.collect();
        let kept = before.as_ref().map(|known| &known.annotations).into_iter().flat_map(|kept| kept.iter());
        let annotations = kept.chain(added.iter().map(|(name, text)| (*name, text.as_str()))).collect();
        Self {
            labels: Arc::clone(&alert.labels),
            node: "".into(),
            attempts: 1,
            changed: alert.changed,
            annotations: Arc::new(annotations),
            executed,
            answered: false,
            resolved: alert.resolved,
            asked: now,
            tried: Instant::now(),
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
        let error = self.annotations.get(annotate::ERROR);
        let state = match (self.answered, error, self.has_detail()) {
            (true, None, _) => State::Enriched,
            (true, Some(_), _) => State::Incomplete,
            (false, _, true) => State::Outdated,
            (false, _, false) => State::Failed,
        };
        Row {
            fingerprint,
            labels: Arc::clone(&self.labels),
            node: Arc::clone(&self.node),
            state,
            error: error.map(str::to_owned),
            output: self.annotations.get("output").map(str::to_owned),
            resolved: self.resolved,
            changed: self.changed,
            asked: Some(self.asked),
            attempts: self.attempts,
        }
    }

    /// Which alert it is of, and how that stood.
    pub(super) fn incident(&self, fingerprint: Fingerprint) -> Incident {
        Incident { fingerprint, labels: Arc::clone(&self.labels), resolved: self.resolved, changed: self.changed }
    }

    /// The alert's annotations.
    pub(super) fn annotations(&self) -> Arc<Texts> {
        Arc::clone(&self.annotations)
    }

    /// Since when nobody tried to learn more.
    pub(super) fn age(&self) -> Duration {
        self.tried.elapsed()
    }

    /// Whether it is what the node said when it was last asked.
    pub(super) fn is_answer(&self) -> bool {
        self.answered
    }

    /// Whether it is that the node failed and nothing else, and long enough ago to ask again.
    pub(super) fn is_vain(&self, fetch: &Fetch) -> bool {
        !self.answered && !self.has_detail() && self.age() >= fetch.failure_cache
    }

    /// Whether there ever was one.
    fn has_detail(&self) -> bool {
        self.annotations.iter().any(|(name, _)| name != annotate::ERROR)
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
        u32::try_from(OVERHEAD + self.labels.size() + self.annotations.size()).unwrap_or(u32::MAX)
    }
}
