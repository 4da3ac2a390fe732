//! Addresses and the form of a silence: what comes of it keeps every rule.
#![no_main]

#[path = "../../web-ui/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::silence_form(bytes));
