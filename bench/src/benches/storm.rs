//! The worst minute of alertmanager-proxy: 20,000 nodes fail at once, two Prometheus servers tell of it, a real Alertmanager is
//! behind.
//!
//! One node in ten hangs and one in twenty refuses. Alerts are sent as Prometheus sends them: one batch after the other
//! over one connection, 64 alerts each (2.x) or 256 (3.x), by both replicas at once. After that everything is known,
//! and what resends cost is measured: by the processor time of the proxy, since Alertmanager and the senders take the
//! rest of the machine.
//!
//! The nodes, Alertmanager and the senders are on this machine too, and answers wait for a processor whoever gives them. So beside
//! those of the proxy stand the answers that a server which does nothing gives to the same posts meanwhile, and those of an
//! Alertmanager without a proxy, to which the same is sent alone; and how much processor time each of them took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::Settings;
use crate::http::Fetcher;
use crate::idle::Idle;
use crate::nodes::{self, NODES, Nodes};
use crate::program::{Cpu, pass};
use crate::proxy::{Alertmanager, Proxy};
use crate::report::{Figure, Report};
use crate::sender::{batches, send};
use crate::stats::Samples;

/// The default hold.
const HOLD: f64 = 3.0;
/// Repeats of a storm that takes a quarter of a minute.
const MOST: usize = 3;
/// Resends of all alerts by one replica; a minute apart they would be half an hour.
const RESENDS: usize = 30;
/// Resends until memory has settled.
const SETTLED: usize = 5;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("storm")?.of(&["alertmanager", "alertmanager-proxy"]);
    let (fetcher, nodes) = (Fetcher::new()?, Nodes::start()?);
    let mut last = None;
    for size in [64, 256] {
        let mut runs = Vec::new();
        for _ in 0..settings.repeats.min(MOST) {
            // The ones before do not share the machine any more.
            drop(last.take());
            let batches = batches(&nodes, size, Timestamp::now());
            let bare = Alertmanager::start(settings, &fetcher)?;
            let alone = replicas(&bare.base, &batches)?;
            drop(bare);
            let proxy = Proxy::start(settings, &fetcher, ("storm", "fetch: {cache: 30m, failure_cache: 30m}"))?;
            let mut figures = burst(&proxy, &fetcher, (size, &batches))?;
            let name = format!("batches of {size}: an Alertmanager without a proxy, alone: answered p99");
            figures.push(Figure::one(name, "ms", alone.quantile(0.99)));
            runs.push(figures);
            nodes.check()?;
            last = Some((proxy, batches));
        }
        report.add_runs(&runs);
    }
    if let Some((proxy, batches)) = last {
        resends(&mut report, &proxy, &fetcher, &batches)?;
        nodes.check()?;
    }
    Ok(report)
}

