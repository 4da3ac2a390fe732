//! What Prometheus posts to the proxy: an alert that is passed on is read as the one that was posted.
#![no_main]

#[path = "../../alertmanager-proxy/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::alerts(bytes));
