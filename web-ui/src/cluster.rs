//! One cluster: asks its servers again and again, however many people look on, and keeps what they say as a [`View`].

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::{join_all, join3, try_join4};
use jiff::Timestamp;
use service::http::{ClientError, ClientOptions, upstream_client};
use tokio::sync::{Mutex, MutexGuard, Notify, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::alertmanager;
use crate::config::{self, Jobs, Refresh};
use crate::detail::Details;
use crate::events::{Events, Kind, Tally, Task};
use crate::load::Purpose;
use crate::one_check::{self, OneCheck};
use crate::past::{self, LastSaid, Strip};
use crate::prometheus::{Asking, Known, Prometheus, Sample, quoted};
use crate::recent::Recent;
use crate::steady::steadily;
use crate::upstream::{AskError, Replicas, Upstream};
use crate::view::{Answers, Check, Metrics, Part, Silenced, Sums, View, united};

/// The sums over all checks are made again when so many times as much time has passed as they took.
const REST: u32 = 20;

/// But not more seldom.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);

/// What the rules record of failing checks, and their count, which is there even if none is.
const RECORDED: &str = "check:checkscript_status:failing";
const COUNT: &str = "checkscript_status:failing:count";

/// A check without a `ttl` is late after three intervals, as on the agent's own page.
const STALE: &str = "count by (check) (checkscript_last_execution_timestamp_seconds < \
                     (time() - (checkscript_ttl_seconds or 3 * checkscript_interval_seconds)))";

/// How long a change waits at most for the page to show it.
const ANEW: Duration = Duration::from_secs(3);

/// How long Alertmanagers take to tell each other of a change.
const GOSSIP: Duration = Duration::from_secs(1);

/// A cluster that is watched.
#[derive(Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Asks its nodes for details.
    pub details: Details,
    prometheus: Arc<Prometheus>,
    /// Checks by name.
    checks: Recent<String, OneCheck>,
    strips: Recent<past::Asked, Strip>,
    last_said: Recent<Known, LastSaid>,
    /// Told when the sums are new.
    summed: Notify,
    /// Told when a Prometheus answers after none did.
    back: Notify,
    alertmanagers: Vec<Upstream>,
    node_jobs: Jobs,
    view: ArcSwap<View>,
    /// Counts the views of all clusters, for those who wait for the next one.
    changes: watch::Sender<u64>,
    tally: Arc<Tally>,
    /// Views are made one after the other, each from the one before.
    replacing: Mutex<()>,
    /// Alertmanagers are asked by one at a time, so that an answer never takes the place of a newer one.
    asking: Mutex<()>,
    /// Silences are changed by one at a time.
    writing: Mutex<()>,
}

// === impl Cluster ===

