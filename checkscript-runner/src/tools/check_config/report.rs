//! What `check-config` has to say, as data.

use std::path::PathBuf;

use serde::Serialize;

/// What happens to an attribute, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::tools) enum Verdict {
    /// It breaks a rule: nothing would run.
    Invalid,
    /// It would run, and somebody should look at it.
    Attention,
    /// It behaves otherwise than under sensu-client, for a fault of that one is mended.
    Changed,
    /// Another part of the stack takes it over.
    Elsewhere,
    /// It is only carried into the result.
    NoEffect,
    /// It does what it does under sensu-client.
    Honoured,
}

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The client's name.
    pub(super) client: String,
    /// Whether the runner would start.
    pub(super) valid: bool,
    pub(super) summary: Summary,
    /// Those with problems first.
    pub(super) subjects: Vec<Subject>,
}

/// How many checks there are, by their worst verdict.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) checks: usize,
    pub(super) run_here: usize,
    pub(super) invalid: usize,
    pub(super) attention: usize,
    pub(super) changed: usize,
    pub(super) as_before: usize,
    /// Checks that run without a `timeout`.
    pub(super) without_timeout: usize,
    /// Findings that need attention and belong to no check.
    pub(super) outside_of_checks: usize,
}

/// One check, the client, or the rest.
#[derive(Debug, Serialize)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// When it runs, in words; only a check that runs here has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schedule: Option<String>,
    /// Why it does not run here, where that is what its definition says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_run: Option<String>,
    #[serde(skip)]
    pub(super) has_timeout: bool,
    /// What results call it, the proxy client's name before it where there is one.
    #[serde(skip)]
    pub(super) name_of_result: Option<String>,
    #[serde(flatten)]
    pub(super) place: Option<Place>,
    pub(super) worst: Verdict,
    /// The worst first.
    pub(super) findings: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Configuration,
    Client,
    Check,
}

/// One verdict on one attribute. An attribute may have several.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// The keys that lead to it, joined by a dot; empty where it is about the whole subject.
    pub(super) attribute: String,
    pub(super) text: String,
    #[serde(flatten)]
    pub(super) place: Option<Place>,
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// From 1.
    pub(super) line: usize,
}

// === impl Report ===

impl Report {
    pub(super) fn new(client: &str, valid: bool, mut subjects: Vec<Subject>) -> Self {
        subjects.iter_mut().for_each(Subject::sort);
        subjects.sort_by_key(Subject::rank);
        Self { client: client.to_owned(), valid, summary: Summary::of(&subjects), subjects }
    }

    pub(super) fn needs_attention(&self) -> bool {
        !self.valid || self.subjects.iter().any(|subject| subject.worst <= Verdict::Attention)
    }
}

// === impl Summary ===

impl Summary {
    fn of(subjects: &[Subject]) -> Self {
        let mut summary = Self::default();
        for subject in subjects {
            match (subject.kind, subject.worst) {
                (Kind::Check, Verdict::Invalid) => summary.invalid += 1,
                (Kind::Check, Verdict::Attention) => summary.attention += 1,
                (Kind::Check, Verdict::Changed) => summary.changed += 1,
                (Kind::Check, _) => summary.as_before += 1,
                _ => {
                    let problems = subject.findings.iter().filter(|finding| finding.verdict <= Verdict::Attention);
                    summary.outside_of_checks += problems.count();
                }
            }
            let runs = subject.schedule.is_some();
            summary.checks += usize::from(subject.kind == Kind::Check);
            summary.run_here += usize::from(runs);
            summary.without_timeout += usize::from(runs && !subject.has_timeout);
        }
        summary
    }
}

// === impl Subject ===

impl Subject {
    /// Problems first; what has none stays in the order of the definitions, what is no check behind it.
    fn rank(&self) -> (Verdict, bool) {
        (self.worst.min(Verdict::Elsewhere), self.worst > Verdict::Attention && self.kind != Kind::Check)
    }

    fn sort(&mut self) {
        self.findings.sort_by_key(|finding| finding.verdict);
        self.worst = self.findings.first().map_or(Verdict::Honoured, |finding| finding.verdict);
    }
}
