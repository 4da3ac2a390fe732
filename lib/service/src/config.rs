//! Reading configuration files, every failure at once.
//!
//! A reader of typed structs stops at the first field of a wrong type or name. Here the file becomes a tree of [`Node`]s, which
//! is read field by field ([`Place`], [`Fields`]); whatever is wrong is noted and the reading goes on. Only what is no YAML, and
//! a key that stands twice, ends it.
//!
//! ```
//! let read = |root: service::config::Place<'_>| {
//!     let mut fields = root.fields();
//!     let workers = fields.number("workers", 4_u32);
//!     let folder = fields.needed("folder", "/var/lib/example").and_then(|place| place.text());
//!     fields.end();
//!     (workers, folder)
//! };
//! let failures = service::config::parse("workers: many\nfolders: []\n", read).unwrap_err();
//! assert_eq!(failures.failures(), [
//!     "1: workers: `many` is not a whole number between 1 and 1099511627776",
//!     "1: folder: is needed, as /var/lib/example",
//!     "2: folders: unknown field; known here: workers, folder",
//! ]);
//! ```

use std::cell::RefCell;
use std::fmt::Display;
use std::path::Path;

use crate::error::ConfigError;

mod fields;
mod survey;
mod tree;

pub use fields::{Fields, Located, Place};
pub use survey::{Kind, Known, survey};
pub use tree::{Entry, Node, Value};

/// Failures so far, with their lines.
#[derive(Debug, Default)]
pub struct Failures {
    noted: RefCell<Vec<(u64, String)>>,
    /// Where a reader is asked what it knows instead.
    survey: Option<survey::Survey>,
}

/// Reads the file at `path` by `check`.
///
/// # Errors
/// All failures in the order of their lines, each as `FILE:LINE: FIELD: what is wrong`.
pub fn load<T>(path: &Path, check: impl FnOnce(Place<'_>) -> T) -> Result<T, ConfigError> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::new(format_args!("{file}: cannot be read: {error}")))?;
    parse(&text, check)
        .map_err(|error| ConfigError::all(error.failures().iter().map(|failure| format!("{file}:{failure}"))))
}

/// Reads the text of a file by `check`, which is given the root.
///
/// # Errors
/// All failures in the order of their lines, each as `LINE: FIELD: what is wrong`.
pub fn parse<T>(text: &str, check: impl FnOnce(Place<'_>) -> T) -> Result<T, ConfigError> {
    let node = tree::parse(text).map_err(ConfigError::new)?;
    let failures = Failures::default();
    let checked = check(Place::root(&node, &failures));
    let mut failures = failures.noted.into_inner();
    failures.sort_by_key(|(line, _)| *line);
    match failures.is_empty() {
        true => Ok(checked),
        false => Err(ConfigError::all(failures.into_iter().map(|(line, what)| format!("{line}: {what}")))),
    }
}

// === impl Failures ===

impl Failures {
    /// Notes what is wrong with the field at `path`; an empty path is the file as a whole.
    pub fn add(&self, line: u64, path: &str, what: impl Display) {
        let field = if path.is_empty() { String::new() } else { format!("{path}: ") };
        self.noted.borrow_mut().push((line, format!("{field}{what}")));
    }

    /// Tells a survey something, where there is one.
    fn tell(&self, tell: impl FnOnce(&survey::Survey)) {
        if let Some(survey) = &self.survey {
            tell(survey);
        }
    }

    fn count(&self) -> usize {
        self.noted.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_in_the_order_of_their_lines_however_many_digits_these_have() {
        let text = format!("{}b: x\na: y\n", "\n".repeat(8));
        let read = |root: Place<'_>| {
            let mut fields = root.fields();
            (fields.number("a", 1_u8), fields.number("b", 1_u8))
        };
        let told = parse(&text, read).unwrap_err();
        let places: Vec<_> = told.failures().iter().map(|failure| failure.split(": `").next().unwrap()).collect();
        assert_eq!(places, ["9: b", "10: a"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let told = load(Path::new("/nowhere/x.yml"), |_| ()).unwrap_err();
        assert_eq!(told.to_string(), "/nowhere/x.yml: cannot be read: No such file or directory (os error 2)");
    }
}