impl Cluster {
    /// A cluster of which nothing is known yet.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn new(
        config: &config::Cluster,
        options: &ClientOptions,
        events: Arc<Events>,
        changes: watch::Sender<u64>,
    ) -> Result<Self, ClientError> {
        let upstream = |server: &config::Server| {
            let client = upstream_client(&ClientOptions { http: server.http.clone(), ..options.clone() })?;
            Ok(Upstream::new(server.url.clone(), client))
        };
        let upstreams =
            |servers: &[config::Server]| servers.iter().map(upstream).collect::<Result<Vec<_>, ClientError>>();
        let patience = options.timeout / 2;
        let tally = Arc::new(Tally::new(&config.name, events));
        let prometheus = |servers| Prometheus::new(Replicas::new(servers), Arc::clone(&tally));
        let scrapers = upstreams(&config.targets)?.into_iter().map(|server| prometheus(vec![server])).collect();
        Ok(Self {
            name: config.name.clone(),
            details: Details::new(config, scrapers, options)?,
            prometheus: Arc::new(prometheus(upstreams(&config.prometheus)?)),
            checks: Recent::new(&config.name, patience),
            strips: Recent::new(&config.name, patience),
            last_said: Recent::new(&config.name, patience),
            summed: Notify::new(),
            back: Notify::new(),
            alertmanagers: upstreams(&config.alertmanagers)?,
            node_jobs: config.node_jobs.clone(),
            view: ArcSwap::default(),
            changes,
            tally,
            replacing: Mutex::default(),
            asking: Mutex::default(),
            writing: Mutex::default(),
        })
    }

    /// Shows what was known before, until its servers have answered here.
    pub fn begin_with(&self, before: Arc<View>) {
        self.view.store(before);
    }

    /// What is known now.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Its Prometheus servers.
    pub fn prometheus(&self) -> &Prometheus {
        &self.prometheus
    }

    /// A check on all nodes.
    pub async fn check(&self, name: &str) -> Part<OneCheck> {
        let (prometheus, name) = (Arc::clone(&self.prometheus), name.to_owned());
        let ask = {
            let name = name.clone();
            async move { prometheus.ask(Purpose::Check, |asking| one_check::ask(asking, &name)).await }
        };
        self.checks.get(name, ask).await
    }

    /// How a check was.
    pub async fn strip(&self, asked: past::Asked) -> Part<Strip> {
        let (prometheus, key, now) = (Arc::clone(&self.prometheus), asked.clone(), Timestamp::now().as_second());
        let ask = async move { prometheus.ask(Purpose::History, |asking| past::strip(asking, &asked, now)).await };
        self.strips.get(key, ask).await
    }

    /// What a node said last that does not say anything now.
    pub async fn last_said(&self, node: &Known) -> Part<LastSaid> {
        let (prometheus, node) = (Arc::clone(&self.prometheus), node.clone());
        let key = node.clone();
        let ask = async move { prometheus.ask(Purpose::History, |asking| past::last_said(asking, &node)).await };
        self.last_said.get(key, ask).await
    }

    /// Its Alertmanagers, any of which takes a change.
    pub fn alertmanagers(&self) -> &[Upstream] {
        &self.alertmanagers
    }

    /// Where it is counted what happens.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Waits until nobody else changes silences here.
    pub(crate) async fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Asks the Alertmanagers after a change, so that the next page shows it; one that hangs keeps nobody waiting for long.
    pub(crate) async fn heard_anew(self: &Arc<Self>) {
        let (this, (told, heard)) = (Arc::clone(self), oneshot::channel());
        tokio::spawn(async move {
            this.refresh_alerts().await;
            // Nobody may wait any more.
            let _ = told.send(());
            // Those that were not told themselves have it from the others by then.
            sleep(GOSSIP).await;
            this.refresh_alerts().await;
        });
        let _ = timeout(ANEW, heard).await;
    }

    /// Asks its servers until `stop`.
    pub async fn watch(self: Arc<Self>, refresh: Refresh, stop: CancellationToken) {
        let nodes = || repeat(refresh.nodes, Some(&self.summed), || self.refresh_metrics());
        let alerts = || repeat(refresh.alerts, None, || self.refresh_alerts());
        // One that panics does not keep the others from being done.
        let all = join3(
            self.steadily(Task::Nodes, &stop, nodes),
            self.steadily(Task::Sums, &stop, || self.sum(refresh.nodes)),
            self.steadily(Task::Alerts, &stop, alerts),
        );
        stop.run_until_cancelled(all).await;
    }

    /// Does `work`, and again where it panics, until `stop`.
    pub(crate) async fn steadily<F: Future<Output = ()>>(
        &self,
        task: Task,
        stop: &CancellationToken,
        work: impl Fn() -> F,
    ) {
        steadily((&self.name, &self.tally), task, stop, work).await;
    }

    async fn refresh_metrics(&self) {
        let was_old = self.view.load().metrics.is_old;
        let asked = self.prometheus.ask(Purpose::Refresh, |asking| self.ask_nodes(asking)).await;
        let part = move |view: &View| match asked {
            Ok((answers, aside)) => Part::answered(Metrics::new(answers, &view.sums.said), aside),
            Err(failures) => view.metrics.outdated(failures),
        };
        let view = self.replace(move |view| view.with_metrics(part(view))).await;
        if was_old && !view.metrics.is_old {
            self.back.notify_one();
        }
        self.tell(Kind::Prometheus, was_old, &view.metrics);
    }

    /// Makes the sums over all checks again and again: the longer that takes, the more seldom. Prometheus reads every series
    /// for each, which is a second of a processor for 150,000 checks.
    async fn sum(&self, least: Duration) {
        loop {
            let begun = Instant::now();
            // What was asked of servers that have been away since then comes late or never.
            let asked = tokio::select! {
                asked = self.prometheus.ask(Purpose::Sums, ask_sums) => asked,
                () = self.back.notified() => continue,
            };
            let before = self.view.load().sums.clone();
            let sums = match asked {
                Ok((sums, aside)) => Part::answered(sums, aside),
                Err(failures) => before.outdated(failures),
            };
            let view = self.replace(move |view| view.with_sums(sums)).await;
            self.tell(Kind::Sums, before.is_old, &view.sums);
            self.summed.notify_one();
            let rest = (begun.elapsed() * REST).min(LONGEST_REST).max(least);
            tokio::select! { () = sleep(rest) => {}, () = self.back.notified() => {} }
        }
    }

    /// Asks the Alertmanagers, out of turn.
    pub(crate) async fn refresh_alerts(&self) {
        let _asking = self.asking.lock().await;
        let was_old = self.view.load().alerts.is_old;
        let asked = join_all(self.alertmanagers.iter().map(|server| async {
            futures_util::future::try_join(alertmanager::alerts(server), alertmanager::silences(server)).await
        }));
        let (mut alerts, mut silences, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for asked in asked.await {
            match asked {
                Ok(said) => {
                    alerts.push(said.0);
                    silences.push(said.1);
                }
                Err(failure) => failures.push(failure),
            }
        }
        let nobody = alerts.is_empty() && !failures.is_empty();
        let next = move |view: &View| match nobody {
            true => view.with_alerts(view.alerts.outdated(failures.clone()), view.silences.outdated(failures)),
            false => {
                let alerts = united(alerts, |alert| alert.fingerprint.clone(), |alert| alert.updated_at);
                let silences = united(silences, |silence| silence.id.clone(), |silence| silence.updated_at);
                let alerts = alerts.into_iter().map(Into::into).collect();
                let silences = Silenced::all(silences, &view.silences.said);
                view.with_alerts(Part::fresh(alerts, failures.clone()), Part::fresh(silences, failures))
            }
        };
        let view = self.replace(next).await;
        self.tell(Kind::Alertmanager, was_old, &view.alerts);
        self.tally.unread(view.unread());
    }

    async fn ask_nodes(&self, asking: Asking) -> Result<Answers, AskError> {
        let nodes = format!("up{{job=~{}}}", quoted(self.node_jobs.as_str()));
        let (scraped, down) = (
            format!("timestamp({nodes}) and ({nodes} == 1)"),
            format!(
                "max by (job, instance) (ALERTS_FOR_STATE{{alertname=\"NodeDown\"}}) and on (job, instance) ({nodes} == 0)"
            ),
        );
        // No more than four queries of ours at a time.
        let lists = try_join4(asking.query(&nodes), asking.query(&scraped), asking.query(&down), failing(&asking));
        let (up, scraped, down, failing) = lists.await?;
        Ok(Answers { up, scraped, down, failing })
    }

    /// Says once when the servers of a kind answer no more, and when they do again.
    fn tell<T>(&self, kind: Kind, was_old: bool, part: &Part<T>) {
        self.tally.asked(kind, !part.is_old);
        let (name, kind) = (&self.name, kind.name());
        if part.is_old && !was_old {
            let reasons: Vec<_> = part.failures.iter().map(AskError::to_string).collect();
            let reasons = reasons.join("; ");
            warn!(cluster = name, "No {kind} of {name} answers, what it said last is shown on: {reasons}");
        } else if !part.is_old && was_old {
            info!(cluster = name, "{kind} of {name} answers again");
        }
    }

    /// Makes the next view where it keeps no request waiting: to put hundreds of thousands of samples together takes a while,
    /// and so does matching a thousand silences with every node.
    async fn replace(&self, next: impl FnOnce(&View) -> View + Send + 'static) -> Arc<View> {
        let _replacing = self.replacing.lock().await;
        let before = self.view.load_full();
        let made = tokio::task::spawn_blocking(move || Arc::new(next(&before))).await;
        let view = made.expect("a view is made without a panic");
        self.view.store(Arc::clone(&view));
        self.changes.send_modify(|count| *count += 1);
        view
    }
}

