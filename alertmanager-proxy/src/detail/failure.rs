//! Why there is no detail: a word for metrics, a sentence for whoever reads the alert.

use std::sync::Arc;
use std::time::Duration;

use check_result::api::FetchError;
use url::Url;

use super::Target;
use super::address::Denied;
use super::breaker::OpenCircuit;
use crate::config::RenderError;

/// The kind of failure of a node that is left alone.
pub(super) const OPEN: &str = "circuit_open";

/// Why there is no detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of a few words, for metrics.
    pub kind: &'static str,
    /// The sentence for operators.
    pub reason: Arc<str>,
}

// === impl Failure ===

impl Failure {
    /// The node has not answered within `hold`, the longest that an alert waits.
    pub fn late(target: &Target, hold: Duration) -> Self {
        let reason = format!("{} did not answer within {hold:?}", target.url.authority());
        Self { kind: "late", reason: reason.into() }
    }

    /// The node has not answered when the proxy had to stop.
    pub fn stopping(target: &Target) -> Self {
        let reason = format!("{} did not answer before the proxy was stopped", target.url.authority());
        Self { kind: "late", reason: reason.into() }
    }

    /// The node is not asked: too many other alerts wait for their detail.
    pub fn crowded() -> Self {
        Self { kind: "crowded", reason: "too many alerts wait for their detail".into() }
    }

    /// Others had the memory for as long as the node had time.
    pub(super) fn no_room(host: &str, limit: Duration) -> Self {
        let reason = format!(
            "{host} answered at length, and for {limit:?} others had all the memory for that (limits.answer_bytes)"
        );
        Self { kind: "no_room", reason: reason.into() }
    }

    /// The node is left alone.
    pub(super) fn open(circuit: &OpenCircuit, rest: Duration) -> Self {
        let OpenCircuit { failures, reason, .. } = circuit;
        let reason = format!("{reason}; after {failures} failures in a row it is asked but once in {rest:?}");
        Self { kind: OPEN, reason: reason.into() }
    }

    /// Whether it says something of the node and not only of this check.
    pub(super) fn is_the_nodes(&self) -> bool {
        matches!(self.kind, "timeout" | "connect" | "broken")
    }

    pub(super) fn denied(denied: &Denied, url: &Url) -> Self {
        Self { kind: "denied", reason: format!("{} may not be asked: {denied}", url.authority()).into() }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self { kind: error.kind(), reason: error.to_string().into() }
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        Self { kind: "url", reason: error.to_string().into() }
    }
}
