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
    of(RUNTIME.as_ref())
}

fn of(runtime: Option<&Runtime>) -> Handle {
    runtime.map_or_else(Handle::current, |runtime| runtime.handle().clone())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn what_is_spawned_runs_on_threads_of_its_own() {
        let name = async { thread::current().name().map(str::to_owned) };
        assert_eq!(handle().spawn(name).await.unwrap().as_deref(), Some("background"));
    }

    #[tokio::test]
    async fn without_such_threads_it_runs_with_everything_else() {
        // The runtime of a test has but the thread of the test.
        let ran_on = of(None).spawn(async { thread::current().id() }).await.unwrap();
        assert_eq!(ran_on, thread::current().id());
    }
}
