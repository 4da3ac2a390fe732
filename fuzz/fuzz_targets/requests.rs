//! Requests to the detail API and the pages: answered in a known way, and nothing gets into a page as markup.
#![no_main]

#[path = "../html.rs"]
mod html;
#[path = "../../lib/check-result/tests/it/requests.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| requests::requests(bytes));
