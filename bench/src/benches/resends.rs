//! 20,000 alerts that go on firing before alertmanager-proxy, for minutes: its memory may not grow.
//!
//! Two Prometheus servers send every alert once a minute, each time with a later end, one of them half a minute after the other. Details
//! are refreshed as by default. The first minute is the storm; what is compared is the medians of the second and the last.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::Settings;
use crate::http::Fetcher;
use crate::nodes::{NODES, Nodes};
use crate::program::pass;
use crate::proxy::Proxy;
use crate::report::{Figure, Report};
use crate::sender::{batches, send};
use crate::stats::Samples;

/// Between two replicas' posts of all alerts.
const HALF: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_secs(5);
/// Samples that make a minute.
const MINUTE: usize = 12;
/// The batches of Prometheus 3.x.
const BATCH: usize = 256;
/// Resident memory of the last minute to that of the second.
const GROWTH: f64 = 1.05;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("resends")?.of(&["alertmanager", "alertmanager-proxy"]);
    let (fetcher, nodes) = (Fetcher::new()?, Nodes::start()?);
    let proxy = Proxy::start(settings, &fetcher, ("resends", ""))?;
    let minutes = settings.minutes.max(3);
    let length = Duration::from_secs(60) * u32::try_from(minutes)?;
    let resident = thread::scope(|scope| {
        let replicas = scope.spawn(|| replicas(&nodes, &proxy.base, length));
        let resident = (0..minutes * MINUTE).map(|_| {
            pass(EVERY);
            Ok(proxy.program.memory()?.resident)
        });
        let resident = resident.collect::<anyhow::Result<Vec<_>>>()?;
        replicas.join().expect("the replicas do not panic")?;
        anyhow::Ok(resident)
    })?;
    proxy.until_quiet(&fetcher)?;
    nodes.check()?;
    let minute = |number: usize| Samples::from(&resident[(number - 1) * MINUTE..number * MINUTE]);
    report.add(Figure::given("minutes", "", minutes as f64));
    for (which, number) in [("second", 2), ("middle", minutes.div_ceil(2)), ("last", minutes)] {
        report.add(Figure::new(format!("resident in the {which} minute"), "MiB", &minute(number)).at_most(150.0));
    }
    let growth = minute(minutes).median() / minute(2).median();
    report.add(Figure::one("the last minute to the second", "", growth).ratio().at_most(GROWTH));
    report.add(Figure::one("resident at most", "MiB", proxy.program.memory()?.peak).lower());
    let (alerts, detailed) = proxy.arrived(&fetcher)?;
    report.add(Figure::one("alerts lost", "", f64::from(NODES - alerts)).at_most(0.0).or_not());
    let without = f64::from(Nodes::answering()) - f64::from(detailed);
    report.add(Figure::one("answering nodes without their detail", "", without).at_most(0.0).or_not());
    Ok(report)
}

/// The posts of both replicas in turn, until `length` has passed.
fn replicas(nodes: &Nodes, base: &str, length: Duration) -> anyhow::Result<()> {
    let (start, fired) = (Instant::now(), Timestamp::now());
    let mut next = Duration::ZERO;
    while next < length {
        pass(next.saturating_sub(start.elapsed()));
        send(base, &batches(nodes, BATCH, fired))?;
        next += HALF;
    }
    Ok(())
}
