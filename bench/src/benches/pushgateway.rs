//! pushgateway-ex beside Debian's Pushgateway: 20,000 groups of 10 gauges, pushed over 16 connections of the loopback; and what
//! 20,000 and 200,000 groups with 2 KB of detail each cost.
//!
//! The client's own part is in the rates, and takes about half of what processors there are: rates say less than the processor
//! time of a push does. So does who scrapes without a pause: what a scrape holds up is seen beside the scrapes of a second gateway,
//! which take as much of the processors and cannot hold up the pushes to the first.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::Settings;
use crate::http::Fetcher;
use crate::pushes::{Gateway, Push, Pusher};
use crate::report::{Figure, Report};
use crate::stats::{Samples, ratio};

const GROUPS: usize = 20_000;
const MANY: usize = 200_000;
/// The reference takes seconds for one checked push.
const REFERENCE_TIME: Duration = Duration::from_secs(20);
const NO_LIMIT: Duration = Duration::from_secs(3_600);
const UNCHECKED: &str = "--push.disable-consistency-check";

/// A gateway's figures, one a repeat.
#[derive(Debug, Default)]
struct Repeats {
    rate: Vec<f64>,
    /// Of a push, in microseconds.
    cpu: Vec<f64>,
    scrape: Vec<f64>,
    resident: Vec<f64>,
}

/// Pushes while somebody scrapes without a pause, both a second; one of each a repeat.
#[derive(Debug, Default)]
struct Scraped {
    rate: Vec<f64>,
    scrapes: Vec<f64>,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("pushgateway")?.of(&["pushgateway", "pushgateway-ex"]);
    let (pusher, folder) = (Pusher::new()?, tempfile::tempdir_in(&settings.out)?);
    checked(&mut report, settings, &pusher, &folder)?;
    unchecked(&mut report, settings, &pusher)?;
    detail(&mut report, &pusher, &folder)?;
    Ok(report)
}

/// Pushes with the consistency check, ours on the disk before each answer; a scrape beside them.
fn checked(report: &mut Report, settings: &Settings, pusher: &Pusher, folder: &TempDir) -> anyhow::Result<()> {
    let ours = Gateway::ours(Some(&folder.path().join("checked")), &[], pusher)?;
    let fill = pusher.put(&ours.base, Push::Metrics, (GROUPS, 0), NO_LIMIT)?;
    // Has the same groups, and is only scraped.
    let other = Gateway::ours(Some(&folder.path().join("scraped")), &[], pusher)?;
    pusher.put(&other.base, Push::Metrics, (GROUPS, 0), NO_LIMIT)?;
    let (mut alone, mut beside, mut apart) = (Vec::new(), Scraped::default(), Scraped::default());
    for round in (1..).step_by(3).take(settings.repeats) {
        alone.push(pusher.put(&ours.base, Push::Metrics, (GROUPS, round), NO_LIMIT)?.rate());
        beside.add((&ours, &ours), pusher, round + 1)?;
        apart.add((&ours, &other), pusher, round + 2)?;
    }
    report.add(Figure::one("checked, durable: filling an empty store", "pushes/s", fill.rate()).higher());
    report.add(Figure::new("checked, durable: pushes", "pushes/s", &Samples::from(&alone[..])).at_least(5_000.0));
    let share = |name: &str, unit, of: &[f64], to: &[f64]| {
        Figure::new(format!("checked, durable: {name}"), unit, &Samples::from_iter(ratio(of, to))).ratio()
    };
    report.add(share("rate while scraped", "of the rate alone", &beside.rate, &alone).higher());
    report.add(share("rate while another gateway is scraped", "of the rate alone", &apart.rate, &alone));
    let waits = share("rate while scraped", "of that while another is", &beside.rate, &apart.rate);
    report.add(waits.at_least(0.8));
    report.add(share("scrapes answered meanwhile", "of those of the other", &beside.scrapes, &apart.scrapes).higher());
    other.stop()?;
    ours.stop()?;
    // It would take hours to fill it with the check.
    let store = folder.path().join("theirs");
    let theirs = Gateway::theirs(settings, Some(&store), &[UNCHECKED], pusher)?;
    pusher.put(&theirs.base, Push::Metrics, (GROUPS, 0), NO_LIMIT)?;
    theirs.stop()?;
    let theirs = Gateway::theirs(settings, Some(&store), &[], pusher)?;
    let rate = pusher.put(&theirs.base, Push::Metrics, (GROUPS, 1), REFERENCE_TIME)?.rate();
    report.add(Figure::one("checked: pushes, Pushgateway", "pushes/s", rate));
    Ok(())
}

