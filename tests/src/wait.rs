//! Waiting for what other processes do.

use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout_at};

use crate::process::Ended;

/// How often a condition is looked at. Real servers offer nothing to wait on but being asked.
const EVERY: Duration = Duration::from_millis(50);

/// Asks until `ask` gives something, at most `limit` long; then fails with what was waited for and the last answer. That a
/// process has ended ends it at once.
pub async fn until<T, F>(what: &str, limit: Duration, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, anyhow::Error>>,
{
    let deadline = Instant::now() + limit;
    let mut last = None;
    loop {
        match timeout_at(deadline, ask()).await {
            Ok(Ok(got)) => return Ok(got),
            Ok(Err(error)) if error.is::<Ended>() => return Err(error.context(format!("waited for {what}"))),
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

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::*;
    use crate::Process;

    #[tokio::test]
    async fn nobody_waits_for_a_process_that_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such port; exit 3"]);
        let mut process = Process::start("server", command, &folder.path().join("server.out")).unwrap();
        let error = until("the server", Duration::from_secs(60), || {
            let running = process.check_running();
            async move { running.and_then(|()| -> anyhow::Result<()> { bail!("not yet") }) }
        });
        let error = error.await.unwrap_err();
        let text = format!("{error:#}");
        assert!(error.is::<Ended>() && text.ends_with("exit status: 3):\nno such port"), "{text}");
    }
}
