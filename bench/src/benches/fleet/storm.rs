//! A tenth of all checks fails at once, and recovers when all of it was told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use super::ONE_OF;
use super::parts::{Moment, Parts};
use super::stack::Stack;
use super::stage::{load, sum_of, watch};
use super::told::{Failed, Verdict};
use crate::report::{Figure, Report};
use crate::stats::Samples;

/// How long messages may be missing before they count as lost.
const PATIENCE: Duration = Duration::from_secs(900);

/// What comes twice, or of something else, has come by then: Alertmanager tells a change again after a minute.
const AFTERWARDS: Duration = Duration::from_secs(90);

/// What was seen of it.
pub(super) struct Storm {
    pub(super) checks: usize,
    pub(super) began: Instant,
    pub(super) failures: Verdict,
    pub(super) recoveries: Verdict,
    /// By part, until all was told.
    processors: Vec<f64>,
    peak: Vec<f64>,
    rules: Samples,
    first_page: f64,
    dropped: f64,
}

/// What changed, and what was told of it.
struct Turn {
    checks: BTreeSet<Failed>,
    at: f64,
    incident: u64,
}

pub(super) fn run(stack: &Stack, parts: &Parts) -> anyhow::Result<Storm> {
    let (began, before) = (Instant::now(), parts.look()?);
    let first = stack.told.count();
    let failed = Turn::make(stack, &format!("fail?one_of={ONE_OF}"))?;
    let mut rules = failed.wait(stack, first)?;
    let after = parts.look()?;
    let first_page = load(stack, "/")?;
    rules.extend(linger(stack)?);
    let failures = Verdict::of_failures(&failed.checks, &stack.told.since(first), (failed.at, failed.incident));
    let first = stack.told.count();
    let recovered = Turn::make(stack, "recover")?;
    rules.extend(recovered.wait(stack, first)?);
    rules.extend(linger(stack)?);
    let recoveries = Verdict::of_recoveries(&recovered.checks, &stack.told.since(first), recovered.at);
    Ok(Storm {
        checks: failed.checks.len(),
        began,
        failures,
        recoveries,
        processors: after.processors_since(&before),
        peak: peak(&parts.look()?),
        rules: rules.into_iter().collect(),
        first_page,
        dropped: sum_of(stack, "prometheus_notifications_dropped_total")?,
    })
}

fn peak(moment: &Moment) -> Vec<f64> {
    moment.used.iter().map(|used| used.peak).collect()
}

/// Waits for what should not come any more; what evaluations of the rules took meanwhile.
fn linger(stack: &Stack) -> anyhow::Result<Vec<f64>> {
    let (since, mut rules) = (Instant::now(), Vec::new());
    while since.elapsed() < AFTERWARDS {
        rules.push(watch(stack)?);
    }
    Ok(rules)
}

// === impl Turn ===

impl Turn {
    /// Makes checks fail or recover.
    fn make(stack: &Stack, what: &str) -> anyhow::Result<Self> {
        let turned = stack.nodes.turn(&stack.fetcher, what)?;
        let checks = turned["checks"].as_array().context("the nodes do not say what has changed")?;
        let pair = |check: &Value| Some((check[0].as_str()?.to_owned(), check[1].as_str()?.to_owned()));
        Ok(Self {
            checks: checks.iter().filter_map(pair).collect(),
            at: turned["at"].as_f64().context("the nodes do not say when")?,
            incident: turned["incident"].as_u64().context("the nodes do not say which")?,
        })
    }

    /// Waits until there is a message of each check, or for as long as one may be missing; what evaluations of the rules took meanwhile.
    fn wait(&self, stack: &Stack, first: usize) -> anyhow::Result<Vec<f64>> {
        let (since, mut rules) = (Instant::now(), Vec::new());
        while since.elapsed() < PATIENCE {
            rules.push(watch(stack)?);
            // Looking at all of them takes time from those that are measured.
            if stack.told.count() - first < self.checks.len() {
                continue;
            }
            let told: BTreeSet<_> = stack.told.since(first).into_iter().map(|message| message.check).collect();
            if self.checks.is_subset(&told) {
                break;
            }
        }
        Ok(rules)
    }
}

// === impl Storm ===

impl Storm {
    /// Adds its figures.
    pub(super) fn report(&self, parts: &[String], report: &mut Report) {
        report.add(Figure::given("checks that fail at once", "", self.checks as f64));
        verdict("failing", &self.failures, report);
        let reasons = self.failures.reasons.values().sum::<usize>();
        report.add(Figure::one("failing: notifications without output that say why", "", reasons as f64).lower());
        verdict("recovering", &self.recoveries, report);
        for (part, (processors, peak)) in parts.iter().zip(self.processors.iter().zip(&self.peak)) {
            report.add(Figure::one(format!("failing: {part}, processors until all is told"), "", *processors).lower());
            report.add(Figure::one(format!("failing: {part}, resident at most"), "MiB", *peak).lower());
        }
        report.add(Figure::one("failing: an evaluation of all rules, the slowest", "s", self.rules.highest()).lower());
        report.add(Figure::one("failing: web-ui's first page, p50", "ms", self.first_page).lower());
        report.add(Figure::one("alerts that Prometheus dropped", "", self.dropped).at_most(0.0).or_not());
    }
}

fn verdict(name: &str, verdict: &Verdict, report: &mut Report) {
    let samples = |values: &[f64]| values.iter().copied().collect::<Samples>();
    let whole = samples(&verdict.after_result);
    for (what, value) in [("p50", whole.median()), ("p99", whole.quantile(0.99)), ("slowest", whole.highest())] {
        report.add(Figure::one(format!("{name}: result to notification, {what}"), "s", value).lower());
    }
    let (to_alert, to_message) = (samples(&verdict.to_alert), samples(&verdict.to_message));
    if name == "failing" {
        report.add(Figure::one(format!("{name}: result to alert in Prometheus, p50"), "s", to_alert.median()).lower());
        report.add(Figure::one(format!("{name}: alert to notification, p50"), "s", to_message.median()).lower());
        report.add(Figure::one(format!("{name}: alert to notification, p99"), "s", to_message.quantile(0.99)).lower());
    }
    let others = verdict.others.values().sum::<usize>();
    let counts = [
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("not what it should be", verdict.without_detail),
        ("of something else", others),
    ];
    for (what, count) in counts {
        report.add(Figure::one(format!("{name}: notifications {what}"), "", count as f64).at_most(0.0).or_not());
    }
    for (what, count) in verdict.others.iter().chain(&verdict.reasons) {
        eprintln!("fleet: {name}: {count} notifications: {what}");
    }
}
