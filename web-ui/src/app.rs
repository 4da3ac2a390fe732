//! The parts put together, independent of flags and listeners, so that tests run them as the program does.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use jiff::tz::TimeZone;
use prometheus_client::registry::Registry;
use service::http::{ClientError, ClientOptions};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::access::{Access, User};
use crate::cluster::Cluster;
use crate::config::{Config, Refresh};
use crate::events::{Events, Task};
use crate::lists::Snapshot;
use crate::silencing::desk::Desk;
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
    /// Changes of silences that are being made.
    writes: TaskTracker,
    /// Cancelled when the program stops: a stream of events would end by itself only much later.
    pub(crate) stopping: CancellationToken,
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
    stop: CancellationToken,
    _watching: DropGuard,
}

/// What outlives a configuration.
struct Shared<'a> {
    events: &'a Arc<Events>,
    changes: &'a watch::Sender<u64>,
    writes: &'a TaskTracker,
    /// The clusters of the configuration before.
    before: &'a [Arc<Cluster>],
}

impl App {
    /// Begins to watch the clusters; needs a runtime.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn start(config: &Config, options: ClientOptions, registry: &mut Registry) -> Result<Arc<Self>, ClientError> {
        let (events, changes) = (Arc::new(Events::new(registry)), watch::Sender::new(0));
        let writes = TaskTracker::new();
        let shared = Shared { events: &events, changes: &changes, writes: &writes, before: &[] };
        let running = Running::start(config, &options, &shared)?;
        let running = ArcSwap::from_pointee(running);
        let exports = Arc::new(Semaphore::new(EXPORTS));
        let stopping = CancellationToken::new();
        let zone = TimeZone::system();
        Ok(Arc::new(Self { running, options, events, exports, changes, writes, stopping, zone }))
    }

    /// Watches the clusters of another configuration instead.
    ///
    /// # Errors
    /// When a client cannot be made; the old configuration stays.
    pub fn reload(&self, config: &Config) -> Result<(), ClientError> {
        let before = self.running.load_full();
        let (changes, before) = (&self.changes, &*before.clusters);
        let shared = Shared { events: &self.events, changes, writes: &self.writes, before };
        let running = Running::start(config, &self.options, &shared)?;
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

    /// Where somebody has silences changed.
    pub fn desk(&self, user: User, snapshot: Snapshot) -> Desk {
        let (events, writes, longest) = (Arc::clone(&self.events), self.writes.clone(), self.rules().longest);
        Desk { snapshot, events, user, writes, longest }
    }

    /// Ends no silence with its alerts any more, and waits until every change of silences that is begun is done and recorded.
    pub async fn finish(&self) {
        self.running.load().stop.cancel();
        self.writes.close();
        self.writes.wait().await;
    }

    /// Tells of every new view of any cluster.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Running {
    fn start(config: &Config, options: &ClientOptions, shared: &Shared<'_>) -> Result<Self, ClientError> {
        let options = ClientOptions { timeout: config.timeout, ..options.clone() };
        let cluster =
            |config| Ok(Arc::new(Cluster::new(config, &options, Arc::clone(shared.events), shared.changes.clone())?));
        let clusters: Vec<_> = config.clusters.iter().map(cluster).collect::<Result<_, ClientError>>()?;
        let stop = CancellationToken::new();
        for cluster in &clusters {
            // So that a reload is nothing that anybody sees.
            if let Some(known) = shared.before.iter().find(|known| known.name == cluster.name) {
                cluster.begin_with(known.view());
            }
            tokio::spawn(Arc::clone(cluster).watch(config.refresh, stop.clone()));
            let (cluster, stop, every) = (Arc::clone(cluster), stop.clone(), config.silences.evaluation_interval);
            // It may be ending one when it is to stop.
            shared.writes.spawn(async move {
                let watch = || silencing::watch::watch(&cluster, every, &stop);
                cluster.steadily(Task::Silences, &stop, watch).await;
            });
        }
        Ok(Self {
            clusters,
            refresh: config.refresh,
            rules: config.silences,
            access: Arc::new(config.access.clone()),
            stop: stop.clone(),
            _watching: stop.drop_guard(),
        })
    }
}
