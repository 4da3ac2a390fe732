//! Definition files, cron expressions and windows of time: what is merged is read the same.
#![no_main]

#[path = "../../checkscript-runner/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::definitions(bytes));
