//! What can be wrong with what is said of a silence, and how it is told.

use std::time::Duration;

use crate::matcher::BadMatcher;
use crate::texts::{Say, Texts, fill};

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field.
    pub field: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong.
#[expect(missing_docs, reason = "each is said by its text")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    Target(String),
    Nothing,
    TooMany(usize),
    Labels(usize),
    Filter(BadMatcher),
    Empty,
    NoCluster,
    UnknownCluster(String),
    Time(String),
    Length(String),
    NoEnd,
    TwoEnds,
    Over,
    Backwards,
    Begun,
    Settled,
    TooLong(Duration),
    NoReason,
    NoAuthor,
    Wordy(usize),
    Unfit(char),
    NothingFires(Vec<String>),
    Planned,
}

// === impl FieldError ===

impl FieldError {
    /// A problem of a field.
    pub fn new(field: &'static str, problem: Problem) -> Self {
        Self { field, problem }
    }

    /// The field's name.
    pub fn name(&self, t: &Texts) -> &'static str {
        match self.field {
            "cluster" => t.clusters,
            "filter" => t.matchers,
            "begins" => t.begins,
            "ends" | "duration" => t.ends,
            "comment" => t.reason,
            "author" => t.author,
            "resolved" => t.until_resolved,
            _ => t.alerts,
        }
    }
}

// === impl Problem ===

impl Problem {
    /// In words.
    pub fn say(&self, t: &Texts) -> String {
        match self {
            Self::Target(why) => fill(t.problem_target, &[why]),
            Self::Nothing => t.problem_nothing.to_owned(),
            Self::TooMany(most) => fill(t.problem_too_many, &[most]),
            Self::Filter(error) => error.say(t),
            Self::Labels(most) => fill(t.problem_labels, &[most]),
            Self::Empty => t.problem_empty.to_owned(),
            Self::NoCluster => t.problem_no_cluster.to_owned(),
            Self::UnknownCluster(name) => fill(t.problem_unknown_cluster, &[name]),
            Self::Time(text) => fill(t.problem_time, &[text]),
            Self::Length(text) => fill(t.problem_length, &[text]),
            Self::NoEnd => t.problem_no_end.to_owned(),
            Self::TwoEnds => t.problem_two_ends.to_owned(),
            Self::Over => t.problem_over.to_owned(),
            Self::Backwards => t.problem_backwards.to_owned(),
            Self::Begun => t.problem_begun.to_owned(),
            Self::Settled => t.problem_settled.to_owned(),
            Self::TooLong(longest) => fill(t.problem_too_long, &[&t.duration(longest.as_secs().cast_signed())]),
            Self::NoReason => t.problem_no_reason.to_owned(),
            Self::NoAuthor => t.problem_no_author.to_owned(),
            Self::Wordy(most) => fill(t.problem_wordy, &[most]),
            Self::Unfit(c) => fill(t.problem_unfit, &[&format!("U+{:04X}", u32::from(*c))]),
            Self::NothingFires(what) => fill(t.problem_nothing_fires, &[&what.join("; ")]),
            Self::Planned => t.problem_planned.to_owned(),
        }
    }
}
