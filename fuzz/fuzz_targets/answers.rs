//! What Prometheus and Alertmanager answer web-ui: lists are what looking at each thing alone gives.
#![no_main]
#![expect(dead_code, reason = "each target asserts one of the properties")]

#[path = "../../web-ui/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::answers(bytes));
