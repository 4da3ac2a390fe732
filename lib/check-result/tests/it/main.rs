//! The log codec against real logs, and the detail API over a real socket.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[cfg(all(feature = "server", feature = "client"))]
mod answers;
#[cfg(all(feature = "server", feature = "client"))]
mod api;
mod fuzzing;
mod golden;
#[cfg(feature = "pages")]
#[path = "../../../../fuzz/html.rs"]
mod html;
#[cfg(all(feature = "pages", feature = "client"))]
mod pages;
mod properties;
#[path = "../../../../fuzz/replay.rs"]
mod replay;
#[cfg(feature = "pages")]
mod requests;
