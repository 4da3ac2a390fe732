//! Threads of their own for talking to nodes.
//!
//! When 20,000 nodes have to be asked at once, the processors are busy for seconds. The system shares them out fairly
//! between threads; a runtime would let Prometheus's posts queue behind thousands of its other tasks.

use std::panic::resume_unwind;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// Lives as long as the program. None where the system gives no threads; then the work is done with everything else.
static RUNTIME: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().thread_name("details").enable_all().build().ok());

/// What `work` comes to. It is given up when nobody waits any more.
pub(super) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let task = match &*RUNTIME {
        Some(runtime) => runtime.spawn(work),
        None => tokio::spawn(work),
    };
    match AbortOnDropHandle::new(task).await {
        Ok(done) => done,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
