//! Requests to alertmanager-proxy: what is passed on stays below Alertmanager's prefix, and its own pages say what they are asked.
#![no_main]

#[path = "../head.rs"]
mod head;
#[path = "../html.rs"]
mod html;
#[path = "../request.rs"]
mod request;
#[path = "../../alertmanager-proxy/tests/it/requests.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| requests::requests(bytes));