/// Pushes without the check, both in memory; scrapes and memory of what they leave.
fn unchecked(report: &mut Report, settings: &Settings, pusher: &Pusher) -> anyhow::Result<()> {
    let gateways = [Gateway::ours(None, &[UNCHECKED], pusher)?, Gateway::theirs(settings, None, &[UNCHECKED], pusher)?];
    let (mut repeats, fetcher) = ([Repeats::default(), Repeats::default()], Fetcher::new()?);
    for gateway in &gateways {
        pusher.put(&gateway.base, Push::Metrics, (GROUPS, 0), NO_LIMIT)?;
    }
    for round in 1..=settings.repeats {
        for (gateway, repeats) in gateways.iter().zip(&mut repeats) {
            repeats.add(gateway, pusher, &fetcher, round)?;
        }
    }
    let [ours, theirs] = repeats;
    report.add(Figure::new("unchecked: pushes", "pushes/s", &Samples::from(&ours.rate[..])).higher());
    report.add(Figure::new("unchecked: processor time of a push", "µs", &Samples::from(&ours.cpu[..])).lower());
    report.add(Figure::new("scrape of 20,000 × 10", "s", &Samples::from(&ours.scrape[..])).lower());
    report.add(Figure::new("resident after it", "MiB", &Samples::from(&ours.resident[..])).lower());
    let other =
        |name: &str, unit, values: &[f64]| Figure::new(format!("{name}, Pushgateway"), unit, &Samples::from(values));
    report.add(other("unchecked: pushes", "pushes/s", &theirs.rate));
    report.add(other("unchecked: processor time of a push", "µs", &theirs.cpu));
    report.add(other("scrape of 20,000 × 10", "s", &theirs.scrape));
    report.add(other("resident after it", "MiB", &theirs.resident));
    let add = |name: &str, of: &[f64], to: &[f64]| {
        Figure::new(name, "times the Pushgateway's", &Samples::from_iter(ratio(of, to))).ratio()
    };
    report.add(add("unchecked: pushes", &ours.rate, &theirs.rate).at_least(1.5));
    report.add(add("unchecked: processor time of a push", &ours.cpu, &theirs.cpu).at_most(0.5));
    report.add(add("scrape of 20,000 × 10", &ours.scrape, &theirs.scrape).at_most(0.25));
    report.add(add("resident after it", &ours.resident, &theirs.resident).at_most(1.0 / 3.0));
    Ok(())
}

/// What groups with 2 KB of detail each cost, and ten times as many.
fn detail(report: &mut Report, pusher: &Pusher, folder: &TempDir) -> anyhow::Result<()> {
    let few = kept(report, pusher, folder.path(), GROUPS)?;
    let many = kept(report, pusher, folder.path(), MANY)?;
    let times = (MANY / GROUPS) as f64;
    let add =
        |name: &str, value| Figure::one(format!("200,000 details: {name}"), "times that of 20,000", value).ratio();
    report.add(add("memory of a group", many.resident / few.resident / times).at_most(1.25));
    report.add(add("restart of a group", many.restart / few.restart / times).at_most(1.25));
    report.add(add("time of a push", few.rate / many.rate).at_most(1.25));
    Ok(())
}

struct Kept {
    rate: f64,
    resident: f64,
    restart: f64,
}

fn kept(report: &mut Report, pusher: &Pusher, folder: &Path, groups: usize) -> anyhow::Result<Kept> {
    let store = folder.join(groups.to_string());
    let gateway = Gateway::ours(Some(&store), &[], pusher)?;
    let rate = pusher.put(&gateway.base, Push::Result, (groups, 0), NO_LIMIT)?.rate();
    let resident = gateway.program.memory()?.resident;
    gateway.stop()?;
    let gateway = Gateway::ours(Some(&store), &[], pusher)?;
    let restart = gateway.ready.as_secs_f64();
    let again = gateway.program.memory()?.resident;
    gateway.stop()?;
    let add = |name: &str, unit, value| Figure::one(format!("{groups} details of 2 KB: {name}"), unit, value);
    report.add(add("pushes, durable", "pushes/s", rate).higher());
    report.add(add("resident", "MiB", resident).lower());
    report.add(add("resident after a restart", "MiB", again).lower());
    let ready = add("restart until ready", "s", restart).lower();
    report.add(if groups == GROUPS { ready.at_most(2.0) } else { ready });
    let stored = std::fs::metadata(&store)?.len() as f64 / f64::from(1 << 20);
    report.add(add("store", "MiB", stored).lower());
    Ok(Kept { rate, resident, restart })
}

// === impl Scraped ===

impl Scraped {
    /// Pushes to the first while one scrape of the second follows the other.
    fn add(&mut self, gateways: (&Gateway, &Gateway), pusher: &Pusher, round: usize) -> anyhow::Result<()> {
        let (pushed, scraped) = gateways;
        let (url, stop) = (format!("{}/metrics", scraped.base), AtomicBool::new(false));
        let (outcome, scrapes) = thread::scope(|scope| {
            let scraping = scope.spawn(|| -> anyhow::Result<u32> {
                let (fetcher, mut count) = (Fetcher::new()?, 0);
                while !stop.load(Ordering::Relaxed) {
                    fetcher.get(&url)?;
                    count += 1;
                }
                Ok(count)
            });
            let outcome = pusher.put(&pushed.base, Push::Metrics, (GROUPS, round), NO_LIMIT);
            stop.store(true, Ordering::Relaxed);
            (outcome, scraping.join().expect("a scrape does not panic"))
        });
        let outcome = outcome?;
        self.rate.push(outcome.rate());
        self.scrapes.push(f64::from(scrapes?) / outcome.took.as_secs_f64());
        Ok(())
    }
}

// === impl Repeats ===

impl Repeats {
    fn add(&mut self, gateway: &Gateway, pusher: &Pusher, fetcher: &Fetcher, round: usize) -> anyhow::Result<()> {
        let before = gateway.program.cpu()?;
        let pushed = pusher.put(&gateway.base, Push::Metrics, (GROUPS, round), NO_LIMIT)?;
        self.rate.push(pushed.rate());
        self.cpu.push((gateway.program.cpu()? - before).own * 1e6 / pushed.count as f64);
        self.scrape.push(fetcher.get(&format!("{}/metrics", gateway.base))?.took.as_secs_f64());
        self.resident.push(gateway.program.memory()?.resident);
        Ok(())
    }
}
