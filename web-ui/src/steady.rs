//! What is done for a cluster all the time goes on after a panic, which is a mistake of this program.
//!
//! To end the program instead would have systemd start it anew, but blind, and again and again where the mistake comes from what
//! one cluster says: for the sake of one cluster nobody would see any. So it is told, counted and begun again after a pause,
//! and the pages show how old what is known is.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::events::{Tally, Task};

/// The pause after a panic; each further one doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause, and how long there must have been no panic for the first one to be enough again.
const LONGEST: Duration = Duration::from_secs(60);

/// Does `work`, and again where it panics, until `stop`.
pub(crate) async fn steadily<F: Future<Output = ()>>(
    (cluster, tally): (&str, &Tally),
    task: Task,
    stop: &CancellationToken,
    work: impl Fn() -> F,
) {
    let (panics, mut pause, word) = (tally.panics(task), FIRST, task.word());
    loop {
        let begun = Instant::now();
        let Err(panic) = AssertUnwindSafe(work()).catch_unwind().await else { return };
        panics.inc();
        if begun.elapsed() >= LONGEST {
            pause = FIRST;
        }
        let (why, after) = (service::panic_message(panic.as_ref()), pause.as_secs());
        error!(cluster, task = word, "The task `{word}` of {cluster} panicked, and begins again in {after} s: {why}");
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use prometheus_client::registry::Registry;
    use tokio::time::timeout;

    use super::*;
    use crate::events::Events;

    fn tally() -> Tally {
        Tally::new("tokyo", Arc::new(Events::new(&mut Registry::default())))
    }

    #[tokio::test(start_paused = true)]
    async fn what_panics_is_done_again_ever_more_seldom() {
        let (tally, stop, begun, times) = (tally(), CancellationToken::new(), Instant::now(), AtomicU64::new(0));
        let work = || async {
            let time = times.fetch_add(1, Ordering::Relaxed);
            assert!(time == 9, "time {time}");
        };
        steadily(("tokyo", &tally), Task::Sums, &stop, work).await;
        assert_eq!(tally.panics(Task::Sums).get(), 9);
        assert_eq!(begun.elapsed().as_secs(), 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_good_while_the_pause_is_short_again() {
        let (tally, stop, begun, times) = (tally(), CancellationToken::new(), Instant::now(), AtomicU64::new(0));
        let work = || async {
            match times.fetch_add(1, Ordering::Relaxed) {
                0..3 => panic!("at once"),
                3 => {
                    sleep(LONGEST).await;
                    panic!("after a while")
                }
                _ => {}
            }
        };
        steadily(("tokyo", &tally), Task::Nodes, &stop, work).await;
        assert_eq!((begun.elapsed().as_secs(), tally.panics(Task::Nodes).get()), (1 + 2 + 4 + 60 + 1, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_with_the_program() {
        let (tally, stop) = (tally(), CancellationToken::new());
        let working = || steadily(("tokyo", &tally), Task::Alerts, &stop, || async { panic!("always") });
        assert!(timeout(LONGEST, working()).await.is_err());
        stop.cancel();
        working().await;
    }
}
