//! alertmanager-proxy's configuration: a mistake is told with its line.
#![no_main]

#[path = "../../alertmanager-proxy/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::config(bytes));
