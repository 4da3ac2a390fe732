//! `pushgateway-agent`: checkscript-runner for hosts that cannot be scraped. It runs the same checks under the same command line,
//! and pushes their results to pushgateway-ex (contract C6), or their metrics to a plain Pushgateway, beside logging them.
//!
//! A [`sink`] puts each result into the [`queue`] of every gateway, which holds the newest of each check. A [`sender`] a gateway
//! empties it, by [`post`], with growing waits while the gateway is away, and deletes what was [`removed`]; the [`spool`] keeps the queues on the disk where that is
//! asked for. What the parts tell with `tracing` goes to the runner's log ([`logging`]).

pub mod config;
pub mod events;
pub mod flags;
pub mod gateway;
pub mod group;
pub mod logging;
pub mod post;
pub mod queue;
pub mod removed;
pub mod sender;
pub mod short_ttl;
pub mod sink;
pub mod spool;
pub mod states;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use check_result::log::Level;
use checkscript_runner::app::{self, Outlet};
use checkscript_runner::definitions::Definitions;
use checkscript_runner::notice::{Notice, Sink};
use service::{Bound, BuildInfo, Readiness, Server};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::events::Events;
use self::flags::{Flags, OnStop, PushFlags, WebFlags};
use self::gateway::Gateway;
use self::group::Group;
use self::queue::Entry;
use self::removed::Defined;
use self::sender::Sender;
use self::sink::Pushing;
use self::spool::{Marker, Spool};
use self::states::States;

/// Checks whose metrics are made here.
const MOST_CHECKS: usize = 10_000;

/// The program: from the command line to the exit status.
///
/// # Errors
/// When the machine refuses what is needed.
pub fn run(line: impl Iterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let Flags { runner, mut push, web } = checkscript_runner::cli::read(line).unwrap_or_else(|error| error.exit());
    if runner.background {
        push.queue_file = push.queue_file.map(std::path::absolute).transpose().context("no working directory")?;
    }
    // A tool pushes nothing, and neither does what only reads the configuration.
    let idle = runner.tool.is_some() || runner.validate_config || runner.print_config;
    let gateways = match push.gateways() {
        Ok(gateways) => gateways,
        Err(_) if idle => Vec::new(),
        Err(error) => {
            error.failures().iter().for_each(|failure| eprintln!("{}: {failure}", info().name));
            return Ok(ExitCode::from(2));
        }
    };
    app::run(runner, Push { flags: push, web, gateways, running: None })
}

fn info() -> BuildInfo {
    BuildInfo { name: "pushgateway-agent", ..service::build_info!() }
}

/// The runner's outlet.
struct Push {
    flags: PushFlags,
    web: Option<WebFlags>,
    gateways: Vec<config::Gateway>,
    running: Option<Running>,
}

/// What runs beside the checks.
struct Running {
    gateways: Arc<[Gateway]>,
    senders: JoinSet<()>,
    spool: Option<Spool>,
    events: Events,
    defined: Arc<Defined>,
    states: Arc<States>,
    /// Nothing is published any more.
    stop: CancellationToken,
    /// There is no more time.
    abandon: CancellationToken,
    server: Option<Bound>,
    readiness: Option<Readiness>,
    serving: Option<JoinHandle<()>>,
    served: CancellationToken,
}

// === impl Push ===

