//! One cluster: asks its servers again and again, however many people look on, and keeps what they say as a [`View`].

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::{join_all, try_join3, try_join4};
use service::http::{ClientError, ClientOptions, upstream_client};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::alertmanager;
use crate::config::{self, Refresh};
use crate::detail::Details;
use crate::events::Events;
use crate::prometheus::{query, quoted};
use crate::upstream::{AskError, Replicas, Upstream};
use crate::view::{Answers, Metrics, Part, View, united};

/// A cluster that is watched.
#[derive(Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Asks its nodes for details.
    pub details: Details,
    prometheus: Replicas,
    alertmanagers: Vec<Upstream>,
    node_jobs: String,
    view: ArcSwap<View>,
    /// Counts the views of all clusters, for those who wait for the next one.
    changes: watch::Sender<u64>,
    events: Arc<Events>,
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
        Ok(Self {
            name: config.name.clone(),
            details: Details::new(&config.detail, options)?,
            prometheus: Replicas::new(upstreams(&config.prometheus)?),
            alertmanagers: upstreams(&config.alertmanagers)?,
            node_jobs: config.node_jobs.clone(),
            view: ArcSwap::default(),
            changes,
            events,
        })
    }

    /// What is known now.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Its Prometheis.
    pub fn prometheus(&self) -> &Replicas {
        &self.prometheus
    }

    /// Asks its servers until `stop`.
    pub async fn watch(self: Arc<Self>, refresh: Refresh, stop: CancellationToken) {
        let nodes = repeat(refresh.nodes, || self.refresh_metrics());
        let alerts = repeat(refresh.alerts, || self.refresh_alerts());
        stop.run_until_cancelled(futures_util::future::join(nodes, alerts)).await;
    }

    async fn refresh_metrics(&self) {
        let before = self.view.load().metrics.clone();
        let asked = self.prometheus.ask(|server| Box::pin(self.ask_prometheus(server))).await;
        let part = match asked {
            Ok((answers, failures)) => Part::fresh(made(answers).await, failures),
            Err(failures) => before.outdated(failures),
        };
        self.tell("Prometheus", before.is_old, &part);
        self.replace(|view| View::new(part.clone(), view.alerts.clone(), view.silences.clone()));
    }

    async fn refresh_alerts(&self) {
        let before = self.view.load_full();
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
        let (alerts, silences) = match alerts.is_empty() && !failures.is_empty() {
            true => (before.alerts.outdated(failures.clone()), before.silences.outdated(failures)),
            false => {
                let alerts = united(alerts, |alert| alert.fingerprint.clone(), |alert| alert.updated_at);
                let silences = united(silences, |silence| silence.id.clone(), |silence| silence.updated_at);
                let alerts = alerts.into_iter().map(Into::into).collect();
                let silences = silences.into_iter().map(Into::into).collect();
                (Part::fresh(alerts, failures.clone()), Part::fresh(silences, failures))
            }
        };
        self.tell("Alertmanager", before.alerts.is_old, &alerts);
        self.replace(|view| View::new(view.metrics.clone(), alerts.clone(), silences.clone()));
    }

    async fn ask_prometheus(&self, server: &Upstream) -> Result<Answers, AskError> {
        let nodes = format!("up{{job=~{}}}", quoted(&self.node_jobs));
        let (scraped, down) = (
            format!("timestamp({nodes}) and ({nodes} == 1)"),
            format!(
                "max by (job, instance) (ALERTS_FOR_STATE{{alertname=\"NodeDown\"}}) and on (job, instance) ({nodes} == 0)"
            ),
        );
        // A check without a `ttl` is late after three intervals, as on the agent's own page.
        let stale = "count by (check) (checkscript_last_execution_timestamp_seconds < \
                     (time() - (checkscript_ttl_seconds or 3 * checkscript_interval_seconds)))";
        let sums = try_join3(
            query(server, "count by (job, instance) (checkscript_status)"),
            query(server, "count by (check) (checkscript_status)"),
            query(server, stale),
        );
        let lists = try_join4(
            query(server, &nodes),
            query(server, &scraped),
            query(server, &down),
            query(server, "checkscript_status != 0"),
        );
        // One after the other: no more than four queries of ours at a time.
        let (up, scraped, down, failing) = lists.await?;
        let (checks, names, stale) = sums.await?;
        Ok(Answers { up, scraped, down, checks, names, stale, failing })
    }

    /// Says once when the servers of a kind answer no more, and when they do again.
    fn tell<T>(&self, kind: &'static str, was_old: bool, part: &Part<T>) {
        self.events.asked(&self.name, kind, !part.is_old);
        let name = &self.name;
        if part.is_old && !was_old {
            let reasons: Vec<_> = part.failures.iter().map(AskError::to_string).collect();
            let reasons = reasons.join("; ");
            warn!(cluster = name, "No {kind} of {name} answers, what it said last is shown on: {reasons}");
        } else if !part.is_old && was_old {
            info!(cluster = name, "{kind} of {name} answers again");
        }
    }

    fn replace(&self, view: impl Fn(&View) -> View) {
        self.view.rcu(|before| view(before));
        self.changes.send_modify(|count| *count += 1);
    }
}

/// Does `work` at once and then every so often; one that takes longer delays the next.
async fn repeat<F: Future<Output = ()>>(every: Duration, work: impl Fn() -> F) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        work().await;
    }
}

/// Putting hundreds of thousands of samples together would keep requests waiting.
async fn made(answers: Answers) -> Metrics {
    tokio::task::spawn_blocking(|| Metrics::new(answers)).await.expect("samples are put together without a panic")
}
