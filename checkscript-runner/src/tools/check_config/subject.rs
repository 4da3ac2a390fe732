//! Collecting the findings of one subject.

use super::report::{Finding, Kind, Place, Subject, Verdict};
use crate::definitions::{Failure, Origin, Origins};

/// A subject in the making.
pub(super) struct Builder<'a> {
    origins: &'a Origins,
    path: Vec<String>,
    findings: Vec<Finding>,
    pub(super) schedule: Option<String>,
    pub(super) not_run: Option<String>,
    pub(super) has_timeout: bool,
    pub(super) name_of_result: Option<String>,
}

// === impl Builder ===

impl<'a> Builder<'a> {
    /// The subject that stands under `path`.
    pub(super) fn new(origins: &'a Origins, path: &[&str]) -> Self {
        let path = path.iter().map(|&key| key.to_owned()).collect();
        let (schedule, not_run, name_of_result) = (None, None, None);
        Self { origins, path, findings: Vec::new(), schedule, not_run, has_timeout: false, name_of_result }
    }

    /// Adds a verdict on an attribute, by its keys from the subject on. What breaks a rule has no further
    /// verdict, and the same is not said twice (of two items of an array, say).
    pub(super) fn add(&mut self, verdict: Verdict, attribute: &[&str], text: String) {
        let attribute_name = attribute.join(".");
        let is_said = |finding: &Finding| {
            let is_settled = finding.verdict == Verdict::Invalid && verdict != Verdict::Invalid;
            finding.attribute == attribute_name && (is_settled || finding.text == text)
        };
        if attribute.is_empty() || !self.findings.iter().any(is_said) {
            let place = self.place(attribute);
            self.findings.push(Finding { verdict, attribute: attribute_name, text, place });
        }
    }

    pub(super) fn add_failure(&mut self, failure: &Failure) {
        let attribute = failure.field.get(self.path.len()..).unwrap_or_default().join(".");
        let place = failure.place.clone().map(|(file, line)| Place { file, line });
        self.findings.push(Finding { verdict: Verdict::Invalid, attribute, text: failure.text(), place });
    }

    /// Whether a rule is broken.
    pub(super) fn is_invalid(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Invalid)
    }

    /// Whether a file says the attribute: it may also be a default.
    pub(super) fn stands(&self, attribute: &[&str]) -> bool {
        self.origins.last(&self.full(attribute)).is_some()
    }

    pub(super) fn finish(self, kind: Kind, name: &str) -> Subject {
        Subject {
            kind,
            name: name.to_owned(),
            schedule: self.schedule,
            not_run: self.not_run,
            has_timeout: self.has_timeout,
            name_of_result: self.name_of_result,
            place: self.origins.of(&self.path).first().map(Place::from),
            worst: Verdict::Honoured,
            findings: self.findings,
        }
    }

    /// Where the attribute's value, or the nearest object around it, stands.
    fn place(&self, attribute: &[&str]) -> Option<Place> {
        let path = self.full(attribute);
        let around = (self.path.len()..=path.len()).rev();
        around.filter_map(|length| self.origins.last(&path[..length])).map(Place::from).next()
    }

    fn full(&self, attribute: &[&str]) -> Vec<String> {
        self.path.iter().cloned().chain(attribute.iter().map(|&key| key.to_owned())).collect()
    }
}

impl From<&Origin> for Place {
    fn from(origin: &Origin) -> Self {
        Self { file: origin.file.to_path_buf(), line: origin.line }
    }
}
