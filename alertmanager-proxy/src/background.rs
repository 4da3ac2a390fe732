//! Threads of their own for what is done behind the answers: holding alerts, asking nodes, making annotations.
//!
//! When 20,000 nodes have to be asked at once, the processors are busy for seconds. The system shares them out between
//! threads, and gives these less than those that answer Prometheus; a runtime would let Prometheus's posts queue behind
//! thousands of its other tasks.

use std::sync::LazyLock;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::debug;

/// How much nicer than the others these threads are: among threads that all want to run they get a third of a share.
const NICER: i32 = 5;

/// Lives as long as the program. None where the system gives no threads; then the work is done with everything else.
static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().thread_name("background").on_thread_start(be_nice).enable_all().build().ok()
});

/// Where to spawn such work; needs a runtime.
pub(crate) fn handle() -> Handle {
    RUNTIME.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
}

/// On Linux that is a matter of the thread and not of the process.
fn be_nice() {
    if let Err(error) = getpriority_process(None).and_then(|now| setpriority_process(None, now + NICER)) {
        debug!(%error, "A background thread is as important as the others: {error}");
    }
}
