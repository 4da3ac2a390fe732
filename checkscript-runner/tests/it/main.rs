//! The binary against what the real sensu-client did (`fixtures/p01`, `p05`, `p09`: its definitions and its logs,
//! verbatim), its life under signals, and the library as another program uses it.
//!
//! Tests of behaviours that sensu-client's own specs test say which, by these numbers (sensu 1.9.0, `spec/`, by line):
//!
//! - `client/process_spec.rb`: A4 54, A5 71, A7 108, A8 115, A9 132, A10 154, A11 181, A12 203, A13 221, A14 241, A15 261,
//!   A16 280, A17 296, A18 315, A19 332, A26 496, A27 518, A28 528, A29 560
//! - `utilities_spec.rb`: A43 27, A44 122, A45 146, A46 164
//! - A49: sensu-spawn 2.5.0 `spec/spawn_spec.rb`; A50: sensu-settings 10.17 `spec/{validator,loader}_spec.rb`

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod background;
mod bench;
mod children;
mod crash;
mod extras;
mod golden;
mod harness;
mod hooks;
mod library;
mod life;
mod log;
mod recordings;
mod reload;
mod runs;
mod sockets;
mod subscriptions;
mod tools;
mod unkillable;
