//! Reading a mapping field by field, and noting everything that is wrong with it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

use super::Failures;
use super::survey::{ANYTHING, Kind};
use super::tree::{Entry, Node, Value};

/// A bound far above any use, so that sums and allocations cannot overflow.
const LARGEST: i64 = 1 << 40;

/// A place in the file: what stands there, and the name of the field.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    path: String,
    node: &'a Node,
    failures: &'a Failures,
}

/// A value and the line on which it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located<T> {
    /// The line, counted from 1.
    pub line: u64,
    /// The value.
    pub value: T,
}

/// The fields of a mapping that have not been read yet.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    line: u64,
    left: Vec<&'a Entry>,
    known: Vec<&'static str>,
    failures: &'a Failures,
}

// === impl Place ===

impl<'a> Place<'a> {
    pub(super) fn root(node: &'a Node, failures: &'a Failures) -> Self {
        Self { path: String::new(), node, failures }
    }

    /// The line on which the value begins, counted from 1.
    pub fn line(&self) -> u64 {
        self.node.line
    }

    /// Where further failures of the file are noted.
    pub fn failures(&self) -> &'a Failures {
        self.failures
    }

    /// Notes what is wrong here.
    pub fn fail(&self, what: impl Display) {
        self.failures.add(self.node.line, &self.path, what);
    }

    /// The value that stands here, checked by `check`.
    pub fn value<T>(&self, check: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let checked = match &self.node.value {
            Value::Scalar(text) => check(text),
            Value::Anything => return None,
            other => Err(format!("a single value is expected, not {}", other.kind())),
        };
        checked.map_err(|what| self.fail(what)).ok()
    }

    /// The text that stands here, whatever it is.
    pub fn text(&self) -> Option<String> {
        self.value(|text| Ok(text.to_owned()))
    }

    /// The same with its line, for checks that come later.
    pub fn located(&self) -> Option<Located<String>> {
        self.text().map(|value| Located { line: self.line(), value })
    }

    /// The fields of the mapping that stands here; without any where it is none.
    pub fn fields(&self) -> Fields<'a> {
        let left = match &self.node.value {
            Value::Map(entries) => entries.iter().collect(),
            Value::Null => Vec::new(),
            Value::Anything => {
                self.failures.tell(|survey| survey.is(&self.path, Kind::Mapping));
                Vec::new()
            }
            other => {
                self.fail(format_args!("a mapping is expected, not {}", other.kind()));
                Vec::new()
            }
        };
        Fields { path: self.path.clone(), line: self.node.line, left, known: Vec::new(), failures: self.failures }
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// What stands in the field; none where it is absent or empty.
    pub fn place(&mut self, name: &'static str) -> Option<Place<'a>> {
        if let Some(survey) = &self.failures.survey {
            let path = self.path_of(name);
            return survey.asked(&path).then(|| self.at(path, &ANYTHING));
        }
        self.known.push(name);
        let index = self.left.iter().position(|entry| entry.key == name)?;
        let node = &self.left.remove(index).node;
        (!matches!(node.value, Value::Null)).then(|| self.at(self.path_of(name), node))
    }

    /// The same, for a field that has to be there; `example` shows what.
    pub fn needed(&mut self, name: &'static str, example: &str) -> Option<Place<'a>> {
        let place = self.place(name);
        self.failures.tell(|survey| survey.needed(&self.path_of(name), example));
        if place.is_none() {
            self.failures.add(self.line, &self.path_of(name), format_args!("is needed, as {example}"));
        }
        place
    }

    /// The items of a list; none where it is absent.
    pub fn list(&mut self, name: &'static str) -> Vec<Place<'a>> {
        match self.place(name) {
            None => Vec::new(),
            Some(Place { path, node: Node { value: Value::List(items), .. }, .. }) => {
                items.iter().enumerate().map(|(i, node)| self.at(format!("{path}[{i}]"), node)).collect()
            }
            Some(Place { path, node: Node { value: Value::Anything, .. }, .. }) => {
                self.failures.tell(|survey| survey.is(&path, Kind::List));
                vec![self.at(format!("{path}[]"), &ANYTHING)]
            }
            Some(place) => {
                place.fail(format_args!("a list is expected, not {}", place.node.value.kind()));
                Vec::new()
            }
        }
    }

    /// The items of a list that has to have some; `example` shows what.
    pub fn needed_list(&mut self, name: &'static str, example: &str) -> Vec<Place<'a>> {
        let before = self.failures.count();
        let items = self.list(name);
        self.failures.tell(|survey| survey.needed(&self.path_of(name), example));
        if items.is_empty() && self.failures.count() == before {
            self.failures.add(self.line, &self.path_of(name), format_args!("is needed, as {example}"));
        }
        items
    }

    /// The fields of a section; all absent where the section is.
    pub fn section(&mut self, name: &'static str) -> Fields<'a> {
        match self.place(name) {
            Some(place) => place.fields(),
            None => {
                let path = self.path_of(name);
                Fields { path, line: self.line, left: Vec::new(), known: Vec::new(), failures: self.failures }
            }
        }
    }

    /// All fields of a mapping whose keys are free, with their keys.
    pub fn all(self) -> impl Iterator<Item = (&'a str, Place<'a>)> {
        let (path, failures) = (self.path, self.failures);
        failures.tell(|survey| survey.is(&path, Kind::Names));
        let any = failures.survey.as_ref().map(|_| ("NAME", &ANYTHING));
        let entries = self.left.into_iter().map(|entry| (entry.key.as_str(), &entry.node));
        entries.chain(any).map(move |(key, node)| (key, Place { path: format!("{path}.{key}"), node, failures }))
    }

    /// A duration within `range`, as [`crate::duration`] reads it.
    pub fn duration(&mut self, name: &'static str, range: RangeInclusive<Duration>, default: Duration) -> Duration {
        let check = |text: &str| match crate::duration(text) {
            Ok(duration) if !range.contains(&duration) => {
                Err(format!("`{text}` is not between {} and {}", told(*range.start()), told(*range.end())))
            }
            other => other.map_err(|error| format!("`{text}`: {error}")),
        };
        let place = self.place(name);
        self.failures.tell(|survey| survey.is(&self.path_of(name), Kind::duration(&range, default)));
        place.and_then(|place| place.value(check)).unwrap_or(default)
    }

    /// `true` or `false`, as YAML 1.1 and so Go's reader writes them.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let check = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" => Ok(false),
            _ => Err(format!("`{text}` is neither `true` nor `false`")),
        };
        let place = self.place(name);
        self.failures.tell(|survey| survey.is(&self.path_of(name), Kind::Boolean));
        place.and_then(|place| place.value(check))
    }

    /// A whole number from 1 up.
    pub fn number<T: TryFrom<i64> + Display>(&mut self, name: &'static str, default: T) -> T {
        let check = |text: &str| {
            let number = text.parse::<i64>().ok().filter(|number| (1..=LARGEST).contains(number));
            let fitting = number.and_then(|number| T::try_from(number).ok());
            fitting.ok_or_else(|| format!("`{text}` is not a whole number between 1 and {LARGEST}"))
        };
        let place = self.place(name);
        self.failures.tell(|survey| survey.is(&self.path_of(name), Kind::number(&default)));
        place.and_then(|place| place.value(check)).unwrap_or(default)
    }

    /// Notes what has not been read.
    pub fn end(self) {
        for entry in &self.left {
            let known = self.known.join(", ");
            let path = self.path_of(&entry.key);
            self.failures.add(entry.line, &path, format_args!("unknown field; known here: {known}"));
        }
    }

    fn at(&self, path: String, node: &'a Node) -> Place<'a> {
        Place { path, node, failures: self.failures }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// A duration as it is written in a file.
pub(super) fn told(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |duration| format!("{duration:#}"))
}
