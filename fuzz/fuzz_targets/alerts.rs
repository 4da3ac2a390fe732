//! What Prometheus posts to the proxy: an alert that is passed on is read as the one that was posted.
#![no_main]
#![expect(dead_code, reason = "each target asserts one of the properties")]

#[path = "../../alertmanager-proxy/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::alerts(bytes));
