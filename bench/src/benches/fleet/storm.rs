//! Some of all checks fail at once, and recover when all of it was told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use super::parts::Recorder;
use super::stack::Stack;
use super::stage::{Followed, load, sum_of};
use super::told::{Failed, Verdict};
use crate::report::{Figure, Report};
use crate::stats::Samples;

/// How long messages may be missing before they count as lost.
const PATIENCE: Duration = Duration::from_secs(900);

/// What comes twice, or of something else, has come by then: Alertmanager tells a change again after a minute.
const AFTERWARDS: Duration = Duration::from_secs(90);

/// What was seen of it.
pub(super) struct Storm {
    pub(super) one_of: usize,
    pub(super) checks: usize,
    pub(super) began: Instant,
    pub(super) failures: Verdict,
    pub(super) recoveries: Verdict,
    /// By part, until all was told.
    processors: Vec<f64>,
    /// By part, MiB until the end, as far as it was looked.
    most: Vec<f64>,
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

/// Waits for what should not come any more.
fn linger(stack: &Stack, rules: &mut Followed) -> anyhow::Result<()> {
    let since = Instant::now();
    while since.elapsed() < AFTERWARDS {
        rules.watch(stack)?;
    }
    Ok(())
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

    /// Waits until there is a message of each check, or for as long as one may be missing.
    fn wait(&self, stack: &Stack, first: usize, rules: &mut Followed) -> anyhow::Result<()> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            rules.watch(stack)?;
            // Looking at all of them takes time from those that are measured.
            if stack.told.count() - first < self.checks.len() {
                continue;
            }
            let told: BTreeSet<_> = stack.told.since(first).into_iter().map(|message| message.check).collect();
            if self.checks.is_subset(&told) {
                break;
            }
        }
        Ok(())
    }
}

// === impl Storm ===

impl Storm {
    /// One of so many checks of each node fails.
    pub(super) fn run(stack: &Stack, recorder: &Recorder, one_of: usize) -> anyhow::Result<Self> {
        let (began, before, dropped) = (Instant::now(), recorder.parts.look()?, dropped(stack)?);
        let (first, mut rules) = (stack.told.count(), Followed::from_now(stack)?);
        let failed = Turn::make(stack, &format!("fail?one_of={one_of}"))?;
        failed.wait(stack, first, &mut rules)?;
        let after = recorder.parts.look()?;
        let first_page = load(stack, "/")?;
        linger(stack, &mut rules)?;
        let failures = Verdict::of_failures(&failed.checks, &stack.told.since(first), (failed.at, failed.incident));
        let first = stack.told.count();
        let recovered = Turn::make(stack, "recover")?;
        recovered.wait(stack, first, &mut rules)?;
        linger(stack, &mut rules)?;
        let recoveries = Verdict::of_recoveries(&recovered.checks, &stack.told.since(first), recovered.at);
        Ok(Self {
            one_of,
            checks: failed.checks.len(),
            began,
            failures,
            recoveries,
            processors: after.processors_since(&before),
            most: recorder.most_since(began)?,
            rules: rules.took.into_iter().collect(),
            first_page,
            dropped: self::dropped(stack)? - dropped,
        })
    }

    /// Adds its figures.
    pub(super) fn report(&self, stack: &Stack, nodes: usize, report: &mut Report) -> anyhow::Result<()> {
        let storm = self.name();
        let name = |what: &str| format!("{storm}: {what}");
        report.add(Figure::given(name("nodes"), "", nodes as f64));
        report.add(Figure::given(name("checks that fail at once"), "", self.checks as f64));
        let closes = f64::from(u8::from(stack.nodes.closes));
        report.add(Figure::given(name("each scrape over a connection of its own"), "", closes));
        report.add(Figure::given(name("GOMEMLIMIT of a Prometheus"), "GiB", stack.memory_limit()));
        verdict(&name("ALERT"), &self.failures, report);
        let (to_alert, to_message) = (samples(&self.failures.to_alert), samples(&self.failures.to_message));
        let mut one = |what: &str, unit, value| report.add(Figure::one(name(what), unit, value).lower());
        one("result to alert in Prometheus, p50", "s", to_alert.median());
        one("alert to ALERT, p50", "s", to_message.median());
        one("alert to ALERT, p99", "s", to_message.quantile(0.99));
        verdict(&name("RESOLVED"), &self.recoveries, report);
        let mut one = |what: &str, unit, value| report.add(Figure::one(name(what), unit, value).lower());
        for ((part, _), (processors, most)) in stack.parts()?.iter().zip(self.processors.iter().zip(&self.most)) {
            one(&format!("{part}, processors until all is told"), "", *processors);
            one(&format!("{part}, resident at most"), "MiB", *most);
        }
        one("an evaluation of all rules, the slowest", "s", self.rules.highest());
        one("web-ui's first page, p50", "ms", self.first_page);
        report.add(Figure::one(name("alerts that Prometheus dropped"), "", self.dropped).at_most(0.0).or_not());
        Ok(())
    }

    /// How much of all fails.
    pub(super) fn name(&self) -> String {
        format!("{} % fail", 100 / self.one_of)
    }
}

/// Alerts, so far.
fn dropped(stack: &Stack) -> anyhow::Result<f64> {
    sum_of(stack, "prometheus_notifications_dropped_total")
}

fn samples(values: &[f64]) -> Samples {
    values.iter().copied().collect()
}

fn verdict(name: &str, verdict: &Verdict, report: &mut Report) {
    let whole = samples(&verdict.after_result);
    for (what, value) in [("p50", whole.median()), ("p99", whole.quantile(0.99)), ("slowest", whole.highest())] {
        report.add(Figure::one(format!("{name}: after the result, {what}"), "s", value).lower());
    }
    let others = verdict.others.values().sum::<usize>();
    let counts = [
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("not what it should be", verdict.without_detail),
        ("of something else", others),
    ];
    for (what, count) in counts {
        report.add(Figure::one(format!("{name}: {what}"), "", count as f64).at_most(0.0).or_not());
    }
    let reasons = verdict.reasons.values().sum::<usize>();
    report.add(Figure::one(format!("{name}: without output, with the reason"), "", reasons as f64).lower());
    for (what, count) in verdict.others.iter().chain(&verdict.reasons) {
        eprintln!("fleet: {name}: {count} notifications: {what}");
    }
}
