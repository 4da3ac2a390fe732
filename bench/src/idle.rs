//! A server that does nothing but answer: what an answer takes on this machine while it is busy.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;

use crate::http::Fetcher;
use crate::program::pass;
use crate::stats::Samples;

/// Between two posts: it shall not add much to the work that it measures.
const PAUSE: Duration = Duration::from_millis(10);

/// The server, until the bench ends.
#[derive(Debug)]
pub(crate) struct Idle(SocketAddr);

impl Idle {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let (sender, address) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
                sender.send(listener.local_addr()?)?;
                let router = Router::new().fallback(post(|_: Bytes| async {}));
                #[expect(clippy::disallowed_methods, reason = "it serves this bench alone")]
                axum::serve(listener, router).await?;
                anyhow::Ok(())
            })
        });
        Ok(Self(address.recv().context("the server does not start")?))
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
