//! Pushed check results: within bounds, readable by Prometheus, the same after a restart.
#![no_main]
#![expect(dead_code, reason = "each target asserts one of the properties")]

#[path = "../../pushgateway-ex/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::checks(bytes));
