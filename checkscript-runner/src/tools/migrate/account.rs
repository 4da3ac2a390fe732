//! The account of everything that an installation has: no attribute is without a line.

use std::path::Path;

use check_result::Object;
use serde_json::Value;

use crate::definitions::{Origin, Origins};
use crate::tools::check_config::report::Verdict;

/// What becomes of an attribute; what a person has to do comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It cannot be carried over as it is: somebody has to decide or do something.
    ToDo,
    /// It is carried over, and behaves otherwise.
    Changed,
    /// It does what it did.
    Carried,
    /// It has no effect any more, and nothing is lost by that.
    Dropped,
}

/// One object of the installation: a check, a handler, a section.
#[derive(Debug)]
pub(super) struct Subject {
    /// `check`, `handler`, …
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// `FILE:LINE`, the file as it is below the installation's directory; empty where it comes from no definition file.
    pub(super) place: String,
    pub(super) lines: Vec<Line>,
}

/// What becomes of one attribute.
#[derive(Debug)]
pub(super) struct Line {
    /// Empty where it is about the whole object.
    pub(super) attribute: String,
    pub(super) fate: Fate,
    pub(super) text: String,
}

/// A verdict on an attribute, in words.
pub(super) type Judgement = (Fate, String);

/// Where the parts of the installation stand.
#[derive(Debug)]
pub(super) struct Places<'a> {
    pub(super) origins: &'a Origins,
    /// The installation's directory.
    pub(super) from: &'a Path,
}

// === impl Places ===

impl Places<'_> {
    /// The account of an object that stands under `path`: each attribute that a file says is judged, the worst first.
    pub(super) fn account(
        &self,
        kind: &'static str,
        path: &[&str],
        object: &Object,
        judge: impl Fn(&str, &Value) -> Judgement,
    ) -> Subject {
        let said = object.iter().filter(|(attribute, _)| self.last(path, Some(attribute)).is_some());
        let lines = said.map(|(attribute, value)| {
            let (fate, text) = judge(attribute, value);
            Line { attribute: attribute.clone(), fate, text }
        });
        let name = path.last().copied().unwrap_or_default().to_owned();
        let mut lines: Vec<_> = lines.collect();
        lines.sort_by_key(|line| line.fate);
        Subject { kind, name, place: self.place(path), lines }
    }

    /// The account of an object as a whole.
    pub(super) fn whole(&self, kind: &'static str, path: &[&str], (fate, text): Judgement) -> Subject {
        let name = path.last().copied().unwrap_or_default().to_owned();
        Subject { kind, name, place: self.place(path), lines: vec![Line { attribute: String::new(), fate, text }] }
    }

    /// Whether a file says something under `path`: it may also be a default.
    pub(super) fn stands(&self, path: &[&str]) -> bool {
        self.last(path, None).is_some()
    }

    fn place(&self, path: &[&str]) -> String {
        let Some(origin) = self.last(path, None) else { return String::new() };
        let file = origin.file.strip_prefix(self.from).unwrap_or(&origin.file);
        format!("{}:{}", file.display(), origin.line)
    }

    fn last(&self, path: &[&str], attribute: Option<&str>) -> Option<&Origin> {
        let path: Vec<_> = path.iter().copied().chain(attribute).map(str::to_owned).collect();
        self.origins.last(&path)
    }
}

// === impl Subject ===

impl Subject {
    /// What somebody has to see to.
    pub(super) fn to_do(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.fate == Fate::ToDo)
    }
}

// === impl Fate ===

impl From<Verdict> for Fate {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Invalid | Verdict::Attention => Self::ToDo,
            Verdict::Changed => Self::Changed,
            Verdict::Elsewhere | Verdict::Honoured => Self::Carried,
            Verdict::NoEffect => Self::Dropped,
        }
    }
}

/// A judgement in fixed words, or in words made for it.
pub(super) fn judged(fate: Fate, text: impl Into<String>) -> Judgement {
    (fate, text.into())
}
