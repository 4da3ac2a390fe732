//! The thread that reads the logs: files block, so they stay off the async runtime.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::follow::Follower;
use crate::store::Store;

/// How often the logs are looked at. A look at an unchanged file is two `stat` calls; a result is visible to the next scrape
/// a fifth of a second after it was logged.
const EVERY: Duration = Duration::from_millis(200);

/// Starts the thread and waits until it has read everything that the logs hold now. It ends soon after `stop`.
pub(crate) async fn start(
    mut follower: Follower,
    store: Arc<Store>,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let (caught_up, first_look) = oneshot::channel();
    let runtime = Handle::current();
    let thread = tokio::task::spawn_blocking(move || {
        look(&mut follower, &store);
        // Nobody waits any more when the process is being stopped.
        let _ = caught_up.send(());
        while !stopped_within(&runtime, &stop, EVERY) {
            look(&mut follower, &store);
        }
    });
    first_look.await.context("the log reader ended before it had read the logs")?;
    Ok(thread)
}

fn look(follower: &mut Follower, store: &Store) {
    follower.look(|line| store.take(line));
    store.forget_removed(Timestamp::now());
}

fn stopped_within(runtime: &Handle, stop: &CancellationToken, wait: Duration) -> bool {
    runtime.block_on(async { tokio::time::timeout(wait, stop.cancelled()).await.is_ok() })
}
