//! The bodies of the API.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CheckResult, CheckState, HistoryEntry, InvalidResult, Object, Status};

/// Labels that tell one check from the others: `check`, `source` where it has one, and those of the server (a
/// Pushgateway's grouping key).
pub type Labels = BTreeMap<String, String>;

/// How long a server keeps what was pushed to it, if it is not pushed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// When its time is over.
    pub expires: Timestamp,
    /// Whether it is, and it stays all the same.
    pub expired: bool,
}

/// The last result of a check, with what is known around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Body", into = "Body")]
pub struct Detail {
    /// Which check this is.
    pub labels: Labels,
    /// The result as it was logged.
    pub result: CheckResult,
    /// What the client's own start-up line says of it (address, subscriptions, …), redacted there; empty where unknown.
    pub client_attributes: Object,
    /// How many results in a row had this exit status.
    pub occurrences: u64,
    /// When the first of them was executed, in epoch seconds.
    pub status_changed: i64,
    /// How long the server keeps it, where it was pushed with a time to live.
    pub expiry: Option<Expiry>,
}

/// One line of the list of checks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Which check this is.
    pub labels: Labels,
    /// `OK`, `WARNING`, `CRITICAL` or `UNKNOWN`.
    pub status: String,
    /// The exit status behind the word.
    pub exit_code: i64,
    /// The first line of the output, at most 300 characters.
    pub output: String,
    /// How many results in a row had this exit status.
    pub occurrences: u64,
    /// When the first of them was executed, in epoch seconds.
    pub status_changed: i64,
    /// When the last one was executed, in epoch seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executed: Option<i64>,
    /// When its time is over, where it was pushed with a time to live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Whether that is over, and it stays; with `expires`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<bool>,
}

/// What a check said before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Which check this is.
    pub labels: Labels,
    /// Newest first: the last results, behind them older changes of status.
    pub history: Vec<HistoryEntry>,
}

/// [`Detail`] as it travels.
#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(default)]
    labels: Labels,
    client: String,
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    client_attributes: Object,
    check: Object,
    occurrences: u64,
    status_changed: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expired: Option<bool>,
}

// === impl Detail ===

impl Detail {
    /// What the result's exit status means.
    pub fn status(&self) -> Status {
        self.result.status()
    }
}

impl TryFrom<Body> for Detail {
    type Error = InvalidResult;

    fn try_from(body: Body) -> Result<Self, Self::Error> {
        let Body { labels, client, client_attributes, check, occurrences, status_changed, expires, expired } = body;
        let result = CheckResult::new(client, check)?;
        let expiry = expires.map(|expires| Expiry { expires, expired: expired.unwrap_or_default() });
        Ok(Self { labels, result, client_attributes, occurrences, status_changed, expiry })
    }
}

impl From<Detail> for Body {
    fn from(detail: Detail) -> Self {
        let Detail { labels, result, client_attributes, occurrences, status_changed, expiry } = detail;
        let (client, check) = result.into_parts();
        let (expires, expired) = expiry.map(|expiry| (expiry.expires, expiry.expired)).unzip();
        Self { labels, client, client_attributes, check, occurrences, status_changed, expires, expired }
    }
}

// === impl Summary ===

impl Summary {
    /// The line for `state`, which `labels` tell from the others.
    pub fn new(labels: Labels, state: &CheckState, expiry: Option<Expiry>) -> Self {
        let result = state.latest();
        let (expires, expired) = expiry.map(|expiry| (expiry.expires, expiry.expired)).unzip();
        Self {
            labels,
            status: state.status().to_string(),
            exit_code: result.exit_code(),
            output: result.first_line().to_owned(),
            occurrences: state.occurrences(),
            status_changed: state.status_changed(),
            executed: result.executed(),
            expires,
            expired,
        }
    }
}
