//! web-ui before 20,000 nodes with 50 checks each and 2,000 alerts, in four clusters of which one is real.
//!
//! The time of a page is its client's, over a kept connection: the server's and the waiting for a processor. What a refresh costs
//! Prometheus is counted at its door, with one viewer and with a hundred that load the page at every change. How many more refreshes than one
//! viewer's a hundred have may be the edges of what is watched, so they are held against those that are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use service::http::{ClientOptions, fleet_client, read_limited};

use crate::Settings;
use crate::dashboard::{CHECKS, Clusters, Dashboard, LIVE};
use crate::http::Fetcher;
use crate::program::pass;
use crate::report::{Figure, Report};
use crate::stats::Samples;

const REQUESTS: usize = 100;
const VIEWERS: usize = 100;

/// The longest page.
const PAGE: usize = 16 << 20;

/// Four refreshes of nodes at the default interval.
const WATCHED: Duration = Duration::from_secs(120);
const DUE: f64 = 4.0;

/// Queries of a refresh, and of the sums over all checks. When those are made, there is a refresh out of turn.
const OF_REFRESH: f64 = 4.0;
const OF_SUMS: f64 = 3.0;

const MINUTES: f64 = WATCHED.as_secs() as f64 / 60.0;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("web-ui")?.of(&["prometheus", "web-ui"]);
    let fetcher = Fetcher::new()?;
    let clusters = Clusters::start(settings, &fetcher)?;
    let dashboard = clusters.show(settings, &fetcher)?;
    let add = |name: &str, value: usize| Figure::given(name, "", value as f64);
    report.add(add("nodes", Clusters::nodes()));
    report.add(add("checks", Clusters::nodes() * usize::try_from(CHECKS)?));
    report.add(add("alerts", clusters.alerts()));
    pages(&mut report, &clusters, &dashboard, &fetcher)?;
    load(&mut report, &clusters, &dashboard)?;
    let memory = dashboard.program.memory()?;
    report.add(Figure::one("resident", "MiB", memory.resident).at_most(300.0));
    report.add(Figure::one("resident at most", "MiB", memory.peak).lower());
    let cpu = dashboard.program.cpu()?;
    report.add(Figure::one("processor time in all", "s", cpu.own).lower());
    dashboard.program.stop()?;
    Ok(report)
}

fn pages(report: &mut Report, clusters: &Clusters, dashboard: &Dashboard, fetcher: &Fetcher) -> anyhow::Result<()> {
    let check = clusters.check(fetcher)?;
    let live = format!("/nodes/tokyo/checkscript/{LIVE}?check={check}");
    let pages = [
        ("first page", "/", 100.0),
        ("filter", "/?filter=severity%3D%22critical%22%2Cinstance%3D~%22node-0.*%22", 100.0),
        ("words", "/?find=example+CRITICAL", 100.0),
        ("sort", "/?sort=-since", 100.0),
        ("group", "/?group=check", 100.0),
        ("last page", "/?page=20", 100.0),
        ("nodes", "/nodes", 100.0),
        ("nodes, sorted", "/nodes?sort=-seen", 100.0),
        ("checks", "/checks", 100.0),
        ("node page with a live node", &live, 200.0),
    ];
    for (name, path, bound) in pages {
        let url = format!("{}{path}", dashboard.base);
        let (mut took, mut weight) = (Vec::new(), 0);
        for _ in 0..REQUESTS {
            let fetched = fetcher.get_compressed(&url)?;
            took.push(fetched.took.as_secs_f64() * 1000.0);
            weight = fetched.bytes;
        }
        let took: Samples = took.into_iter().collect();
        report.add(Figure::one(format!("{name}: p50"), "ms", took.median()).lower());
        report.add(Figure::one(format!("{name}: p99"), "ms", took.quantile(0.99)).at_most(bound));
        report.add(Figure::one(format!("{name}: weight, compressed"), "kB", weight as f64 / 1000.0).at_most(200.0));
    }
    Ok(())
}

