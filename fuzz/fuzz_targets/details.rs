//! What nodes answer about checks: texts made of it are fit for people, and within bounds.
#![no_main]

#[path = "../../alertmanager-proxy/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::details(bytes));
