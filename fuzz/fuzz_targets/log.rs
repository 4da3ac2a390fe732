//! The log codec: every reader of a line agrees with every other, whatever the bytes, and what is written reads the same.
#![no_main]

#[path = "../../lib/check-result/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::log(bytes));
