//! Headers by which a request says who sends it, from where, and what it wants: nobody gets a name, a role or a silence by them who has none,
//! and what is understood of them is what they say.
#![no_main]

#[path = "../../web-ui/tests/it/properties/access.rs"]
mod access;
#[path = "../head.rs"]
mod head;
#[path = "../../web-ui/tests/it/properties/language.rs"]
mod language;
#[path = "../../lib/exposition/tests/it/properties.rs"]
mod negotiation;
#[path = "../../pushgateway-ex/tests/it/properties/pushes.rs"]
mod pushes;
#[path = "../../lib/service/tests/it/properties.rs"]
mod server;
#[path = "../../checkscript-runner/tests/it/properties/sockets.rs"]
mod sockets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let headers = head::headers(bytes);
    negotiation::negotiated(&headers);
    server::credentials(&headers);
    sockets::credentials(&headers);
    access::access(&headers);
    language::language(&headers);
    pushes::pushed(&headers);
});
