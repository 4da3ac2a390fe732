//! The gateway as its users meet it: over HTTP, and as a process.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod browsers;
mod check_ttl;
mod checks;
mod expiry;
mod fuzzing;
#[path = "../../../fuzz/head.rs"]
mod head;
#[path = "../../../fuzz/html.rs"]
mod html;
mod keeping;
mod kept;
mod limits;
mod linearizable;
mod lookup;
mod model;
mod page;
mod process;
mod properties;
mod pushing;
#[path = "../../../fuzz/replay.rs"]
mod replay;
mod serving;
mod shared;
mod world;
