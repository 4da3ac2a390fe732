//! The parts put together, independent of flags and listeners, so that tests run them as the program does.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use jiff::tz::TimeZone;
use prometheus_client::registry::Registry;
use service::http::{ClientError, ClientOptions};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::access::Access;
use crate::cluster::Cluster;
use crate::config::{Config, Refresh};
use crate::events::Events;
use crate::lists::Snapshot;
use crate::silencing::{self, Rules};
use crate::web;

/// Files that are written at a time.
const EXPORTS: usize = 8;

/// A running web-ui.
#[derive(Debug)]
pub struct App {
    running: ArcSwap<Running>,
    options: ClientOptions,
    events: Arc<Events>,
    /// One permit a file that is being written: it keeps what it began with.
    pub(crate) exports: Arc<Semaphore>,
    changes: watch::Sender<u64>,
    /// The zone of times.
    pub zone: TimeZone,
}

/// What a configuration says, for as long as it is in force; so long its clusters are watched.
#[derive(Debug)]
struct Running {
    clusters: Vec<Arc<Cluster>>,
    access: Arc<Access>,
    refresh: Refresh,
    rules: Rules,
    _watching: DropGuard,
}

impl App {
    /// Begins to watch the clusters; needs a runtime.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn start(config: &Config, options: ClientOptions, registry: &mut Registry) -> Result<Arc<Self>, ClientError> {
        let (events, changes) = (Arc::new(Events::new(registry)), watch::Sender::new(0));
        let running = ArcSwap::from_pointee(Running::start(config, &options, &events, &changes)?);
        let exports = Arc::new(Semaphore::new(EXPORTS));
        Ok(Arc::new(Self { running, options, events, exports, changes, zone: TimeZone::system() }))
    }

    /// Watches the clusters of another configuration instead.
    ///
    /// # Errors
    /// When a client cannot be made; the old configuration stays.
    pub fn reload(&self, config: &Config) -> Result<(), ClientError> {
        let running = Running::start(config, &self.options, &self.events, &self.changes)?;
        running.begin_with(&self.running.load().clusters);
        self.running.store(Arc::new(running));
        Ok(())
    }

    /// The routes.
    pub fn routes(self: &Arc<Self>) -> Router {
        web::routes(Arc::clone(self))
    }

    /// All clusters as they are known now.
    pub fn snapshot(&self) -> Snapshot {
        let running = self.running.load();
        Snapshot(running.clusters.iter().map(|cluster| (Arc::clone(cluster), cluster.view())).collect())
    }

    /// Who gets in, and as what.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.running.load().access)
    }

    /// The rules of silences.
    pub fn rules(&self) -> Rules {
        self.running.load().rules
    }

    /// Where it is counted what happens.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// How often the clusters are asked.
    pub fn refresh(&self) -> Refresh {
        self.running.load().refresh
    }

    /// Tells of every new view of any cluster.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Running {
    fn start(
        config: &Config,
        options: &ClientOptions,
        events: &Arc<Events>,
        changes: &watch::Sender<u64>,
    ) -> Result<Self, ClientError> {
        let options = ClientOptions { timeout: config.timeout, ..options.clone() };
        let cluster = |config| Ok(Arc::new(Cluster::new(config, &options, Arc::clone(events), changes.clone())?));
        let clusters: Vec<_> = config.clusters.iter().map(cluster).collect::<Result<_, ClientError>>()?;
        let stop = CancellationToken::new();
        for cluster in &clusters {
            tokio::spawn(Arc::clone(cluster).watch(config.refresh, stop.clone()));
            let (cluster, stop, every) = (Arc::clone(cluster), stop.clone(), config.silences.evaluation_interval);
            tokio::spawn(async move { stop.run_until_cancelled(silencing::watch::watch(&cluster, every)).await });
        }
        Ok(Self {
            clusters,
            refresh: config.refresh,
            rules: config.silences,
            access: Arc::new(config.access.clone()),
            _watching: stop.drop_guard(),
        })
    }

    /// Shows what was known of clusters that are called the same, so that a reload is nothing that anybody sees.
    fn begin_with(&self, before: &[Arc<Cluster>]) {
        for cluster in &self.clusters {
            if let Some(known) = before.iter().find(|known| known.name == cluster.name) {
                cluster.begin_with(&known.view());
            }
        }
    }
}
