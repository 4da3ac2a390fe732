//! The grouping key: the labels that make a group.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The labels of a group, `job` among them, in the order of their names. Two pushes are for the same group if these are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Labels(Arc<[(String, String)]>);

/// What a group holds: metrics as they were pushed, or check results, from which the gateway makes metrics. The two of one grouping
/// key are pushed and deleted apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The grouping key.
    pub labels: Labels,
    /// Whether these are check results.
    pub checks: bool,
}

impl Key {
    /// The metrics of a group.
    pub fn metrics(labels: Labels) -> Self {
        Self { labels, checks: false }
    }

    /// The check results of a group.
    pub fn checks(labels: Labels) -> Self {
        Self { labels, checks: true }
    }
}

impl Labels {
    /// The key of these labels. A name that comes again takes the place of the one before.
    pub fn new(labels: impl IntoIterator<Item = (String, String)>) -> Self {
        let sorted: std::collections::BTreeMap<_, _> = labels.into_iter().collect();
        Self(sorted.into_iter().collect())
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of one label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(own, _)| own.as_str().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// The other key, if there is one, whose metrics carry the same labels: with an empty `instance`, or without it.
    pub fn twin(&self) -> Option<Self> {
        let others = self.0.iter().filter(|(name, _)| name != "instance").cloned();
        match self.get("instance") {
            Some("") => Some(Self::new(others)),
            Some(_) => None,
            None => Some(Self::new(others.chain([("instance".to_owned(), String::new())]))),
        }
    }

    /// What every metric of the group carries: these labels, in the place of the metric's own of the same name, and an empty
    /// `instance` where neither names one, so that Prometheus does not put the gateway's own address there.
    pub fn on<'a>(&'a self, own: &'a [(String, String)]) -> Vec<(&'a str, &'a str)> {
        let mut labels = Vec::with_capacity(own.len() + self.0.len() + 1);
        let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        labels.extend(own.filter(|(name, _)| self.get(name).is_none()));
        labels.extend(self.iter());
        if !labels.iter().any(|(name, _)| *name == "instance") {
            labels.push(("instance", ""));
        }
        labels.sort_unstable();
        labels
    }
}

impl fmt::Display for Labels {
    /// `{instance="a",job="b"}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if index == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}
