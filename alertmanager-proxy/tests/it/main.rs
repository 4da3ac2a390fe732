//! The proxy as a program, between fakes: an Alertmanager that records what it is posted, and nodes that misbehave as
//! real ones can but on demand will not.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod alertmanager;
mod cross_site;
mod deliver;
mod discovery;
mod enrich;
mod faults;
mod fuzzing;
#[path = "../../../fuzz/head.rs"]
mod head;
#[path = "../../../fuzz/html.rs"]
mod html;
mod names;
mod node;
mod overview;
mod posting;
mod program;
mod properties;
#[path = "../../../fuzz/replay.rs"]
mod replay;
#[path = "../../../fuzz/request.rs"]
mod request;
mod requests;
mod through;
mod world;
