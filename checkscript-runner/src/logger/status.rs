//! How the log stands, for whoever asks later than the line that told it: the service manager, `TRAP`.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use super::Lost;

/// Where lines go, why not elsewhere, and what was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where they go.
    pub stream: Stream,
    /// The file that is wanted; none for standard output.
    pub file: Option<PathBuf>,
    /// Why it is not the one that is wanted.
    pub error: Option<String>,
    /// What was lost since the start.
    pub lost: Lost,
}

/// What lines are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, as is wanted.
    StandardOutput,
    /// The file that is wanted.
    File,
    /// Standard output, since the file cannot be opened.
    Fallback,
    /// The file that had the name before, since the name cannot be opened anew.
    Previous,
    /// Nothing: writing fails, and lines wait.
    None,
}

// === impl Status ===

/// One line for a person, as `systemctl status` shows it.
impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // One line, whatever the name holds.
        let file = self.file.as_deref().map(|file| file.display().to_string().replace('\n', "?")).unwrap_or_default();
        let error = self.error.as_deref().unwrap_or_default();
        match self.stream {
            Stream::StandardOutput => f.write_str("Logging to standard output")?,
            Stream::File => write!(f, "Logging to {file}")?,
            Stream::Fallback => write!(f, "Logging to standard output, {file} cannot be opened: {error}")?,
            Stream::Previous => write!(f, "Logging to the file that was {file}, it cannot be opened anew: {error}")?,
            Stream::None => write!(f, "Not logging, lines wait: {error}")?,
        }
        match self.lost {
            Lost { lines: 0, .. } => Ok(()),
            Lost { lines, results } => {
                write!(f, "; log lines lost since the start: {lines}, results among them: {results}")
            }
        }
    }
}

// === impl Stream ===

impl Stream {
    /// Whether lines go to standard output, wanted or not.
    pub(crate) fn is_standard_output(self) -> bool {
        matches!(self, Self::StandardOutput | Self::Fallback)
    }

    /// The word for it in the log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::StandardOutput => "standard output",
            Self::File => "file",
            Self::Fallback => "fallback to standard output",
            Self::Previous => "previous file",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_where_lines_go_and_why() {
        let file = Status { stream: Stream::File, file: Some("/log".into()), error: None, lost: Lost::default() };
        assert_eq!(file.to_string(), "Logging to /log");
        let error = Some("Permission denied (os error 13)".to_owned());
        let fallback = Status { stream: Stream::Fallback, error, ..file };
        let want = "Logging to standard output, /log cannot be opened: Permission denied (os error 13)";
        assert_eq!(fallback.to_string(), want);
        let none = Status { stream: Stream::None, lost: Lost { lines: 3, results: 2 }, ..fallback };
        let want = "Not logging, lines wait: Permission denied (os error 13); log lines lost since the start: 3, \
                    results among them: 2";
        assert_eq!(none.to_string(), want);
    }
}
