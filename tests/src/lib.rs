//! The whole stack on loopback, for the end-to-end tests and the demo: the real Prometheus and Alertmanager, every part of
//! Ogi, and sinks that receive what Alertmanager sends.
//!
//! [`Stack`] runs `examples/quickstart/` as it stands, with its ports and paths replaced, in one data folder. What it starts it
//! ends: each process is the leader of a group that is killed when its [`Process`] is dropped.

mod browser;
mod http;
mod link;
mod names;
mod pair;
mod ports;
mod process;
mod signals;
pub mod sinks;
mod stack;
mod wait;
mod world;

pub use browser::{Browser, Looks};
pub use http::{get_json, get_text, post_json};
pub use link::Network;
pub use names::NameServer;
pub use nix::sys::signal::Signal;
pub use pair::{BRIEF, Damage, LATER, Member, PEER_TIMEOUT, Pair, Plan, fine};
pub use ports::free_port;
pub use process::Process;
pub use signals::Signals;
pub use stack::{Part, Ports, Stack, own, program, repository, tool};
pub use wait::until;
pub use world::{HASH, World};

use stack::path_with_checks;