/// What web-ui asks of the real Prometheus, with one viewer and with many.
fn load(report: &mut Report, clusters: &Clusters, dashboard: &Dashboard) -> anyhow::Result<()> {
    let [first, _] = &clusters.asked;
    let mut queries = Vec::new();
    for viewers in [1, VIEWERS] {
        let (watching, fetcher) = (Viewers::start(&dashboard.base, viewers)?, Fetcher::new()?);
        let now = || anyhow::Ok((first.load(), clusters.prometheus.program.cpu()?, dashboard.asked(&fetcher)?));
        let before = now()?;
        pass(WATCHED);
        let (after, seen) = (now()?, watching.stop()?);
        let (load, refreshes, sums) =
            (after.0.since(before.0), after.2.refreshes - before.2.refreshes, after.2.sums - before.2.sums);
        queries.push(refreshes);
        let add = |what: &str, unit, value| Figure::one(format!("{viewers} viewers: {what}"), unit, value);
        let of_prometheus = (after.1 - before.1).own / MINUTES;
        let figures = [
            add("pages loaded", "", seen as f64),
            add("queries of one Prometheus a minute, refreshes", "", refreshes / MINUTES).lower(),
            add("queries of one Prometheus a minute, sums", "", sums / MINUTES),
            add("refreshes that are not due", "", caused_by_viewers(refreshes, sums)).at_most(0.0).or_not(),
            add("answers a minute", "kB", load.bytes as f64 / 1000.0 / MINUTES).lower(),
            add("time of these queries a minute", "s", load.took / MINUTES),
            add("processor time of Prometheus a minute, scrapes and rules too", "s", of_prometheus),
        ];
        figures.into_iter().for_each(|figure| report.add(figure));
    }
    let ratio = queries[1] / queries[0];
    report.add(Figure::one("refreshing queries with many viewers, of those with one", "", ratio).ratio());
    Ok(())
}

/// Refreshes beyond those that are due, for which nobody can be but who looks. One may fall on the edge of what is watched, and one may follow
/// sums whose queries were before it.
fn caused_by_viewers(refreshing: f64, summing: f64) -> f64 {
    let due = DUE + 1.0 + (summing / OF_SUMS).ceil() + 1.0;
    (refreshing / OF_REFRESH - due).max(0.0)
}

/// Browsers that load the first page whenever something has changed.
struct Viewers {
    stop: Arc<AtomicBool>,
    pages: Arc<AtomicU64>,
    thread: thread::JoinHandle<anyhow::Result<()>>,
}

// === impl Viewers ===

impl Viewers {
    fn start(base: &str, count: usize) -> anyhow::Result<Self> {
        let (stop, pages) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted, base) = (Arc::clone(&stop), Arc::clone(&pages), base.to_owned());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let options = ClientOptions { timeout: 2 * WATCHED, ..ClientOptions::new(service::build_info!()) };
                // A connection that idles is closed by the server, at the moment at which it is used again if need be.
                let client = fleet_client(&options)?;
                let mut looking = tokio::task::JoinSet::new();
                for _ in 0..count {
                    looking.spawn(look(client.clone(), base.clone(), Arc::clone(&counted)));
                }
                while !stopped.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if let Some(ended) = looking.try_join_next() {
                        ended??;
                        anyhow::bail!("the stream of events ended");
                    }
                }
                Ok(())
            })
        });
        Ok(Self { stop, pages, thread })
    }

    /// How many pages they have loaded.
    fn stop(self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("a viewer panicked"))??;
        Ok(self.pages.load(Ordering::Relaxed))
    }
}

async fn look(client: reqwest::Client, base: String, pages: Arc<AtomicU64>) -> anyhow::Result<()> {
    let mut events = client.get(format!("{base}/events")).send().await?.error_for_status()?;
    let mut told = Vec::new();
    while let Some(chunk) = events.chunk().await.context("the stream of events broke")? {
        told.extend_from_slice(&chunk);
        if !has_changed(&mut told) {
            continue;
        }
        let page = client.get(format!("{base}/")).header("Accept-Encoding", "gzip").send().await?.error_for_status()?;
        read_limited(page, PAGE).await?;
        pages.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Takes the events that are whole off what was told, and says whether a change was among them: the others are beats.
fn has_changed(told: &mut Vec<u8>) -> bool {
    let Some(end) = told.windows(2).rposition(|end| end == b"\n\n") else { return false };
    let events: Vec<u8> = told.drain(..end + 2).collect();
    events.split(|byte| *byte == b'\n').any(|line| line == b"event: change")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_viewers_cause_refreshes_beyond_edges_and_sums() {
        let refreshes = |count: f64| count * OF_REFRESH;
        assert_eq!((caused_by_viewers(refreshes(4.0), 0.0), caused_by_viewers(refreshes(5.0), 1.0)), (0.0, 0.0));
        assert_eq!(caused_by_viewers(refreshes(7.0), OF_SUMS), 0.0, "an edge, these sums and some before");
        assert_eq!(caused_by_viewers(refreshes(1_100.0), OF_SUMS), 1_093.0);
    }

    #[test]
    fn only_a_change_is_one() {
        let mut told = b"event: beat\ndata: 1\n\nevent: cha".to_vec();
        assert!(!has_changed(&mut told));
        told.extend_from_slice(b"nge\ndata: {}\n");
        assert!(!has_changed(&mut told), "it is not whole yet");
        told.extend_from_slice(b"\nevent: beat");
        assert!(has_changed(&mut told));
        assert_eq!(told, b"event: beat");
    }
}
