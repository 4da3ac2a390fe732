//! The mark of a failure that an operator's input caused, and that ends the program with code 2.

use std::fmt;

/// Flags or configuration that cannot be used. Holds every failure found, each a whole sentence with file, line and field
/// where it has them, so that an operator mends all of them in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    failures: Vec<String>,
}

impl ConfigError {
    /// One failure.
    #[must_use]
    pub fn new(failure: impl fmt::Display) -> Self {
        Self { failures: vec![failure.to_string()] }
    }

    /// Several failures, in the order in which they are printed.
    #[must_use]
    pub fn all<F: fmt::Display>(failures: impl IntoIterator<Item = F>) -> Self {
        Self { failures: failures.into_iter().map(|failure| failure.to_string()).collect() }
    }

    /// The failures.
    #[must_use]
    pub fn failures(&self) -> &[String] {
        &self.failures
    }
}

impl fmt::Display for ConfigError {
    /// One failure a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failures.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
