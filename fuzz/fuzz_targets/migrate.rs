//! Sensu installations: what they become is whole.
#![no_main]

#[path = "../../checkscript-runner/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::migrate(bytes));
