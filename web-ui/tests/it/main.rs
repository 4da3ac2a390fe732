//! web-ui before servers whose answers and faults a test decides. Before the real ones it is shown by the end-to-end
//! tests, but for what a regular expression matches.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::disallowed_methods, reason = "the fakes serve as axum does, without limits of time")]

mod access;
mod credentials;
mod faults;
mod fuzzing;
mod gossip;
mod hands;
#[path = "../../../fuzz/head.rs"]
mod head;
mod hostile;
#[path = "../../../fuzz/html.rs"]
mod html;
mod japanese;
mod live;
mod load;
mod muted;
mod one_check;
mod openapi;
mod pages;
mod past;
mod patterns;
mod properties;
#[path = "../../../fuzz/replay.rs"]
mod replay;
#[path = "../../../fuzz/request.rs"]
mod request;
mod requests;
mod servers;
mod silences;
mod world;
mod writes;
