//! The check log (contract C1): one JSON object a line, as sensu-client writes it.
//!
//! [`read_line`] takes any bytes and says what they are; [`skim`] only looks at a result's run, quickly, and a [`Skimmer`] more
//! quickly still; [`write_line`] and [`write_result`] make lines that a reader of sensu-client's log cannot tell from its own. The format follows sensu-logger 1.2.2 and the Oj 2.18.1 encoder in its
//! `compat` mode, with two things mended: what is written here is always valid UTF-8 and valid JSON.

mod number;
mod own;
mod read;
mod repair;
mod run;
mod skimmer;
mod stamp;
mod write;

pub use read::{InvalidLine, Line, LoggedResult, read_line};
pub use repair::records;
pub use run::{Run, Skimmed, skim};
pub use skimmer::Skimmer;
pub use write::{Level, UnknownLevel, write_line, write_payload, write_result};

/// The longest line that is to be written and is read, in bytes without the line feed. sensu-client logs outputs whole;
/// this is eight times the largest seen.
pub const LONGEST_LINE: usize = 16 << 20;

/// The message of the lines that carry a result in `payload`.
const PUBLISHING_CHECK_RESULT: &str = "publishing check result";
/// The message of the start-up line that carries, redacted, the client's own attributes in `client`.
const APPLIED_CLIENT_OVERRIDES: &str = "applied sensu client overrides";
/// The messages that say, with the definition in `check`, that a scheduled run did not take place. The second one is
/// checkscript-runner's own: for sensu-client a run that waits to be started is in progress.
const NOT_RUN: [&str; 4] = [
    "previous check command execution in progress",
    "previous check command execution is waiting for a free slot",
    "previous check extension execution in progress",
    "check execution was subdued",
];
