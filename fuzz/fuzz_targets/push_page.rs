//! Queries of the gateway's page of groups: it has what they ask for, and nothing gets into it as markup.
#![no_main]

#[path = "../html.rs"]
mod html;
#[path = "../../pushgateway-ex/tests/it/page.rs"]
mod page;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| page::page(bytes));