impl Push {
    fn start(&self, log: Arc<dyn Sink>, definitions: &Definitions) -> anyhow::Result<(Running, Arc<dyn Sink>)> {
        let mut server = self.web.as_ref().map(|web| Server::new(info(), web)).transpose()?;
        let readiness = server.as_mut().map(Server::readiness);
        let mut unread = prometheus_client::registry::Registry::default();
        let events = Events::new(server.as_mut().map_or(&mut unread, Server::registry));
        let instance = self.flags.instance.as_ref().unwrap_or(&definitions.client.name);
        let group = Group::new(&self.flags.job, instance, &self.flags.labels);
        let gateways = self.gateways.iter().map(|gateway| Gateway::new(gateway, &group, &self.flags, &events));
        let gateways: Arc<[Gateway]> = gateways.collect::<Result<Vec<_>, _>>()?.into();
        let spool = self.flags.queue_file.as_deref();
        let spool = spool.map(|file| Spool::open(file, Arc::clone(&gateways), events.clone())).transpose()?;
        self.check_ttl(&events, definitions);
        let defined = Arc::new(Defined::new(&definitions.client.name, definitions.keys().collect()));
        let marker = spool.as_ref().map(Spool::marker);
        for (index, gateway) in gateways.iter().enumerate() {
            discard(gateway, (index, marker.as_ref()), &events, |entry| defined.is_outdated(gateway.kind(), entry));
        }
        let server = server.map(|server| server.supervised_elsewhere().bind()).transpose()?;
        let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
        let mut senders = JoinSet::new();
        for index in 0..gateways.len() {
            let (gateways, marker, events) = (Arc::clone(&gateways), marker.clone(), events.clone());
            let sender = Sender { gateways, index, marker, events, defined: Arc::clone(&defined) };
            senders.spawn(sender.run(self.flags.interval, stop.clone(), abandon.clone()));
        }
        let states = Arc::new(States::new(MOST_CHECKS));
        let sink = Pushing {
            log,
            gateways: Arc::clone(&gateways),
            marker,
            events: events.clone(),
            output_bytes: self.flags.output_bytes,
            defined: Arc::clone(&defined),
            states: Arc::clone(&states),
        };
        let (serving, served) = (None, CancellationToken::new());
        let running = Running {
            gateways,
            senders,
            spool,
            events,
            defined,
            states,
            stop,
            abandon,
            server,
            readiness,
            serving,
            served,
        };
        Ok((running, Arc::new(sink)))
    }

    fn check_ttl(&self, events: &Events, definitions: &Definitions) {
        let checks = definitions.checks.iter().map(|check| (check.name.as_str(), &check.timetable));
        events.short_ttl(&short_ttl::slower(checks, self.flags.ttl), self.flags.ttl);
    }
}

impl Outlet for Push {
    fn begin(&mut self, log: Arc<dyn Sink>, definitions: &Definitions) -> Result<Arc<dyn Sink>, Notice> {
        logging::init(Arc::clone(&log));
        let started = self.start(log, definitions);
        let (running, sink) = started.map_err(|error| {
            Notice::new(Level::Fatal, format!("Cannot push: {error:#}")).with("error", format!("{error:#}"))
        })?;
        self.running = Some(running);
        Ok(sink)
    }

    fn running(&mut self) {
        let Some(running) = &mut self.running else { return };
        running.readiness.iter().for_each(|readiness| readiness.set_ready(true));
        let Some(server) = running.server.take() else { return };
        let stop = running.served.clone();
        running.serving = Some(tokio::spawn(async move {
            if let Err(error) = server.run(stop).await {
                tracing::error!(error = format!("{error:#}"), "Could not serve metrics: {error:#}");
            }
        }));
    }

    fn reloaded(&mut self, definitions: &Definitions) {
        if let Some(running) = &self.running {
            self.check_ttl(&running.events, definitions);
            running.redefine(definitions);
        }
    }

    async fn end(self) {
        if let Some(running) = self.running {
            running.end(self.flags.on_stop, self.flags.stop_timeout).await;
        }
    }
}

// === impl Running ===

impl Running {
    /// Has the gateways forget the checks that there are no more.
    fn redefine(&self, definitions: &Definitions) {
        let gone = self.defined.replace(definitions.keys().collect());
        self.states.forget(&gone);
        let marker = self.spool.as_ref().map(Spool::marker);
        for (index, gateway) in self.gateways.iter().enumerate() {
            discard(gateway, (index, marker.as_ref()), &self.events, |entry| gone.contains(&entry.key));
            gateway.leftovers().add(gone.iter().cloned());
        }
    }

    async fn end(mut self, how: OnStop, limit: Duration) {
        match how {
            OnStop::Push => self.deliver(limit).await,
            OnStop::Delete => self.delete(limit).await,
        }
        if let Some(spool) = self.spool.take() {
            let closed = tokio::task::spawn_blocking(move || spool.close()).await;
            if let Err(error) = closed {
                tracing::error!(%error, "Could not close the queue's file: {error}");
            }
        }
        self.served.cancel();
        if let Some(serving) = self.serving {
            // It ends by its own shutdown timeout.
            let _ = serving.await;
        }
    }

