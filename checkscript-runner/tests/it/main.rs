//! The binary against what the real sensu-client did (`fixtures/p01`, `p05`, `p09`: its definitions and its logs,
//! verbatim), its life under signals, and the library as another program uses it.
//!
//! Tests of behaviours that sensu-client's own specs test say which, by the numbers of `fixtures/upstream-specs.txt`;
//! [`specs`] fails if one of those has no test.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod background;
mod bench;
mod children;
mod compare;
mod crash;
mod extras;
mod files;
mod fuzzing;
mod golden;
mod harness;
#[path = "../../../fuzz/head.rs"]
mod head;
mod hooks;
mod library;
mod life;
mod log;
mod migrate;
mod properties;
mod recordings;
mod reload;
#[path = "../../../fuzz/replay.rs"]
mod replay;
mod runs;
mod sockets;
mod specs;
mod subscriptions;
mod tools;
mod unkillable;
