//! Some of all checks fail at once, and recover when all of it was told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::FleetSettings;
use super::parts::{self, Recorder};
use super::stack::Stack;
use super::stage::load;
use super::told::{Failed, Verdict};
use super::watch::{Watch, Watched};
use crate::report::{Figure, Report};
use crate::stats::Samples;

/// How long messages may be missing before they count as lost.
const PATIENCE: Duration = Duration::from_secs(900);

/// What comes twice, or of something else, has come by then: Alertmanager tells a change again after a minute.
const AFTERWARDS: Duration = Duration::from_secs(90);

/// What was seen of it.
pub(super) struct Storm {
    pub(super) one_of: usize,
    pub(super) began: Instant,
    pub(super) failures: Verdict,
    pub(super) recoveries: Verdict,
    /// By part: its name.
    parts: Vec<String>,
    /// By part, until all was told.
    processors: Vec<f64>,
    /// By part, MiB until the end, as far as it was looked.
    most: Vec<f64>,
    seen: Watched,
    first_page: f64,
    dropped: f64,
}

/// What changed.
#[derive(Debug)]
struct Turn {
    checks: BTreeSet<Failed>,
    /// In seconds since the epoch.
    at: f64,
    incident: u64,
}

/// The same as the played nodes say it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turned {
    checks: Vec<Failed>,
    at: f64,
    incident: u64,
}

/// Waits for what should not come any more.
fn linger(stack: &Stack, watch: &mut Watch) -> anyhow::Result<()> {
    let since = Instant::now();
    while since.elapsed() < AFTERWARDS {
        watch.go_on(stack)?;
    }
    Ok(())
}

// === impl Turn ===

impl Turn {
    /// Makes checks fail or recover, as many as planned.
    fn make(stack: &Stack, what: &str, planned: usize) -> anyhow::Result<Self> {
        let said = stack.nodes.turn(&stack.fetcher, what)?;
        Self::read(&said, planned).with_context(|| format!("the played nodes, asked for /{what}"))
    }

    /// Of fewer checks than planned it would be easy to tell.
    fn read(said: &str, planned: usize) -> anyhow::Result<Self> {
        let Turned { checks: named, at, incident } =
            serde_json::from_str(said).context("what they answer is not what has changed")?;
        let (count, checks) = (named.len(), named.into_iter().collect::<BTreeSet<_>>());
        ensure!(checks.len() == count, "they name {} checks twice", count - checks.len());
        ensure!(count == planned, "{count} checks have changed, and {planned} should have");
        Ok(Self { checks, at, incident })
    }

    /// Waits until there is a message of each check, or for as long as one may be missing.
    fn wait(&self, stack: &Stack, watch: &mut Watch) -> anyhow::Result<()> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            watch.go_on(stack)?;
            // Looking at all of them takes time from those that are measured, so they are counted first.
            if stack.told.count() >= self.checks.len() && self.checks.is_subset(&stack.told.checks()) {
                break;
            }
        }
        Ok(())
    }
}

// === impl Storm ===

impl Storm {
    /// One of so many checks of each node fails.
    pub(super) fn run(
        stack: &Stack,
        recorder: &Recorder,
        (fleet, one_of): (&FleetSettings, usize),
    ) -> anyhow::Result<Self> {
        let (planned, dropped) = (fleet.failing(one_of), dropped(stack)?);
        let (began, before) = (Instant::now(), recorder.parts.look()?);
        let mut watch = Watch::from_now(stack)?;
        let failed = Turn::make(stack, &format!("fail?one_of={one_of}"), planned)?;
        failed.wait(stack, &mut watch)?;
        let after = recorder.parts.look()?;
        let first_page = load(stack, "/")?;
        linger(stack, &mut watch)?;
        let failures = Verdict::of_failures(&failed.checks, &stack.told.take(), (failed.at, failed.incident));
        let recovered = Turn::make(stack, "recover", planned)?;
        recovered.wait(stack, &mut watch)?;
        linger(stack, &mut watch)?;
        let recoveries = Verdict::of_recoveries(&recovered.checks, &stack.told.take(), recovered.at);
        Ok(Self {
            one_of,
            began,
            failures,
            recoveries,
            parts: recorder.parts.names(),
            processors: after.processors_since(&before),
            most: recorder.most_since(began)?,
            seen: watch.end(stack, fleet.nodes)?,
            first_page,
            dropped: self::dropped(stack)? - dropped,
        })
    }

