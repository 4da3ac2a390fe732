//! Paths of requests to the gateway: nobody is led to another host or round in circles.
#![no_main]

#[path = "../../pushgateway-ex/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::routes(bytes));
