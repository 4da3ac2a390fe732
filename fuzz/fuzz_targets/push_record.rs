//! Records of the store: what is taken is a group that Prometheus can read.
#![no_main]

#[path = "../../pushgateway-ex/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::record(bytes));
