//! Threads of their own for what is done behind the answers: holding alerts, asking nodes, making annotations.
//!
//! When 20,000 nodes have to be asked at once, the processors are busy for seconds. The system shares them out fairly
//! between threads; a runtime would let Prometheus's posts queue behind thousands of its other tasks.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// Lives as long as the program. None where the system gives no threads; then the work is done with everything else.
static RUNTIME: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().thread_name("background").enable_all().build().ok());

/// Where to spawn such work; needs a runtime.
pub(crate) fn handle() -> Handle {
    RUNTIME.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
}
