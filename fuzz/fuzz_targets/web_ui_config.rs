//! web-ui's configuration: a mistake is told with its line.
#![no_main]
#![expect(dead_code, reason = "each target asserts one of the properties")]

#[path = "../../web-ui/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::config(bytes));
