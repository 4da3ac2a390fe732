//! What an exit status means.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The meaning of a check's exit status, as Sensu and the Nagios plugins have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Exit status 0.
    Ok,
    /// Exit status 1.
    Warning,
    /// Exit status 2.
    Critical,
    /// Any other exit status: 3 by convention, 126 and 127 from a shell, a signal's number.
    Unknown,
}

/// A word that names no status.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a status; expected ok, warning, critical or unknown")]
pub struct UnknownStatusWord(String);

impl Status {
    /// The meaning of `code`.
    pub fn from_exit_code(code: i64) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Warning,
            2 => Self::Critical,
            _ => Self::Unknown,
        }
    }

    /// The word that Sensu's notifications use: `OK`, `WARNING`, `CRITICAL`, `UNKNOWN`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Status {
    type Err = UnknownStatusWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Ok, Self::Warning, Self::Critical, Self::Unknown]
            .into_iter()
            .find(|status| status.word().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownStatusWord(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_and_words() {
        for (code, word) in
            [(0, "OK"), (1, "WARNING"), (2, "CRITICAL"), (3, "UNKNOWN"), (127, "UNKNOWN"), (-1, "UNKNOWN")]
        {
            assert_eq!(Status::from_exit_code(code).to_string(), word);
        }
        assert_eq!("Warning".parse::<Status>().unwrap(), Status::Warning);
        assert!("warn".parse::<Status>().is_err());
    }
}
