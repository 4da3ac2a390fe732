//! The configuration file as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

/// A text with the place where it stands.
pub(super) type Text = Spanned<String>;

/// A number with the place where it stands.
pub(super) type Number = Spanned<i64>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[serde(default)]
    pub(super) alertmanagers: Vec<RawAlertmanager>,
    #[serde(default)]
    pub(super) sources: Vec<Spanned<RawSource>>,
    pub(super) hold: Option<Text>,
    #[serde(default)]
    pub(super) fetch: RawFetch,
    #[serde(default)]
    pub(super) forward: RawForward,
    #[serde(default)]
    pub(super) limits: RawLimits,
    pub(super) name_validation_scheme: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlertmanager {
    pub(super) url: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    #[serde(default, rename = "match")]
    pub(super) matchers: BTreeMap<String, Text>,
    pub(super) url: Option<Text>,
    #[serde(default)]
    pub(super) allow: Vec<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFetch {
    pub(super) timeout: Option<Text>,
    pub(super) cache: Option<Text>,
    pub(super) failure_cache: Option<Text>,
    pub(super) concurrency: Option<Number>,
    pub(super) concurrency_per_node: Option<Number>,
    pub(super) max_response_bytes: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawForward {
    pub(super) timeout: Option<Text>,
    pub(super) unreachable_after: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) max_body_bytes: Option<Number>,
    pub(super) held_alerts: Option<Number>,
    pub(super) pending_alerts: Option<Number>,
    pub(super) memory_bytes: Option<Number>,
}

/// Reads the file's text; a failure is told as `LINE: what is wrong`, followed by the place in the text.
pub(super) fn parse(text: &str) -> Result<Raw, String> {
    // An empty file is YAML's null; it lacks what an empty mapping lacks.
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_saphyr::from_str(text).map_err(|error| match error.location() {
        Some(location) => format!("{}: {error}", location.line()),
        None => format!("1: {error}"),
    })
}
