//! Performance data: any output is read to finite numbers.
#![no_main]

#[path = "../../lib/check-result/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::perfdata(bytes));
