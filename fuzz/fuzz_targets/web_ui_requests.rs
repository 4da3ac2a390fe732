//! Requests to web-ui, and what its servers answered: nothing gets into a page as markup, and nobody is led elsewhere.
#![no_main]

#[path = "../head.rs"]
mod head;
#[path = "../html.rs"]
mod html;
#[path = "../../web-ui/tests/it/properties.rs"]
mod properties;
#[path = "../request.rs"]
mod request;
#[path = "../../web-ui/tests/it/requests.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| requests::requests(bytes));
