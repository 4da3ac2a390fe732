//! Reading a mapping field by field, and noting everything that is wrong with it.

use std::cell::RefCell;
use std::time::Duration;

use super::raw::{Entry, Node, Value};

/// The longest wait that may be configured: long before it Prometheus resends and Alertmanager resolves.
const LONGEST: Duration = Duration::from_secs(3600);

/// A bound far above any use, so that sums and allocations cannot overflow.
const LARGEST: i64 = 1 << 40;

/// Failures so far, each as `LINE: FIELD: what is wrong`.
#[derive(Debug, Default)]
pub(super) struct Failures(RefCell<Vec<String>>);

/// A place in the file: what stands there, and the name of the field.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
}

/// The fields of a mapping that have not been read yet.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    path: String,
    line: u64,
    left: Vec<&'a Entry>,
    known: Vec<&'static str>,
    failures: &'a Failures,
}

// === impl Failures ===

impl Failures {
    pub(super) fn add(&self, line: u64, path: &str, what: impl std::fmt::Display) {
        let field = if path.is_empty() { String::new() } else { format!("{path}: ") };
        self.0.borrow_mut().push(format!("{line}: {field}{what}"));
    }

    /// All of them in the order of their lines.
    pub(super) fn sorted(self) -> Vec<String> {
        let mut failures = self.0.into_inner();
        failures.sort_by_key(|failure| failure.split(':').next().and_then(|line| line.parse::<u64>().ok()));
        failures
    }
}

// === impl Place ===

impl<'a> Place<'a> {
    /// The value that stands here, checked by `check`.
    pub(super) fn value<T>(&self, failures: &Failures, check: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let checked = match &self.node.value {
            Value::Scalar(text) => check(text),
            other => Err(format!("a single value is expected, not {}", other.kind())),
        };
        checked.map_err(|what| failures.add(self.node.line, &self.path, what)).ok()
    }

    /// The fields of the mapping that stands here; without any where it is none.
    pub(super) fn fields(&self, failures: &'a Failures) -> Fields<'a> {
        let (line, path) = (self.node.line, self.path.clone());
        let left = match &self.node.value {
            Value::Map(entries) => entries.iter().collect(),
            Value::Null => Vec::new(),
            other => {
                failures.add(line, &path, format_args!("a mapping is expected, not {}", other.kind()));
                Vec::new()
            }
        };
        Fields { path, line, left, known: Vec::new(), failures }
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// What stands in the field; none where it is absent or empty.
    pub(super) fn place(&mut self, name: &'static str) -> Option<Place<'a>> {
        self.known.push(name);
        let index = self.left.iter().position(|entry| entry.key == name)?;
        let node = &self.left.remove(index).node;
        (!matches!(node.value, Value::Null)).then(|| Place { path: self.path_of(name), node })
    }

    /// The same, for a field that has to be there; `example` shows what.
    pub(super) fn needed(&mut self, name: &'static str, example: &str) -> Option<Place<'a>> {
        let place = self.place(name);
        if place.is_none() {
            self.failures.add(self.line, &self.path_of(name), format_args!("is needed, as {example}"));
        }
        place
    }

    /// The items of a list; none where it is absent.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<Place<'a>> {
        match self.place(name) {
            None => Vec::new(),
            Some(Place { path, node: Node { value: Value::List(items), .. } }) => {
                items.iter().enumerate().map(|(i, node)| Place { path: format!("{path}[{i}]"), node }).collect()
            }
            Some(Place { path, node }) => {
                self.failures.add(node.line, &path, format_args!("a list is expected, not {}", node.value.kind()));
                Vec::new()
            }
        }
    }

    /// The items of a list that has to have some; `example` shows what.
    pub(super) fn needed_list(&mut self, name: &'static str, example: &str) -> Vec<Place<'a>> {
        let before = self.failures.0.borrow().len();
        let items = self.list(name);
        if items.is_empty() && self.failures.0.borrow().len() == before {
            self.failures.add(self.line, &self.path_of(name), format_args!("is needed, as {example}"));
        }
        items
    }

    /// The fields of a section; all absent where the section is.
    pub(super) fn section(&mut self, name: &'static str) -> Fields<'a> {
        match self.place(name) {
            Some(place) => place.fields(self.failures),
            None => {
                let path = self.path_of(name);
                Fields { path, line: self.line, left: Vec::new(), known: Vec::new(), failures: self.failures }
            }
        }
    }

    /// All fields of a mapping whose keys are free, with their keys.
    pub(super) fn all(self) -> impl Iterator<Item = (&'a str, Place<'a>)> {
        let path = self.path;
        self.left
            .into_iter()
            .map(move |entry| (entry.key.as_str(), Place { path: format!("{path}.{}", entry.key), node: &entry.node }))
    }

    /// A duration from 1 ms to an hour.
    pub(super) fn duration(&mut self, name: &'static str, default: Duration) -> Duration {
        let check = |text: &str| match service::duration(text) {
            Ok(duration) if duration.is_zero() || duration > LONGEST => {
                Err(format!("`{text}` is not between 1ms and 1h"))
            }
            other => other.map_err(|error| format!("`{text}`: {error}")),
        };
        self.place(name).and_then(|place| place.value(self.failures, check)).unwrap_or(default)
    }

    /// A whole number from 1 up.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, name: &'static str, default: T) -> T {
        let check = |text: &str| {
            let number = text.parse::<i64>().ok().filter(|number| (1..=LARGEST).contains(number));
            let fitting = number.and_then(|number| T::try_from(number).ok());
            fitting.ok_or_else(|| format!("`{text}` is not a whole number between 1 and {LARGEST}"))
        };
        self.place(name).and_then(|place| place.value(self.failures, check)).unwrap_or(default)
    }

    /// Notes what has not been read.
    pub(super) fn end(self) {
        for entry in &self.left {
            let known = self.known.join(", ");
            let path = self.path_of(&entry.key);
            self.failures.add(entry.line, &path, format_args!("unknown field; known here: {known}"));
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
