//! The grouping key in the path of pushes: what is taken says the same when it is written and read again.
#![no_main]

#[path = "../../pushgateway-ex/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::path(bytes));
