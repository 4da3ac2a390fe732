//! `checkscript-agent`: the exporter that runs beside sensu-client or checkscript-runner on every node.
//!
//! A thread ([`reader`]) follows the check logs ([`follow`]), folds their lines into states ([`intake`]) and feeds a [`store`];
//! the server answers scrapes and the detail API from snapshots of it. States and places in the logs are saved together
//! ([`state_file`]), so that a restart goes on exactly where they were; without a state file they are rebuilt from the logs. At a
//! start the logs are read before the first scrape is answered, so that a scrape never shows a state that is already over.

pub mod events;
pub mod flags;
pub mod follow;
pub mod intake;
pub mod reader;
pub mod select;
pub mod state_file;
pub mod store;

use std::net::SocketAddr;
use std::sync::Arc;

use check_result::pages::{self, Site};
use check_result::{api, metrics};
use jiff::tz::TimeZone;
use service::{Bound, BuildInfo, Server};
use tokio_util::sync::CancellationToken;

use crate::events::Events;
use crate::flags::Flags;
use crate::reader::Reader;
use crate::store::Store;

/// The agent, its ports open.
pub struct App {
    server: Bound,
    reader: Reader,
}

impl App {
    /// Checks flags and web config and opens the ports. Clients that connect from here on are answered by [`App::run`].
    ///
    /// # Errors
    /// A web config that cannot be honoured, a state file that another process uses, an address that cannot be bound.
    pub fn new(info: BuildInfo, flags: &Flags) -> anyhow::Result<Self> {
        let mut server = Server::new(info, &flags.web)?;
        let events = Events::new(server.registry());
        let store = Arc::new(Store::new(flags.limits(), events.clone()));
        let site = Site { name: info.name, version: info.version, time_zone: TimeZone::system() };
        let detail = api::router(Arc::clone(&store)).merge(pages::router(Arc::clone(&store), site));
        let (scraped, told, options) = (Arc::clone(&store), events.clone(), flags.metrics_options());
        let server = server
            .families(move || {
                let states = scraped.snapshot();
                if options.perfdata {
                    told.perfdata_skipped(&states);
                }
                metrics::families(states.iter().map(|state| (&[][..], &**state)), &options)
            })
            .max_requests(flags.detail.max_requests())
            .restricted_routes(detail, flags.detail.allowed())?;
        let reader = Reader::new(flags, store, events)?;
        Ok(Self { server: server.bind()?, reader })
    }

    /// The addresses listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Reads the logs as far as they go, then serves until `stop`.
    ///
    /// # Errors
    /// When the runtime cannot take the sockets or signals over.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let reader = reader::start(self.reader, stop.clone()).await?;
        let served = self.server.run(stop).await;
        reader.await?;
        served
    }
}
