//! A server that does nothing but answer: what an answer takes on this machine while it is busy.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;

use crate::http::Fetcher;
use crate::program::pass;
use crate::serve::serve;
use crate::stats::Samples;

/// Between two posts: it shall not add much to the work that it measures.
const PAUSE: Duration = Duration::from_millis(10);

/// The server, until the bench ends.
#[derive(Debug)]
pub(crate) struct Idle(SocketAddr);

impl Idle {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Ok(Self(serve(Router::new().fallback(post(|_: Bytes| async {})))?))
    }

    /// Posts `batches` again and again until `ended`; how many milliseconds each answer took.
    pub(crate) fn posts(&self, batches: &[String], ended: &AtomicBool) -> anyhow::Result<Samples> {
        let (client, url, mut took) = (Fetcher::new()?, format!("http://{}/", self.0), Vec::new());
        for batch in batches.iter().cycle() {
            took.push(client.post(&url, batch.clone())?.as_secs_f64() * 1000.0);
            if ended.load(Ordering::Relaxed) {
                break;
            }
            pass(PAUSE);
        }
        Ok(took.into_iter().collect())
    }
}
