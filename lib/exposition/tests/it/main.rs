//! The library as others use it.

mod fuzzing;
#[path = "../../../../fuzz/head.rs"]
mod head;
mod properties;
mod pushed;
#[path = "../../../../fuzz/replay.rs"]
mod replay;
