//! What is wrong with a configuration.

use std::path::PathBuf;

use check_result::Object;
use check_result::log::Level;
use serde_json::Value;

use super::document::{Document, place};
use super::redact_value;
use crate::notice::Notice;

/// One thing that keeps a configuration from being used, in sensu-client's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// sensu-client's text.
    pub message: String,
    /// What sensu-client logs with it: `object` of a validation, `file` and `error` or `directory` of a loading failure.
    pub fields: Object,
    /// The keys that lead to the value that is wrong or missing; empty for a failure to load.
    pub field: Vec<String>,
    /// Where the nearest of these keys stands, where a file says it.
    pub place: Option<(PathBuf, usize)>,
}

// === impl Failure ===

impl Failure {
    /// A file or directory that cannot be loaded.
    pub(crate) fn load(message: &str) -> Self {
        Self { message: message.to_owned(), fields: Object::new(), field: Vec::new(), place: None }
    }

    /// A value that breaks a rule; `object` is the definition that it stands in, logged with its secrets hidden.
    pub(crate) fn invalid(message: String, object: &Value, field: Vec<String>) -> Self {
        let fields = Object::from_iter([("object".to_owned(), redact_value(object))]);
        Self { message, fields, field, place: None }
    }

    #[must_use]
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Finds the file and the line.
    pub(crate) fn place_in(&mut self, documents: &[(PathBuf, Document)]) {
        self.place = place(documents, &self.field);
    }

    /// The log line: sensu-client's keys first, then what it does not say.
    pub fn notice(&self, level: Level) -> Notice {
        Notice { level, message: self.message.clone().into(), fields: self.details() }
    }

    /// As `--validate_config` prints it.
    pub fn report(&self) -> Object {
        let mut report = self.details();
        report.insert("message".to_owned(), self.message.clone().into());
        report
    }

    /// The message in one line; of a failure to load with the reason, and with the file if no place says it.
    pub fn text(&self) -> String {
        let file = if self.place.is_none() { "file" } else { "" };
        let details = [file, "directory", "error"].map(|key| self.fields.get(key).and_then(Value::as_str));
        let texts = std::iter::once(self.message.as_str()).chain(details.into_iter().flatten());
        texts.collect::<Vec<_>>().join(": ")
    }

    fn details(&self) -> Object {
        let mut details = self.fields.clone();
        if !self.field.is_empty() {
            details.insert("field".to_owned(), self.field.join(".").into());
        }
        if let Some((file, line)) = &self.place {
            details.insert("file".to_owned(), file.to_string_lossy().into());
            details.insert("line".to_owned(), (*line).into());
        }
        details
    }
}
