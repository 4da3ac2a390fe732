//! What the runner has to say, and where it says it.
//!
//! Everything that leaves the scheduler and the executor goes through a [`Sink`]: results and [`Notice`]s. The binary's
//! sink is the log ([`crate::logger::Logger`]); another program that embeds the runner brings its own.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use check_result::log::Level;
use check_result::{CheckResult, Object};
use serde_json::Value;

/// Takes what the runner produces. Called from the async runtime: an implementation must not block.
pub trait Sink: Send + Sync {
    /// A check ran, or could not be run for a reason that is its result.
    fn publish(&self, result: &CheckResult);

    /// Anything else that an operator may want to know.
    fn notice(&self, notice: &Notice);

    /// Whether a notice of this level is of use: what nobody wants need not be put together.
    fn wants(&self, level: Level) -> bool {
        level > Level::Debug
    }
}

/// One line of the log that is not a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// How bad it is.
    pub level: Level,
    /// sensu-client's text, where it has one for the case.
    pub message: Cow<'static, str>,
    /// What it is about, in the order of the log line.
    pub fields: Object,
}

// === impl Notice ===

impl Notice {
    /// A notice without fields.
    pub fn new(level: Level, message: impl Into<Cow<'static, str>>) -> Self {
        Self { level, message: message.into(), fields: Object::new() }
    }

    /// Adds a field after those it has.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }
}

/// One line for a person: the message, then the fields as JSON.
impl Display for Notice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.fields.is_empty() { Ok(()) } else { write!(f, ": {}", Value::Object(self.fields.clone())) }
    }
}
