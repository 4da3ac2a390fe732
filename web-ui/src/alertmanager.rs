//! The part of Alertmanager's API v2 that is asked.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::matcher::{self, BadMatcher, Labels, Matcher, Op};
use crate::upstream::{AskError, Upstream};

/// An alert.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Its labels' hash; the same in every Alertmanager.
    pub fingerprint: String,
    /// What it is about.
    pub labels: Labels,
    /// What is said of it.
    pub annotations: Labels,
    /// When it began.
    pub starts_at: Timestamp,
    /// When Alertmanager last heard of it.
    pub updated_at: Timestamp,
    /// Whether it is told.
    pub status: Status,
    /// Who is told.
    #[serde(default)]
    pub receivers: Vec<Receiver>,
    /// The expression's page in Prometheus.
    #[serde(default, rename = "generatorURL")]
    pub generator_url: String,
}

/// Whether an alert is told, and what keeps it from that.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Identifiers of silences.
    #[serde(default)]
    pub silenced_by: Vec<String>,
    /// Fingerprints of other alerts.
    #[serde(default)]
    pub inhibited_by: Vec<String>,
}

/// Who is told.
#[derive(Clone, Debug, Deserialize)]
pub struct Receiver {
    /// Its name in Alertmanager's configuration.
    pub name: String,
}

/// A silence.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Its identifier.
    pub id: String,
    /// What it silences: alerts that all of them match.
    pub matchers: Vec<RawMatcher>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When it was made or changed.
    pub updated_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Where it is in its life.
    pub status: SilenceStatus,
}

/// Where a silence is in its life.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct SilenceStatus {
    /// The word for it.
    pub state: SilenceState,
}

/// Where a silence is in its life.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// It silences.
    Active,
    /// It will.
    Pending,
    /// It did.
    Expired,
}

/// A matcher as the API has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RawMatcher {
    /// The label.
    pub name: String,
    /// What it is compared with.
    pub value: String,
    /// Whether that is a regular expression.
    pub is_regex: bool,
    /// Whether the label must be so, or must not; older versions know the former only.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Every alert that fires, told or not.
///
/// # Errors
/// See [`AskError`].
pub async fn alerts(server: &Upstream) -> Result<Vec<Alert>, AskError> {
    server.get("/api/v2/alerts", &[]).await
}

/// Every silence, past ones as long as Alertmanager keeps them.
///
/// # Errors
/// See [`AskError`].
pub async fn silences(server: &Upstream) -> Result<Vec<Silence>, AskError> {
    server.get("/api/v2/silences", &[]).await
}

// === impl RawMatcher ===

impl RawMatcher {
    /// The matcher that it is.
    ///
    /// # Errors
    /// When its regular expression cannot be used here; Alertmanager's language has nothing that ours has not.
    pub fn compiled(&self) -> Result<Matcher, BadMatcher> {
        Matcher::new(&self.name, self.op(), &self.value)
    }

    fn op(&self) -> Op {
        match (self.is_regex, self.is_equal) {
            (false, true) => Op::Equal,
            (false, false) => Op::NotEqual,
            (true, true) => Op::Match,
            (true, false) => Op::NoMatch,
        }
    }
}

impl fmt::Display for RawMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        matcher::write(f, &self.name, self.op(), &self.value)
    }
}

// === impl SilenceState ===

impl SilenceState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Pending, Self::Expired];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}