    /// Adds its figures.
    pub(super) fn report(&self, stack: &Stack, fleet: &FleetSettings, report: &mut Report) {
        let storm = self.name();
        let name = |what: &str| format!("{storm}: {what}");
        let given = |what: &str, count: usize| Figure::given(name(what), "", count as f64);
        report.add(given("nodes", fleet.nodes));
        report.add(given("checks of a node", fleet.checks));
        report.add(given("Prometheus servers", fleet.shards));
        report.add(given("of so many checks one fails", self.one_of));
        report.add(given("checks that fail at once", fleet.failing(self.one_of)));
        stack.report(name, report);
        verdict(&name("ALERT"), &self.failures, report);
        spans(name, &self.failures, report);
        verdict(&name("RESOLVED"), &self.recoveries, report);
        for (part, (processors, most)) in self.parts.iter().zip(self.processors.iter().zip(&self.most)) {
            report.add(parts::processors(name(&format!("{part}, processors until all is told")), *processors));
            report.add(Figure::one(name(&format!("{part}, resident at most")), "MiB", *most).lower());
        }
        report.add(Figure::one(name("web-ui's first page, p50"), "ms", self.first_page).lower());
        self.seen.report(name, report);
        report.add(Figure::one(name("alerts that Prometheus dropped"), "", self.dropped).at_most(0.0).or_not());
    }

    /// How much of all fails.
    pub(super) fn name(&self) -> String {
        format!("{} % fail", 100 / self.one_of)
    }
}

/// Alerts, so far.
fn dropped(stack: &Stack) -> anyhow::Result<f64> {
    stack.sum_of("prometheus_notifications_dropped_total")
}

/// The two spans of a message. The first is where in the minute checks fail, which is another moment each time: only the second is judged.
fn spans(name: impl Fn(&str) -> String, failures: &Verdict, report: &mut Report) {
    let (to_evaluation, to_message) =
        (Samples::from(&failures.to_evaluation[..]), Samples::from(&failures.to_message[..]));
    report.add(Figure::one(name("result to the evaluation that finds it, p50"), "s", to_evaluation.median()));
    report.add(Figure::one(name("from there to the message, p50"), "s", to_message.median()).lower());
    report.add(Figure::one(name("from there to the message, p99"), "s", to_message.quantile(0.99)).lower());
}

fn verdict(name: &str, verdict: &Verdict, report: &mut Report) {
    let whole = Samples::from(&verdict.after_result[..]);
    // With the first span in them.
    for (what, value) in [("p50", whole.median()), ("p99", whole.quantile(0.99)), ("slowest", whole.highest())] {
        report.add(Figure::one(format!("{name}: after the result, {what}"), "s", value));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Better;

    #[test]
    fn where_in_the_minute_checks_fail_is_not_judged() {
        let failures = Verdict {
            after_result: vec![60.0, 70.0],
            to_evaluation: vec![50.0, 58.0],
            to_message: vec![10.0, 12.0],
            ..Verdict::default()
        };
        let mut report = Report::new("b").expect("this machine is known");
        verdict("ALERT", &failures, &mut report);
        spans(str::to_owned, &failures, &mut report);
        let judged = report.figures.iter().filter(|figure| figure.better == Some(Better::Lower));
        let judged: Vec<_> = judged.map(|figure| (&*figure.name, figure.median)).collect();
        let expected = [("from there to the message, p50", 11.0), ("from there to the message, p99", 12.0)];
        assert_eq!(judged[1..], expected);
        assert_eq!(judged[0].0, "ALERT: without output, with the reason");
        let lost = report.figures.iter().find(|figure| figure.name == "ALERT: lost").map(|figure| figure.better);
        assert_eq!(lost, Some(Some(Better::Met)));
    }

    #[test]
    fn all_that_was_planned_has_to_have_changed() {
        let said = |checks: &str| format!(r#"{{"at": 1.5, "incident": 2, "checks": {checks}}}"#);
        let both = r#"[["127.1.0.1", "a"], ["127.1.0.2", "a"]]"#;
        let turn = Turn::read(&said(both), 2).expect("it is as planned");
        assert_eq!((turn.checks.len(), turn.at, turn.incident), (2, 1.5, 2));
        let told =
            |checks: &str, planned| format!("{:#}", Turn::read(&said(checks), planned).expect_err("it is wrong"));
        assert_eq!(told(both, 4), "2 checks have changed, and 4 should have");
        assert_eq!(told("[]", 4), "0 checks have changed, and 4 should have");
        assert_eq!(told(r#"[["127.1.0.1", "a"], ["127.1.0.1", "a"]]"#, 2), "they name 1 checks twice");
        let malformed = told(r#"[["127.1.0.1", 7]]"#, 1);
        assert!(malformed.contains("invalid type: integer `7`, expected a string at line 1 column"), "{malformed}");
    }
}
