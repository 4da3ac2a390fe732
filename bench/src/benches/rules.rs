//! What an evaluation of `rules/checks.yml` costs a real Prometheus that has 200,000 checks, by how many of them fail; beside it the same
//! alerts from the series that every check has.
//!
//! One Prometheus evaluates both, every 30 s, and says itself how long each took. It has scraped 4,000 nodes, played with the text of a
//! real agent. Both are asked whether they found all that fails.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Settings;
use crate::agent::Agent;
use crate::dashboard::{CHECKS, until_all};
use crate::fleet::{Fleet, configure};
use crate::http::Fetcher;
use crate::log_lines::LogLines;
use crate::report::{Figure, Report};
use crate::scraper::{Prometheus, Tuning};
use crate::stats::{Samples, ratio};

const NODES: usize = 4_000;

const EVALUATIONS: Duration = Duration::from_secs(30);
const SCRAPES: Duration = Duration::from_secs(60);

/// Of so many checks one fails; 0 is none.
const PERIODS: [(usize, &str); 3] = [(0, "none failing"), (100, "1 % failing"), (10, "10 % failing")];

/// What one of the two reads. Memory is for 200,000 checks.
const KEPT: &str = "checkscript_(status|last_execution_timestamp_seconds|ttl_seconds|occurrences|occurrences_required|info|\
                    problem_.*|stale_.*)";

/// The two, by file, and what they record of incidents.
const RULES: [(&str, &str, &str); 2] = [
    ("checks.yml", include_str!("../../../rules/checks.yml"), "check:checkscript_status:alerting"),
    ("over-all.yml", include_str!("rules/over-all.yml"), "over_all:checkscript_status:alerting"),
];

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("rules")?.of(&["checkscript-agent", "prometheus"]);
    let fetcher = Fetcher::new()?;
    let (fleet, checks) = fleet(settings, &fetcher)?;
    let evaluated = Evaluated::start(settings, &fleet, fetcher)?;
    report.add(Figure::given("checks", "", (NODES * checks) as f64));
    for (period, name) in PERIODS {
        fleet.fail_one_of(period);
        let failing = (NODES * checks).checked_div(period).unwrap_or_default();
        evaluated.wait_for(NODES * checks, failing)?;
        let [own, over_all] = evaluated.measure(settings.repeats)?;
        report.add(Figure::new(format!("{name}: an evaluation"), "s", &own.iter().copied().collect()).lower());
        let others: Samples = over_all.iter().copied().collect();
        report.add(Figure::new(format!("{name}: an evaluation over all checks"), "s", &others));
        let times: Samples = ratio(&over_all, &own).into_iter().collect();
        report.add(Figure::new(format!("{name}: over all checks to that"), "x", &times).ratio().at_least(5.0));
    }
    report.add(Figure::one("resident, Prometheus", "MiB", evaluated.prometheus.program.memory()?.resident));
    evaluated.prometheus.program.stop()?;
    Ok(report)
}

/// Nodes with the text of a real agent, and how many checks each has.
fn fleet(settings: &Settings, fetcher: &Fetcher) -> anyhow::Result<(Fleet, usize)> {
    let log = LogLines { checks: CHECKS, runs_a_status: u64::MAX }
        .write(settings.out.join("rules-node.log"), CHECKS * 20 * 600)?;
    let agent = Agent::start(&log.path)?;
    agent.wait_for_lines(fetcher, log.lines)?;
    let fleet = Fleet::start(&fetcher.get(agent.metrics())?.body)?;
    agent.program.stop()?;
    Ok((fleet, CHECKS.try_into()?))
}

/// A Prometheus that evaluates both.
struct Evaluated {
    prometheus: Prometheus,
    fetcher: Fetcher,
}

// === impl Evaluated ===

impl Evaluated {
    fn start(settings: &Settings, fleet: &Fleet, fetcher: Fetcher) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        write(folder.path(), fleet)?;
        let prometheus = Prometheus::start(settings, "rules-prometheus", folder, (&fetcher, &Tuning::default()))?;
        Ok(Self { prometheus, fetcher })
    }

    /// Waits until all checks are known and both have found what fails, twice in a row.
    fn wait_for(&self, checks: usize, failing: usize) -> anyhow::Result<()> {
        until_all("Prometheus knows all checks", || Ok(self.count("checkscript_status")? == checks as f64))?;
        for (file, _, recorded) in RULES {
            until_all(&format!("{file} finds {failing} checks that fail"), || {
                Ok(self.count(recorded)? == failing as f64)
            })?;
        }
        self.measure(1).map(drop)
    }

    fn count(&self, series: &str) -> anyhow::Result<f64> {
        self.prometheus.value(&self.fetcher, &format!("count({series})"))
    }

    /// How many seconds evaluations took, so many of each of the two.
    fn measure(&self, evaluations: usize) -> anyhow::Result<[Vec<f64>; 2]> {
        let (mut took, mut seen) = ([vec![], vec![]], [None; 2]);
        until_all("Prometheus evaluates its rules", || {
            for (at, (file, ..)) in RULES.iter().enumerate() {
                let of = |family| self.prometheus.metric(&self.fetcher, family, &format!("/{file};"));
                let (count, last) =
                    (of("prometheus_rule_group_iterations_total")?, of("prometheus_rule_group_last_duration_seconds")?);
                if seen[at].replace(count).is_some_and(|before| count > before) && took[at].len() < evaluations {
                    took[at].push(last);
                }
            }
            Ok(took.iter().all(|took| took.len() >= evaluations))
        })?;
        Ok(took)
    }
}

/// Prometheus's configuration, its targets and rules.
fn write(folder: &Path, fleet: &Fleet) -> anyhow::Result<()> {
    std::fs::write(folder.join("targets.json"), Value::from(fleet.targets(NODES)).to_string())?;
    for (file, rules, _) in RULES {
        std::fs::write(folder.join(file), rules)?;
    }
    configure(folder, (SCRAPES, EVALUATIONS), &RULES.map(|(file, ..)| file), KEPT)
}
