//! Servers that are other processes: where they listen, and whether they are there yet.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::http::Fetcher;
use crate::program::pass;

/// How long a program may take to come up, or alerts to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Waits until the server is ready; its base URL.
pub(crate) fn ready(address: &str, fetcher: &Fetcher) -> anyhow::Result<String> {
    let base = format!("http://{address}");
    until(&format!("{base}/-/ready"), || Ok(fetcher.get(&format!("{base}/-/ready")).is_ok()))?;
    Ok(base)
}

/// Waits until `done`.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while !done()? {
        anyhow::ensure!(started.elapsed() < PATIENCE, "waited for {what} for {} s", PATIENCE.as_secs());
        pass(POLL);
    }
    Ok(())
}

/// The sum of a family of the server's, of the series that have `label`.
pub(crate) fn sum(fetcher: &Fetcher, base: &str, family: &str, label: &str) -> anyhow::Result<f64> {
    let metrics = fetcher.get(&format!("{base}/metrics"))?.body;
    let series =
        metrics.lines().filter(|line| line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' '])));
    let series = series.filter(|line| line.contains(label));
    Ok(series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}

/// One that is free now; neither program says which port it was given.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
