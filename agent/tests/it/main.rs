//! The agent as its users meet it: over HTTP, and as a process.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod access;
mod bad_input;
mod bad_lines;
mod binary;
mod clocks;
mod crash;
mod fuzzing;
mod history;
mod model;
mod properties;
#[path = "../../../fuzz/replay.rs"]
mod replay;
mod serving;
