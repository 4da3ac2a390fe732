//! What applications push to the runner's sockets: it is the same whichever way it comes.
#![no_main]

#[path = "../../checkscript-runner/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::pushed(bytes));
