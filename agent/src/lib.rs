//! `checkscript-agent`: the exporter that runs beside sensu-client or checkscript-runner on every node.
//!
//! A thread ([`reader`]) follows the check logs ([`follow`]), folds their lines into states ([`intake`]) and feeds a [`store`];
//! the server answers scrapes and the detail API from snapshots of it. States and places in the logs are saved together
//! ([`state_file`]), so that a restart goes on exactly where they were; without a state file they are rebuilt from the logs. At a
//! start the logs are read before the first scrape is answered, so that a scrape never shows a state that is already over.
//!
//! [`push`] is another program, `pushgateway-agent`: it runs checks itself and pushes what they say.

pub mod events;
pub mod flags;
pub mod follow;
pub mod intake;
pub mod last_look;
pub mod push;
pub mod reader;
pub mod select;
pub mod state_file;
pub mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use check_result::pages::{self, Site};
use check_result::{CheckState, api, metrics};
use exposition::{Family, Kind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use service::{Bound, BuildInfo, Server};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::events::Events;
use crate::flags::Flags;
use crate::last_look::LastLook;
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
    /// A web config that cannot be honoured, a state file that cannot be where it shall be or that another process
    /// uses, an address that cannot be bound.
    pub fn new(info: BuildInfo, flags: &Flags) -> anyhow::Result<Self> {
        flags.state_file().map_or(Ok(()), |path| state_file::check(&path))?;
        let mut server = Server::new(info, &flags.web)?;
        let events = Events::new(server.registry());
        let looked = LastLook::new(server.registry());
        let alive = looked.clone();
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
                families(&states, &options, Timestamp::now())
            })
            .liveness(move || alive.check(Instant::now()))
            .max_requests(flags.detail.max_requests())
            .restricted_routes(detail, flags.detail.allowed())?;
        let reader = Reader::new(flags, store, events)?.telling(looked);
        Ok(Self { server: server.bind()?, reader })
    }

    /// The addresses listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Reads the logs as far as they go, then serves until `stop`; not at all if that comes first.
    ///
    /// # Errors
    /// When the runtime cannot take the sockets or signals over, and when the reader fails: states that nobody keeps up
    /// are not served.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        // Cancelled by whichever of the two ends first, so that neither goes on without the other.
        let either = stop.child_token();
        let reader = reader::start(self.reader, either.clone()).await?;
        if either.is_cancelled() {
            // Stopped before it was ready, it need not become so.
            return reader.await.context("the log reader failed");
        }
        together(self.server.run(either.clone()), reader, &either).await
    }
}

/// What a scrape at `now` is told of the checks, beside the agent's own metrics.
pub fn families(states: &[Arc<CheckState>], options: &metrics::Options, now: Timestamp) -> Vec<Family> {
    let read = metrics::Read::Now(now.as_second());
    let mut families = metrics::families(states.iter().map(|state| (&[][..], &**state)), options, read);
    families.push(shortest_interval(states));
    families
}

/// How soon another result is to be expected of a node whose checks run.
fn shortest_interval(states: &[Arc<CheckState>]) -> Family {
    let help = "The shortest interval of the checks that are known";
    let mut family = Family::new("checkscript_agent_shortest_interval_seconds", help, Kind::Gauge);
    if let Some(shortest) = states.iter().filter_map(|state| state.latest().interval()).reduce(f64::min) {
        family.push([], shortest);
    }
    family
}

/// Waits until both have ended, which the end of one makes the other do.
async fn together(
    serve: impl Future<Output = anyhow::Result<()>>,
    reader: JoinHandle<()>,
    either: &CancellationToken,
) -> anyhow::Result<()> {
    let serve = async {
        let _ends = either.clone().drop_guard();
        serve.await
    };
    let read = async {
        let _ends = either.clone().drop_guard();
        reader.await
    };
    let (served, read) = tokio::join!(serve, read);
    read.context("the log reader failed")?;
    served
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_fails_ends_the_server_with_an_error() {
        let either = CancellationToken::new();
        let reader = tokio::task::spawn_blocking(|| panic!("told to"));
        let stopped = either.clone();
        let serve = async move {
            stopped.cancelled().await;
            Ok(())
        };
        let error = together(serve, reader, &either).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.starts_with("the log reader failed: ") && error.contains("told to"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_fails_ends_the_reader() {
        let either = CancellationToken::new();
        let stopped = either.clone();
        let reader = tokio::spawn(async move { stopped.cancelled().await });
        let served = together(async { anyhow::bail!("no sockets") }, reader, &either).await;
        assert_eq!(served.unwrap_err().to_string(), "no sockets");
    }
}
