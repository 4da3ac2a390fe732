//! `pushgateway-ex`: Prometheus's Pushgateway, with a consistency check that costs what the push brings, and a store that keeps what
//! was acknowledged.
//!
//! A push is read ([`path`], [`body`], [`results`]), checked in itself and rendered ([`groups::prepare`]) by the connection that brought it. One thread, the
//! [`keeper`], then checks it against what is there, [stores](store) it with everything that waits beside it, and shows the new
//! [`groups`]. Scrapes and all other readers take what is shown and never wait. [`web`] has the requests.

pub mod body;
mod copies;
pub mod events;
pub mod flags;
pub mod groups;
pub mod keeper;
pub mod labels;
pub mod path;
pub mod results;
pub mod store;
pub mod web;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use service::{Bound, BuildInfo, Readiness, Server};
use tokio_util::sync::CancellationToken;

use crate::copies::Copies;
use crate::events::Events;
use crate::events::shared::SharedEvents;
use crate::flags::Flags;
use crate::groups::{Fates, Groups};
use crate::keeper::{Change, Keeper};
use crate::store::shared::Shared;
use crate::store::{Store, StoreError};
use crate::web::{Gateway, Scrape};

/// The gateway, its ports open.
pub struct App {
    server: Bound,
    keeper: Keeper,
    thread: JoinHandle<()>,
    quit: CancellationToken,
    copies: Option<Copies>,
    fates: Fates,
    readiness: Readiness,
}

impl App {
    /// Checks flags and web config, reads what was kept, and opens the ports.
    ///
    /// # Errors
    /// A web config that cannot be honoured, a storage that cannot be read, an address that cannot be bound.
    pub fn new(info: BuildInfo, flags: &Flags) -> anyhow::Result<Self> {
        let mut server = Server::new(info, &flags.web)?;
        let shared = flags.storage.shared.access()?;
        let readiness = server.readiness();
        let events = Events::new(server.registry());
        let limit = server.request_limit(flags.detail.max_requests());
        let scrape = Scrape::default();
        let mut groups = Groups::new(scrape.reserved(server.registry()), flags.limits.kept());
        let copies = flags.storage.file().map(|file| Copies::new(file, flags.storage.interval, server.registry()));
        let started = match (shared, flags.storage.file()) {
            (Some((access, prefix)), _) => {
                let shared = SharedEvents::new(server.registry());
                Keeper::share(groups, Shared::new(access, prefix), (events.clone(), shared))
            }
            (None, Some(file)) => {
                let store = restore(file, flags, &mut groups)?;
                events.deleted(store.left_out(), file);
                Keeper::start(groups, Some(store), events.clone())
            }
            (None, None) => {
                tracing::warn!(
                    "Pushes are kept in memory only; --persistence.file or --storage keeps them over a restart"
                );
                Keeper::start(groups, None, events.clone())
            }
        };
        let (keeper, thread) = started.context("cannot start a thread")?;
        let quit = CancellationToken::new();
        let gateway = Gateway::new(info, flags, (keeper.clone(), events, limit.clone()), quit.clone());
        let gateway = Arc::new(gateway);
        let detail = limit.bounding(web::detail(info.version, gateway.paths(), keeper.clone()));
        let (scraped, telemetry) = (Arc::clone(&gateway), gateway.telemetry_path());
        let server = server
            .own_endpoints(move |registry| web::metrics(scraped, scrape.of(registry), &telemetry))
            .routes(web::router(gateway))
            .restricted_routes(detail, flags.detail.allowed())?
            .bind()?;
        Ok(Self { server, keeper, thread, quit, copies, fates: flags.fates(), readiness })
    }

    /// The addresses listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Serves until `stop`, or until a client orders it to stop, then finishes the storage.
    ///
    /// # Errors
    /// When the runtime cannot take the sockets or signals over, or the thread that keeps the groups panics.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        self.readiness.set_ready(true);
        let stopping = stop.clone();
        let quit = self.quit;
        let ordered = tokio::spawn(async move {
            quit.cancelled().await;
            stopping.cancel();
        });
        let expiring = tokio::spawn(expire(self.fates, self.keeper.clone()));
        let copying = self.copies.map(|copies| tokio::spawn(copies.make(self.keeper.clone())));
        let (thread, stopping) = (self.thread, stop.clone());
        let keeping = tokio::spawn(async move {
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            // It ends last, but if it panics: without it nothing is taken any more.
            stopping.cancel();
            ended
        });
        let served = self.server.run(stop).await;
        ordered.abort();
        for task in copying.into_iter().chain([expiring]) {
            task.abort();
            // What it holds of the keeper is given up before the keeper is waited for.
            let _ = task.await;
        }
        drop(self.keeper);
        keeping.await??.map_err(|_| anyhow::anyhow!("the thread that keeps the groups panicked, which is a bug"))?;
        served
    }
}

fn restore(file: &Path, flags: &Flags, groups: &mut Groups) -> Result<Store, StoreError> {
    let (store, kept) = Store::open(file, flags.storage.sync())?;
    let count = kept.len();
    groups.restore(kept);
    tracing::info!(groups = count, file = %file.display(), "Read {count} groups from {}", file.display());
    Ok(store)
}

/// Looks once a second whether the time of something is over.
async fn expire(fates: Fates, keeper: Keeper) {
    let mut due = tokio::time::interval(Duration::from_secs(1));
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let now = Timestamp::now();
        // A change that could not be stored is made the next time; the keeper has logged it.
        while keeper.groups().expires_by(now) {
            if keeper.change(Change::Expire(now, fates)).await.is_err() {
                break;
            }
        }
        // What others pushed is learned while it is little, and that the store is away before somebody asks.
        let _ = keeper.current().await;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[tokio::test]
    async fn it_ends_with_an_error_when_its_thread_panics() {
        let flags = Flags::try_parse_from(["pushgateway-ex", "--web.listen-address=127.0.0.1:0"]).unwrap();
        let mut app = App::new(service::build_info!(), &flags).unwrap();
        app.thread = std::thread::spawn(|| panic!("as a test wants it"));
        let error = app.run(CancellationToken::new()).await.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
