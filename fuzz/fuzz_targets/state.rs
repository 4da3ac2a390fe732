//! The agent's state file: what is taken is saved the same, and its checks go on.
#![no_main]

#[path = "../../agent/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::state(bytes));
