//! Matchers and regular expressions: what is read is written so that it is read the same.
#![no_main]

#[path = "../../web-ui/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::matchers(bytes));
