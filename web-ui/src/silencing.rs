//! Making, changing and ending silences.
//!
//! The way of one that is made:
//!
//! 1. Alerts, nodes and checks that were chosen become [`target`]s, and those the fewest exact silences ([`proposal`]).
//! 2. What the form or a program says of them is read into a [`plan`](draft), or told field by field what is wrong with it ([`draft`]).
//! 3. What it would mute now is shown ([`preview`]), and said in a [`sentence`].
//! 4. [`desk`] has it done in every cluster and keeps the record; [`mod@write`] tells a cluster's Alertmanagers.
//!
//! A silence may be marked ([`mark`]) to end with its alerts: [`resolved`] decides when, [`watch`] does it. All but `desk`,
//! `write` and `watch` is pure.

use jiff::Timestamp;
use std::time::Duration;

use crate::alertmanager::{Postable, RawMatcher};
use crate::matcher::Matcher;

pub mod desk;
pub mod draft;
pub mod mark;
pub mod preview;
pub mod problem;
pub mod proposal;
pub mod resolved;
pub mod sentence;
pub mod target;
pub mod watch;
pub mod write;

/// The rules of silences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The longest that one may be made.
    pub longest: Duration,
    /// How often it is looked whether the alerts are gone of those that end with them.
    pub evaluation_interval: Duration,
}

/// One silence, in one cluster or the same in several.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What it silences: alerts that all of them match.
    pub matchers: Vec<Matcher>,
    /// Where.
    pub clusters: Vec<String>,
}

/// What is to be done: silences that have everything but matchers in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The silences.
    pub drafts: Vec<Draft>,
    /// From when on; from now, if nothing is said.
    pub begins: Option<Timestamp>,
    /// Their hard end.
    pub ends: Timestamp,
    /// Why.
    pub comment: String,
    /// Who says so.
    pub author: String,
    /// Whether they end as soon as nothing fires any more that they match.
    pub until_resolved: bool,
}

// === impl Plan ===

impl Plan {
    /// One of its silences, as it is sent.
    pub fn silence(&self, matchers: &[Matcher]) -> Postable {
        Postable {
            id: None,
            matchers: raw(matchers),
            starts_at: self.begins.unwrap_or_else(Timestamp::now),
            ends_at: self.ends,
            created_by: self.author.clone(),
            comment: self.comment.clone(),
        }
    }
}

// === impl Draft ===

fn raw(matchers: &[Matcher]) -> Vec<RawMatcher> {
    matchers.iter().map(RawMatcher::from).collect()
}

impl Draft {
    /// Its matchers as they are sent.
    pub fn raw(&self) -> Vec<RawMatcher> {
        raw(&self.matchers)
    }

    /// Whether an alert with these labels is muted.
    pub fn matches(&self, labels: &crate::matcher::Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels))
    }
}