/// The checks that are not OK: as the rules record them, or else looked for among all.
async fn failing(asking: &Asking) -> Result<Vec<Sample<Check>>, AskError> {
    let recorded: Vec<Sample<Check>> = asking.query(&format!("{{__name__=~\"{RECORDED}|{COUNT}\"}}")).await?;
    match recorded.iter().any(|sample| sample.labels.series == COUNT) {
        true => Ok(recorded.into_iter().filter(|sample| sample.labels.series == RECORDED).collect()),
        false => asking.query("checkscript_status != 0").await,
    }
}

/// One after the other, since each reads every series.
async fn ask_sums(asking: Asking) -> Result<Sums, AskError> {
    let nodes = asking.query("count by (job, instance) (checkscript_status)").await?;
    let names = asking.query("count by (check) (checkscript_status)").await?;
    Ok(Sums { nodes, names, stale: asking.query(STALE).await? })
}

/// Does `work` at once and then every so often, and when it is `told`; one that takes longer delays the next.
async fn repeat<F: Future<Output = ()>>(every: Duration, told: Option<&Notify>, work: impl Fn() -> F) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        match told {
            Some(told) => tokio::select! { _ = ticks.tick() => {}, () = told.notified() => {} },
            None => drop(ticks.tick().await),
        }
        work().await;
    }
}
