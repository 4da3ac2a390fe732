//! Alerts that wait for their detail.

use std::sync::Arc;

use tokio::time::Instant;

use crate::alert::{Alert, Incident};
use crate::overview::{Row, State};

/// An alert that waits.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) alert: Alert,
    /// Host and port that are asked.
    node: Arc<str>,
    /// When it began to wait.
    pub(super) since: Instant,
    /// When it was first posted as what it is now, firing or resolved; no answer from before is of use.
    pub(super) changed: Instant,
}

// === impl Held ===

impl Held {
    pub(super) fn new(alert: Alert, node: &str, now: Instant) -> Self {
        Self { alert, node: node.into(), since: now, changed: now }
    }

    /// As the overview shows it.
    pub(super) fn row(&self) -> Row {
        let Incident { fingerprint, labels, resolved, changed } = self.alert.incident();
        Row {
            fingerprint,
            labels,
            node: Arc::clone(&self.node),
            state: State::Waiting,
            error: None,
            output: None,
            resolved,
            changed,
            asked: None,
            attempts: 0,
        }
    }

    /// The newest post wins.
    pub(super) fn replace(&mut self, alert: Alert, now: Instant) {
        if alert.is_resolved() != self.alert.is_resolved() {
            self.changed = now;
        }
        self.alert = alert;
    }
}