/// Both replicas send every alert for the first time.
fn burst(proxy: &Proxy, fetcher: &Fetcher, (size, batches): (usize, &[String])) -> anyhow::Result<Vec<Figure>> {
    let name = |what: &str| format!("batches of {size}: {what}");
    let (idle, sent_all) = (Idle::start()?, AtomicBool::new(false));
    let (work, started) = (Work::of(proxy)?, Instant::now());
    let (took, meanwhile) = thread::scope(|scope| {
        let meanwhile = scope.spawn(|| idle.posts(batches, &sent_all));
        let took = replicas(&proxy.base, batches);
        sent_all.store(true, Ordering::Relaxed);
        let meanwhile = meanwhile.join().expect("a sender does not panic")?;
        anyhow::Ok((took?, meanwhile))
    })?;
    let sent = started.elapsed();
    proxy.until_quiet(fetcher)?;
    let (arrived, work) = (started.elapsed() - sent, Work::of(proxy)?.since(&work));
    let first = proxy.metric(fetcher, "alertmanager_proxy_enrichments_total", "outcome=\"fetched\"")?;
    let (alerts, detailed) = proxy.arrived(fetcher)?;
    let add = |what: &str, unit, value| Figure::one(name(what), unit, value);
    let answering = f64::from(Nodes::answering());
    let without = answering - f64::from(detailed);
    Ok(vec![
        add("sent by two replicas in", "s", sent.as_secs_f64()).lower(),
        add("answered p50", "ms", took.median()).lower(),
        add("answered p99", "ms", took.quantile(0.99)).at_most(20.0),
        add("slowest answer", "ms", took.highest()),
        add("a server that does nothing, meanwhile: answered p99", "ms", meanwhile.quantile(0.99)),
        add("all in Alertmanager after the last answer", "s", arrived.as_secs_f64()).at_most(HOLD + 5.0),
        add("alerts lost", "", f64::from(NODES - alerts)).at_most(0.0).or_not(),
        add("answering nodes without their detail in the first post", "", answering - first).at_most(0.0).or_not(),
        add("answering nodes without their detail in Alertmanager", "", without).at_most(0.0).or_not(),
        add("resident at most", "MiB", proxy.program.memory()?.peak).at_most(150.0),
        add("processor time of the proxy", "s", work.proxy).lower(),
        add("processor time of Alertmanager", "s", work.alertmanager),
        add("processor time of the proxy, to Alertmanager's", "x", work.proxy / work.alertmanager).ratio().lower(),
        add("processor time of the nodes", "s", work.nodes),
        add("processor time of the senders and of the server that does nothing", "s", work.senders),
    ])
}

/// Processor time, in seconds, of all that share this machine.
struct Work {
    proxy: f64,
    alertmanager: f64,
    nodes: f64,
    senders: f64,
}

// === impl Work ===

impl Work {
    /// So far.
    fn of(proxy: &Proxy) -> anyhow::Result<Self> {
        let nodes = Cpu::of_threads(nodes::THREAD)?.own;
        let (alertmanager, proxy) = (proxy.alertmanager.program.cpu()?.own, proxy.program.cpu()?.own);
        Ok(Self { proxy, alertmanager, nodes, senders: Cpu::here()?.own - nodes })
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            proxy: self.proxy - earlier.proxy,
            alertmanager: self.alertmanager - earlier.alertmanager,
            nodes: self.nodes - earlier.nodes,
            senders: self.senders - earlier.senders,
        }
    }
}

/// Two replicas send the batches at the same time; how many milliseconds each answer took.
fn replicas(base: &str, batches: &[String]) -> anyhow::Result<Samples> {
    let took = thread::scope(|scope| {
        let replicas = [(); 2].map(|()| scope.spawn(|| send(base, batches)));
        let took = replicas.map(|replica| replica.join().expect("a replica does not panic"));
        took.into_iter().collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(took.concat().into_iter().collect())
}

/// Everything is known.
fn resends(report: &mut Report, proxy: &Proxy, fetcher: &Fetcher, batches: &[String]) -> anyhow::Result<()> {
    let (mut rates, mut walls, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RESENDS {
        let (cpu, started) = (proxy.program.cpu()?, Instant::now());
        send(&proxy.base, batches)?;
        let sent = started.elapsed();
        proxy.until_quiet(fetcher)?;
        rates.push(f64::from(NODES) / (proxy.program.cpu()? - cpu).own);
        walls.push(f64::from(NODES) / sent.as_secs_f64());
        resident.push(proxy.program.memory()?.resident);
        // As between two evaluations, though shorter.
        pass(Duration::from_millis(100));
    }
    let early = Samples::from(&resident[SETTLED..2 * SETTLED]);
    let late = Samples::from(&resident[RESENDS - SETTLED..]);
    let growth = late.median() - early.median();
    report.add(Figure::new("resends: alerts a second of one core", "", &Samples::from(&rates[..])).at_least(15_000.0));
    report.add(Figure::new("resends: alerts taken a second", "", &Samples::from(&walls[..])).higher());
    report.add(Figure::one("resends: resident", "MiB", late.median()).at_most(150.0));
    report.add(Figure::one("resends: resident, growth", "MiB", growth).at_most(5.0).or_not());
    Ok(())
}
