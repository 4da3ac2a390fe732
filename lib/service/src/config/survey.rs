//! Which fields a reader knows, found out by having it read: a file in which everything stands, then one for each field in which
//! all stands but that, since what is there decides what else may be. So the reference of a configuration is what reads it.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::fields::told;
use super::tree::{Node, Value};
use super::{Failures, Place};

/// What stands everywhere while a reader is asked.
pub(super) static ANYTHING: Node = Node { line: 0, value: Value::Anything };

/// A field that a reader knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where it stands: `sections.field`, `list[].field`, `mapping.NAME.field` where names are free.
    pub path: String,
    /// What it takes.
    pub kind: Kind,
    /// An example, where it has to be there; beside some others it may be left out.
    pub needed: Option<String>,
}

/// What a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A single value, which the program checks by itself.
    Value,
    /// `true` or `false`.
    Boolean,
    /// A whole number from 1 up.
    Number {
        /// What holds without it.
        default: String,
    },
    /// A duration.
    Duration {
        /// The shortest and the longest.
        range: [String; 2],
        /// What holds without it.
        default: String,
    },
    /// A list.
    List,
    /// A mapping.
    Mapping,
    /// A mapping whose names are free.
    Names,
}

/// What one reading has told.
#[derive(Debug)]
pub(super) struct Survey {
    absent: Option<String>,
    known: RefCell<Vec<Known>>,
}

/// Every field that `read` asks for, in its order; `read` is called once for each of them and must not mind that no value is to be had.
pub fn survey(read: impl Fn(Place<'_>)) -> Vec<Known> {
    let mut all = once(&read, None);
    let mut tried = 0;
    while let Some(absent) = all.get(tried).map(|known| known.path.clone()) {
        let mut place = 0;
        for known in once(&read, Some(absent)) {
            match all.iter().position(|other| other.path == known.path) {
                Some(at) => {
                    let needed = all[at].needed.take();
                    all[at].needed = needed.or(known.needed);
                    place = at + 1;
                }
                None => {
                    all.insert(place, known);
                    // What is new before the one that was tried moves that on.
                    tried += usize::from(place <= tried);
                    place += 1;
                }
            }
        }
        tried += 1;
    }
    all
}

fn once(read: &impl Fn(Place<'_>), absent: Option<String>) -> Vec<Known> {
    let survey = Survey { absent, known: RefCell::default() };
    let failures = Failures { survey: Some(survey), ..Failures::default() };
    read(Place::root(&ANYTHING, &failures));
    failures.survey.map(|survey| survey.known.into_inner()).unwrap_or_default()
}

// === impl Kind ===

impl Kind {
    pub(super) fn number(default: impl Display) -> Self {
        Self::Number { default: default.to_string() }
    }

    pub(super) fn duration(range: &RangeInclusive<Duration>, default: Duration) -> Self {
        Self::Duration { range: [told(*range.start()), told(*range.end())], default: told(default) }
    }
}

// === impl Survey ===

impl Survey {
    /// Notes that a field was asked for, and says whether it is there.
    pub(super) fn asked(&self, path: &str) -> bool {
        let mut known = self.known.borrow_mut();
        if known.iter().all(|field| field.path != path) {
            known.push(Known { path: path.to_owned(), kind: Kind::Value, needed: None });
        }
        self.absent.as_deref() != Some(path)
    }

    /// Notes as what it was read.
    pub(super) fn is(&self, path: &str, kind: Kind) {
        self.with(path, |known| known.kind = kind);
    }

    /// Notes that it has to be there.
    pub(super) fn needed(&self, path: &str, example: &str) {
        self.with(path, |known| known.needed = Some(example.to_owned()));
    }

    fn with(&self, path: &str, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.known.borrow_mut().iter_mut().find(|known| known.path == path) {
            change(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(root: Place<'_>) {
        let mut fields = root.fields();
        for item in fields.needed_list("servers", "[{url: http://a}]") {
            let mut fields = item.fields();
            if fields.place("dns").is_none() {
                fields.needed("url", "http://a").and_then(|place| place.text());
            }
            fields.section("headers").all().for_each(|(_, place)| {
                place.text();
            });
            fields.end();
        }
        fields.duration("wait", Duration::from_secs(1)..=Duration::from_secs(60), Duration::from_secs(3));
        let mut section = fields.section("limits");
        section.number("alerts", 50_u32);
        section.boolean("strict");
        section.end();
        fields.end();
    }

    #[test]
    fn every_field_is_found_with_its_kind_and_default_also_those_that_another_one_replaces() {
        let known = survey(read);
        let duration = Kind::Duration { range: ["1s".to_owned(), "1m".to_owned()], default: "3s".to_owned() };
        let found: Vec<_> =
            known.iter().map(|known| (&*known.path, known.kind.clone(), known.needed.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("servers", Kind::List, Some("[{url: http://a}]")),
                ("servers[].dns", Kind::Value, None),
                ("servers[].url", Kind::Value, Some("http://a")),
                ("servers[].headers", Kind::Names, None),
                ("wait", duration, None),
                ("limits", Kind::Mapping, None),
                ("limits.alerts", Kind::number(50), None),
                ("limits.strict", Kind::Boolean, None),
            ]
        );
    }
}
