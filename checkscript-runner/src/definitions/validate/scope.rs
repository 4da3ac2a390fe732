//! The language that the rules are written in.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::definitions::failure::Failure;

/// What a value must be, and how a message says so.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    holds: fn(&Value) -> bool,
    words: &'static str,
}

pub(super) const STRING: Kind = Kind { holds: Value::is_string, words: "must be a string" };
pub(super) const BOOLEAN: Kind = Kind { holds: Value::is_boolean, words: "must be boolean" };
pub(super) const NUMERIC: Kind = Kind { holds: Value::is_number, words: "must be numeric" };
pub(super) const INTEGER: Kind = Kind { holds: is_integer, words: "must be an integer" };
pub(super) const OBJECT: Kind = Kind { holds: Value::is_object, words: "must be a hash" };
pub(super) const ARRAY: Kind = Kind { holds: Value::is_array, words: "must be an array" };

/// An object under examination. Messages begin with `words`; failures carry `whole`, the definition that it is part of.
pub(super) struct Scope<'a> {
    words: String,
    whole: &'a Value,
    value: &'a Value,
    field: Vec<String>,
    failures: &'a mut Vec<Failure>,
}

// === impl Scope ===

impl<'a> Scope<'a> {
    pub(super) fn new(words: &str, whole: &'a Value, field: Vec<String>, failures: &'a mut Vec<Failure>) -> Self {
        Self { words: words.to_owned(), whole, value: whole, field, failures }
    }

    /// The attribute; null where it is not set.
    pub(super) fn get(&self, attribute: &str) -> &'a Value {
        self.value.get(attribute).unwrap_or(&Value::Null)
    }

    /// Records `WORDS TEXT` about the attribute unless the rule holds; says whether it does.
    pub(super) fn rule(&mut self, attribute: &str, holds: bool, text: &str) -> bool {
        let text = format!("{} {text}", self.words);
        self.whole_text(attribute, holds, &text)
    }

    /// As [`Self::rule`], where the text does not begin with the scope's words.
    pub(super) fn whole_text(&mut self, attribute: &str, holds: bool, text: &str) -> bool {
        if !holds {
            let field = self.field.iter().cloned().chain([attribute.to_owned()]).collect();
            self.failures.push(Failure::invalid(text.to_owned(), self.whole, field));
        }
        holds
    }

    /// The attribute must be there and of the kind.
    pub(super) fn required(&mut self, attribute: &str, kind: Kind) -> bool {
        self.labelled(attribute, attribute, kind)
    }

    /// As [`Self::required`], where messages call the attribute something else.
    pub(super) fn labelled(&mut self, attribute: &str, label: &str, kind: Kind) -> bool {
        self.rule(attribute, (kind.holds)(self.get(attribute)), &format!("{label} {}", kind.words))
    }

    /// The attribute may be unset, or must be of the kind.
    pub(super) fn optional(&mut self, attribute: &str, kind: Kind) -> bool {
        self.get(attribute).is_null() || self.required(attribute, kind)
    }

    /// The attribute must be an array of non-empty strings; `items` says what its items must be.
    pub(super) fn strings(&mut self, attribute: &str, items: &str) {
        if self.required(attribute, ARRAY) {
            self.rule(attribute, are_strings(self.get(attribute)), &format!("{attribute} {items}"));
        }
    }

    /// The members, where the value is an object.
    pub(super) fn object_entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.value.as_object().into_iter().flatten()
    }

    /// `handler`, a string, and `handlers`, an array of them.
    pub(super) fn handlers(&mut self) {
        self.optional("handler", STRING);
        if !self.get("handlers").is_null() {
            self.strings("handlers", "must each be a string");
        }
    }

    /// The attribute may be unset, or must be an object that holds `rules`; their messages begin with its name too.
    pub(super) fn object(&mut self, attribute: &str, rules: impl FnOnce(&mut Scope<'_>)) {
        if self.optional(attribute, OBJECT) && self.get(attribute).is_object() {
            let words = format!("{} {attribute}", self.words);
            rules(&mut self.inside(attribute, &words));
        }
    }

    /// The scope of an attribute's value, with words of its own.
    pub(super) fn inside(&mut self, attribute: &str, words: &str) -> Scope<'_> {
        let field = self.field.iter().cloned().chain([attribute.to_owned()]).collect();
        let value = self.get(attribute);
        Scope { words: words.to_owned(), whole: self.whole, value, field, failures: self.failures }
    }

    /// As [`Self::inside`], where failures carry only the attribute's value.
    pub(super) fn apart(&mut self, attribute: &str, words: &str) -> Scope<'_> {
        let value = self.get(attribute);
        Scope { whole: value, ..self.inside(attribute, words) }
    }

    /// The object itself must be one.
    pub(super) fn must_be_object(&mut self) -> bool {
        let holds = self.value.is_object();
        if !holds {
            let text = format!("{} {}", self.words, OBJECT.words);
            self.failures.push(Failure::invalid(text, self.whole, self.field.clone()));
        }
        holds
    }
}

// === values ===

/// Neither null nor false: what Ruby's `if` takes.
pub(super) fn is_truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// An integer of any size; `1.0` and `1e3` are none.
pub(super) fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Number(number) if !number.as_str().contains(['.', 'e', 'E']))
}

pub(super) fn is_positive_integer(value: &Value) -> bool {
    let has_digit = |number: &str| !number.starts_with('-') && number.contains(|c| ('1'..='9').contains(&c));
    matches!(value, Value::Number(number) if is_integer(value) && has_digit(number.as_str()))
}

pub(super) fn are_strings(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(|item| item.as_str().is_some_and(|item| !item.is_empty())))
}

/// Names of the statuses from 0 on.
pub(super) const SEVERITIES: [&str; 4] = ["ok", "warning", "critical", "unknown"];

/// The names of checks and clients.
pub(super) static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\A[A-Za-z0-9_.-]+\z"));

pub(super) fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles")
}

pub(super) fn matches(value: &Value, pattern: &Regex) -> bool {
    value.as_str().is_some_and(|text| pattern.is_match(text))
}
