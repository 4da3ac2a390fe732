//! Emptying a queue: what waits is pushed in batches, and tried again with growing, jittered waits while the gateway is away.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

use super::events::{Events, Loss};
use super::gateway::Gateway;
use super::post::{self, PostError};
use super::queue::Entry;
use super::removed::{Defined, Task};
use super::spool::Marker;

/// Waits between tries. A fleet that finds its gateway back comes within the longest one, not at once.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What empties the queue of one gateway.
#[derive(Debug)]
pub struct Sender {
    /// All gateways.
    pub gateways: Arc<[Gateway]>,
    /// Which one it is.
    pub index: usize,
    /// Told what has been delivered, where queues are kept on the disk.
    pub marker: Option<Marker>,
    /// Counts and logs.
    pub events: Events,
    /// The checks that run here.
    pub defined: Arc<Defined>,
}

/// Has the gateway forget what was pushed, however often it takes.
pub async fn delete(gateway: &Gateway) {
    for url in gateway.urls() {
        let mut waits = waits();
        while let Err(error) = post::delete(gateway, &url).await {
            tracing::debug!(%error, "Could not delete {url}: {error}");
            tokio::time::sleep(waits.next().unwrap_or(LONGEST_WAIT)).await;
        }
    }
}

fn waits() -> ExponentialBackoff {
    let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_delay(LONGEST_WAIT);
    waits.with_jitter().without_max_times().build()
}

impl Sender {
    /// Delivers, gathering results for `interval`, until `stop` and nothing is left, or until `abandon`.
    pub async fn run(self, interval: Duration, stop: CancellationToken, abandon: CancellationToken) {
        let _ = abandon.run_until_cancelled(self.deliver(interval, &stop)).await;
    }

    async fn deliver(&self, interval: Duration, stop: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = self.gateway().queue().filled() => {}
                () = self.gateway().leftovers().wanted(stop.is_cancelled()) => {}
                () = stop.cancelled() => return,
            }
            let _ = stop.run_until_cancelled(tokio::time::sleep(interval)).await;
            self.empty(stop).await;
        }
    }

    /// Pushes until nothing waits, and then deletes what is to be deleted.
    async fn empty(&self, stop: &CancellationToken) {
        let (mut growing, mut hurried) = (waits(), stop.is_cancelled());
        loop {
            let batch = self.gateway().batch();
            let done = match batch.is_empty() {
                true => self.tidy(stop).await,
                false => self.push(batch).await,
            };
            match done {
                Ok(()) if self.gateway().queue().is_empty() => return,
                Ok(()) => growing = waits(),
                Err(error) => {
                    self.events.failed(self.gateway().name(), &error);
                    let wait = tokio::time::sleep(growing.next().unwrap_or(LONGEST_WAIT));
                    // A stop leaves less time than the longest wait, so it cuts one short.
                    if hurried {
                        wait.await;
                    } else if stop.run_until_cancelled(wait).await.is_none() {
                        (growing, hurried) = (waits(), true);
                    }
                }
            }
        }
    }

    /// Pushes a batch. One that is refused is pushed in halves, until what is at fault is alone, and dropped.
    async fn push(&self, batch: Vec<Entry>) -> Result<(), String> {
        let gateway = self.gateway();
        let mut work = vec![batch];
        while let Some(mut batch) = work.pop() {
            match post::push(gateway, &batch).await {
                Ok(()) => {
                    self.events.pushed(gateway.name(), batch.len());
                    self.done(&batch);
                }
                Err(PostError::Refused { .. }) if batch.len() > 1 => {
                    let half = batch.split_off(batch.len() / 2);
                    work.extend([half, batch]);
                }
                Err(refused @ PostError::Refused { .. }) => {
                    let check = &batch[0].key.check;
                    self.events.dropped(gateway.name(), Loss::Refused, &format!("check {check}: it {refused}"));
                    self.done(&batch);
                }
                Err(PostError::Failed(error) | PostError::Denied(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes what is defined no more. What the gateway does not do is told and left.
    async fn tidy(&self, stop: &CancellationToken) -> Result<(), String> {
        let gateway = self.gateway();
        while let Some(task) = gateway.leftovers().next(stop.is_cancelled()) {
            match self.perform(&task).await {
                Ok(()) => {}
                Err(PostError::Failed(error)) => return Err(error),
                Err(left) => self.events.left_behind(gateway.name(), &left.to_string()),
            }
            gateway.leftovers().done(&task);
        }
        Ok(())
    }

    async fn perform(&self, task: &Task) -> Result<(), PostError> {
        let gateway = self.gateway();
        match task {
            Task::Ask => gateway.leftovers().add(self.defined.outdated(post::listed(gateway).await?)),
            Task::Delete(key) => {
                post::delete(gateway, &gateway.check_url(key)).await?;
                gateway.forgets(key);
                self.events.forgotten(gateway.name(), &key.check);
            }
        }
        Ok(())
    }

    /// These wait no more, unless there are newer ones.
    fn done(&self, batch: &[Entry]) {
        for entry in batch {
            if self.gateway().queue().remove(entry)
                && let Some(marker) = &self.marker
            {
                marker.mark(self.index, entry.key.clone());
            }
        }
        self.events.waits(self.gateway());
    }

    fn gateway(&self) -> &Gateway {
        &self.gateways[self.index]
    }
}
