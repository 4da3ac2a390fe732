//! A check result: what it is, how it is logged, counted, exported and served.
//!
//! Everything that more than one part of Ogi knows about a result stands here, once:
//!
//! - [`CheckResult`] and [`Status`]: one run of a check, exactly as logged, unknown attributes included.
//! - [`log`]: the codec of the check log that sensu-client writes (contract C1), for readers and writers.
//! - [`CheckState`]: the fold over a check's results: occurrences, the last change of status, a bounded history.
//! - [`metrics`]: the gauges of contract C2; [`perfdata`]: the Nagios performance data in an output.
//! - [`api`]: the detail API of contract C3, as an axum router (feature `server`) and a typed client (feature `client`).
//! - [`pages`]: the same for a browser (feature `pages`).
//! - [`values`]: how many JSON values a result may have.
//!
//! Nothing here touches files, sockets or clocks but the two halves of the API and the pages.

#[cfg(any(feature = "server", feature = "client"))]
pub mod api;
mod exit_map;
mod flap;
pub mod log;
pub mod metrics;
#[cfg(feature = "pages")]
pub mod pages;
pub mod perfdata;
mod result;
mod state;
mod status;
mod text;
pub mod values;

pub use exit_map::{BadExitMap, ExitMap};
pub use flap::Thresholds;
pub use result::{CheckKey, CheckResult, InvalidResult, first_line};
pub use state::{CheckState, HistoryEntry, HistoryLimits};
pub use status::{Status, UnknownStatusWord};
pub use text::{cleaned, cleaned_first_line};

/// A JSON object with its keys in the order they were written.
pub type Object = serde_json::Map<String, serde_json::Value>;