    /// Gives the senders `limit` for what waits.
    async fn deliver(&mut self, limit: Duration) {
        self.stop.cancel();
        let all = async { while self.senders.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all).await.is_err() {
            self.abandon.cancel();
            while self.senders.join_next().await.is_some() {}
        }
        let kept = self.spool.is_some();
        for gateway in self.gateways.iter() {
            self.events.left(gateway.name(), gateway.queue().len(), kept);
        }
    }

    /// Has every gateway forget what was pushed, and forgets what was to be.
    async fn delete(&mut self, limit: Duration) {
        self.abandon.cancel();
        while self.senders.join_next().await.is_some() {}
        let marker = self.spool.as_ref().map(Spool::marker);
        for index in 0..self.gateways.len() {
            for key in self.gateways[index].queue().clear() {
                marker.iter().for_each(|marker| marker.mark(index, key.clone()));
            }
            let (gateways, events) = (Arc::clone(&self.gateways), self.events.clone());
            self.senders.spawn(async move {
                let gateway = &gateways[index];
                events.deleted(gateway.name(), sender::delete(gateway, tokio::time::sleep(limit)).await);
            });
        }
        while self.senders.join_next().await.is_some() {}
    }
}

/// Takes what waits for a gateway and is of no use any more out of its queue.
fn discard(
    gateway: &Gateway,
    (index, marker): (usize, Option<&Marker>),
    events: &Events,
    what: impl Fn(&Entry) -> bool,
) {
    let discarded = gateway.queue().discard(what);
    events.undefined(gateway, discarded.len());
    for key in discarded {
        marker.iter().for_each(|marker| marker.mark(index, key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use check_result::CheckResult;
    use checkscript_runner::definitions::{Features, Host, Sources, load};
    use clap::Parser as _;
    use serde_json::json;

    use super::*;

    struct NoLog;

    impl Sink for NoLog {
        fn publish(&self, _: &CheckResult) {}

        fn notice(&self, _: &Notice) {}
    }

    /// What runs these checks.
    fn definitions(checks: &[&str]) -> Definitions {
        let check = json!({"command": "false", "standalone": true, "interval": 60});
        let checks: serde_json::Map<_, _> = checks.iter().map(|name| ((*name).to_owned(), check.clone())).collect();
        let no = json!({"enabled": false});
        let client = json!({"name": "web-1", "address": "127.0.0.1", "socket": no, "http_socket": no});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, json!({"client": client, "checks": checks}).to_string()).unwrap();
        let sources = Sources {
            file: Some(file.path().to_owned()),
            directories: Vec::new(),
            environment: Default::default(),
            host: Host::detect(),
            features: Features::default(),
        };
        load(&sources).definitions.unwrap()
    }

    #[tokio::test]
    async fn the_metrics_of_a_check_that_was_away_begin_anew() {
        let flags = ["a", "--push.gateway=http://127.0.0.1:1", "--push.metrics-only", "--push.interval=1h"];
        let flags = Flags::try_parse_from(flags).unwrap().push;
        let gateways = flags.gateways().unwrap();
        let push = Push { flags, web: None, gateways, running: None };
        let (running, sink) = push.start(Arc::new(NoLog), &definitions(&["disk"])).unwrap();
        let disk = json!({"name": "disk", "command": "false", "output": "", "status": 2});
        let disk = CheckResult::new("web-1", disk.as_object().unwrap().clone()).unwrap();
        let occurrences = || {
            sink.publish(&disk);
            let waiting = running.gateways[0].queue().get(&disk.key()).unwrap();
            let page = std::str::from_utf8(&waiting.payload).unwrap().to_owned();
            page.lines()
                .find(|line| line.starts_with("checkscript_occurrences{"))
                .map(|line| line[line.len() - 2..].to_owned())
                .unwrap()
        };
        assert_eq!([occurrences(), occurrences()], [" 1", " 2"]);
        running.redefine(&definitions(&["load"]));
        running.redefine(&definitions(&["disk"]));
        assert_eq!(occurrences(), " 1");
        running.abandon.cancel();
    }
}
