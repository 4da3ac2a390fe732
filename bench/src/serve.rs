//! Servers that play a part in a bench.

use std::net::SocketAddr;
use std::thread;

use anyhow::Context as _;
use axum::Router;

/// Serves `router` on a thread of its own and a port of the loopback, until the bench ends.
pub(crate) fn serve(router: Router) -> anyhow::Result<SocketAddr> {
    let (sender, address) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            sender.send(listener.local_addr()?)?;
            #[expect(clippy::disallowed_methods, reason = "it serves this bench alone")]
            axum::serve(listener, router).await?;
            anyhow::Ok(())
        })
    });
    address.recv().context("a server does not start")
}
