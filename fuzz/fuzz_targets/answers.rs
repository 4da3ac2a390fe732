//! What Prometheus and Alertmanager answer web-ui: lists are what looking at each thing alone gives.
#![no_main]

#[path = "../../web-ui/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::answers(bytes));
