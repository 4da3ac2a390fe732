//! Pushed check results: within bounds, readable by Prometheus, the same after a restart.
#![no_main]

#[path = "../../pushgateway-ex/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::checks(bytes));
