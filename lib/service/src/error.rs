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

    /// Both results, or the failures of both.
    ///
    /// # Errors
    /// When one of them is a failure.
    pub fn both<A, B>(first: Result<A, Self>, second: Result<B, Self>) -> Result<(A, B), Self> {
        match (first, second) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            (first, second) => {
                let (first, second) = (first.err(), second.err());
                Err(Self::all([first, second].into_iter().flatten().flat_map(|error| error.failures)))
            }
        }
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
