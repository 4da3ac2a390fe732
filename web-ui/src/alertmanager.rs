//! The part of Alertmanager's API v2 that is asked.

use std::fmt;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Address;
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
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
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

/// A silence as it is sent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Postable {
    /// The one that is changed; a new one is made without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it silences.
    pub matchers: Vec<RawMatcher>,
    /// When it begins; what has passed counts as now.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Who makes it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

#[derive(Deserialize)]
struct Made {
    #[serde(rename = "silenceID")]
    silence_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerStatus {
    version_info: Version,
}

#[derive(Deserialize)]
struct Version {
    version: String,
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

/// A silence; none where there is no such one.
///
/// # Errors
/// See [`AskError`].
pub async fn silence(server: &Upstream, id: &str) -> Result<Option<Silence>, AskError> {
    match server.get(&silence_path(id), &[]).await {
        // What is no identifier names nothing.
        Err(failure) if matches!(failure.status(), Some(StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY)) => {
            Ok(None)
        }
        asked => asked.map(Some),
    }
}

/// Makes or changes a silence. It is another one then, with another identifier, unless it has not begun, or its matchers and
/// its beginning stay.
///
/// # Errors
/// See [`AskError`].
pub async fn post(server: &Upstream, silence: &Postable) -> Result<String, AskError> {
    let made: Made = server.post("/api/v2/silences", silence).await?;
    Ok(made.silence_id)
}

/// Ends a silence.
///
/// # Errors
/// See [`AskError`].
pub async fn expire(server: &Upstream, id: &str) -> Result<(), AskError> {
    server.delete(&silence_path(id)).await
}

/// Which version it is.
///
/// # Errors
/// See [`AskError`].
pub async fn version(server: &Upstream) -> Result<String, AskError> {
    let status: ServerStatus = server.get("/api/v2/status", &[]).await?;
    Ok(status.version_info.version)
}

fn silence_path(id: &str) -> String {
    Address::of(["api", "v2", "silence", id]).to_string()
}

// === impl RawMatcher ===

impl RawMatcher {
    /// The matcher that it is.
    ///
    /// # Errors
    /// When its regular expression cannot be used here; Alertmanager takes a few that are not.
    pub fn compiled(&self) -> Result<Matcher, BadMatcher> {
        Matcher::new(&self.name, self.op(), &self.value)
    }

    /// How it compares.
    pub fn op(&self) -> Op {
        match (self.is_regex, self.is_equal) {
            (false, true) => Op::Equal,
            (false, false) => Op::NotEqual,
            (true, true) => Op::Match,
            (true, false) => Op::NoMatch,
        }
    }
}

impl From<&Matcher> for RawMatcher {
    fn from(matcher: &Matcher) -> Self {
        let Matcher { name, op, value, .. } = matcher;
        Self {
            name: name.clone(),
            value: value.clone(),
            is_regex: matches!(op, Op::Match | Op::NoMatch),
            is_equal: matches!(op, Op::Equal | Op::Match),
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
