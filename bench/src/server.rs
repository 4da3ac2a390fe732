//! Servers that are other processes: where they listen, and whether they are there yet.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::http::Fetcher;
use crate::program::pass;

/// How often one looks whether something has come about, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) look: Duration,
    pub(crate) most: Duration,
}

/// For a program to come up, or alerts to arrive.
const SHORT: Patience = Patience { look: Duration::from_millis(20), most: Duration::from_secs(60) };

/// For what takes minutes on a small machine.
const LONG: Patience = Patience { look: Duration::from_secs(1), most: Duration::from_secs(600) };

/// Waits until the server is ready; its base URL.
pub(crate) fn ready(address: &str, fetcher: &Fetcher) -> anyhow::Result<String> {
    let base = format!("http://{address}");
    until(&format!("{base}/-/ready answers"), || Ok(fetcher.get(&format!("{base}/-/ready")).is_ok()))?;
    Ok(base)
}

/// Waits until something is so.
pub(crate) fn until(what: &str, done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    SHORT.until(what, done)
}

/// Waits until all of something is so.
pub(crate) fn until_all(what: &str, done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    LONG.until(what, done)
}

// === impl Patience ===

impl Patience {
    /// Waits until `what` is so.
    pub(crate) fn until(self, what: &str, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let started = Instant::now();
        while !done()? {
            anyhow::ensure!(started.elapsed() < self.most, "waited for {} s until {what}", self.most.as_secs());
            pass(self.look);
        }
        Ok(())
    }
}

/// The sum of a family of the server's, of the series that have `label`; there may be none, but there has to be the family.
pub(crate) fn sum(fetcher: &Fetcher, base: &str, family: &str, label: &str) -> anyhow::Result<f64> {
    let metrics = fetcher.get(&format!("{base}/metrics"))?.body;
    sum_of(&metrics, family, label).with_context(|| format!("{base}/metrics has no {family}: has it another name now?"))
}

fn sum_of(metrics: &str, family: &str, label: &str) -> Option<f64> {
    let begins = |line: &str| line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' ']));
    // What counts nothing yet has a type, and no series.
    metrics.lines().find(|line| begins(line.strip_prefix("# TYPE ").unwrap_or(line)))?;
    let series = metrics.lines().filter(|line| begins(line) && line.contains(label));
    Some(series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}

/// One that is free now; not every program says which port it was given.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_without_series_is_0_and_one_that_is_not_there_is_none() {
        let metrics = "# TYPE a_total counter\na_total{k=\"v\"} 2\na_total{k=\"w\"} 3\na_total_more 7\n# TYPE b_total counter\nc 1\n";
        let sum = |family, label| sum_of(metrics, family, label);
        assert_eq!(
            (sum("a_total", ""), sum("a_total", "k=\"w\""), sum("a_total", "k=\"x\"")),
            (Some(5.0), Some(3.0), Some(0.0))
        );
        assert_eq!(
            (sum("b_total", ""), sum("c", ""), sum("a", ""), sum("d_total", "")),
            (Some(0.0), Some(1.0), None, None)
        );
    }
}
