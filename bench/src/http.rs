//! Fetching over one kept connection, with the time that an answer took.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::{Client, RequestBuilder};
use service::http::{ClientOptions, read_limited, upstream_client};
use tokio::runtime::Runtime;

const LIMIT: usize = 256 << 20;

/// A client with a runtime of its own, on the calling thread.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    runtime: Runtime,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// From the first byte of the request until the last of the answer.
    pub(crate) took: Duration,
    pub(crate) body: String,
}

/// A compressed answer.
#[derive(Debug)]
pub(crate) struct Compressed {
    /// From the first byte of the request until the last of the answer.
    pub(crate) took: Duration,
    pub(crate) bytes: usize,
}

// === impl Fetcher ===

impl Fetcher {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let options = ClientOptions { timeout: Duration::from_secs(600), ..ClientOptions::new(service::build_info!()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client: upstream_client(&options)?, runtime })
    }

    pub(crate) fn get(&self, url: &str) -> anyhow::Result<Fetched> {
        self.fetch(self.client.get(url), url)
    }

    fn fetch(&self, request: RequestBuilder, url: &str) -> anyhow::Result<Fetched> {
        self.runtime.block_on(async {
            let started = Instant::now();
            let answer = request.send().await.with_context(|| format!("cannot ask {url}"))?;
            let status = answer.status();
            let body = read_limited(answer, LIMIT).await.with_context(|| format!("cannot read {url}"))?;
            let body = String::from_utf8_lossy(&body).into_owned();
            anyhow::ensure!(status.is_success(), "{url} answered {status}: {}", body.trim());
            Ok(Fetched { took: started.elapsed(), body })
        })
    }

    /// As a browser asks: compressed.
    pub(crate) fn get_compressed(&self, url: &str) -> anyhow::Result<Compressed> {
        self.runtime.block_on(async {
            let started = Instant::now();
            let answer = self.client.get(url).header("Accept-Encoding", "gzip").send().await?.error_for_status()?;
            anyhow::ensure!(answer.headers().contains_key("content-encoding"), "{url} is not compressed");
            let bytes = read_limited(answer, LIMIT).await.with_context(|| format!("cannot read {url}"))?.len();
            Ok(Compressed { took: started.elapsed(), bytes })
        })
    }

    /// Posts nothing; what is answered.
    pub(crate) fn post_for(&self, url: &str) -> anyhow::Result<Fetched> {
        self.fetch(self.client.post(url), url)
    }

    /// Posts JSON; the time until the answer was there.
    pub(crate) fn post(&self, url: &str, json: String) -> anyhow::Result<Duration> {
        self.runtime.block_on(async {
            let started = Instant::now();
            let request = self.client.post(url).header("Content-Type", "application/json").body(json);
            let answer = request.send().await.with_context(|| format!("cannot post to {url}"))?.error_for_status()?;
            read_limited(answer, LIMIT).await.with_context(|| format!("cannot read {url}"))?;
            Ok(started.elapsed())
        })
    }
}
