//! Waiting for what other processes do.

use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout_at};

/// How often a condition is looked at. Real servers offer nothing to wait on but being asked.
const EVERY: Duration = Duration::from_millis(50);

/// Asks until `ask` gives something, at most `limit` long; then fails with what was waited for and the last answer.
pub async fn until<T, F>(what: &str, limit: Duration, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, anyhow::Error>>,
{
    let deadline = Instant::now() + limit;
    let mut last = None;
    loop {
        match timeout_at(deadline, ask()).await {
            Ok(Ok(got)) => return Ok(got),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {}
        }
        if Instant::now() + EVERY > deadline {
            let last = last.map_or_else(|| "it did not answer".to_owned(), |error| format!("{error:#}"));
            bail!("waited {limit:?} for {what}: {last}");
        }
        sleep(EVERY).await;
    }
}
