//! What is wrong with a configuration.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use check_result::Object;
use check_result::log::Level;
use serde_json::Value;

use super::Redaction;
use super::document::{Document, place};
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

    /// A value that breaks a rule; `object` is the definition that it stands in, to be logged with its secrets
    /// [hidden](Self::hide).
    pub(crate) fn invalid(message: String, object: &Value, field: Vec<String>) -> Self {
        let fields = Object::from_iter([("object".to_owned(), object.clone())]);
        Self { message, fields, field, place: None }
    }

    /// The same without secrets.
    pub(super) fn hide(self, redaction: &Redaction) -> Self {
        Self { fields: redaction.object(&self.fields), ..self }
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

/// `FILE:LINE: FIELD: TEXT`, as far as these are known.
impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.place {
            write!(f, "{}:{line}: ", file.display())?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field.join("."))?;
        }
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_with_its_place_and_field() {
        let failure = Failure {
            message: "check interval must be an integer greater than 0".to_owned(),
            fields: Object::new(),
            field: vec!["checks".to_owned(), "a".to_owned(), "interval".to_owned()],
            place: Some(("/etc/sensu/a.json".into(), 7)),
        };
        let want = "/etc/sensu/a.json:7: checks.a.interval: check interval must be an integer greater than 0";
        assert_eq!(failure.to_string(), want);
        let failure = Failure::load("config file must be valid json").with("file", "a.json").with("error", "no colon");
        assert_eq!(failure.to_string(), "config file must be valid json: a.json: no colon");
    }
}
