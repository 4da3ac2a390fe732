//! What an evaluation of `rules/checks.yml` costs a real Prometheus that has 200,000 checks, by how many of them fail; beside it the same
//! alerts from the series that every check has.
//!
//! One Prometheus evaluates both, every 30 s, and says itself how long each took. It has scraped 4,000 nodes, played with the text of a
//! real agent. Both are asked whether they found all that fails. Then a Prometheus that has nothing but 20,000 checks which fail, and
//! nothing but our rules, says what a failing check costs.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Settings;
use crate::agent::Agent;
use crate::dashboard::CHECKS;
use crate::http::Fetcher;
use crate::log_lines::LogLines;
use crate::prometheus::{Evaluations, Prometheus, Tuning, folder};
use crate::report::{Figure, Report};
use crate::server::until_all;
use crate::stats::{Samples, ratio};
use crate::text_nodes::{TextNodes, configure};

const NODES: usize = 4_000;

/// Nodes all of whose checks fail.
const FAILING_NODES: usize = 400;

const EVALUATIONS: Duration = Duration::from_secs(30);
const SCRAPES: Duration = Duration::from_secs(60);

/// Of so many checks one fails; 0 is none.
const PERIODS: [(usize, &str); 3] = [(0, "none failing"), (100, "1 % failing"), (10, "10 % failing")];

/// What one of the two reads. Memory is for 200,000 checks.
const KEPT: &str = "checkscript_(status|last_execution_timestamp_seconds|ttl_seconds|occurrences|occurrences_required|info|\
                    problem_.*|stale_.*)";

/// A file of rules, and what it records of incidents.
struct Rules {
    file: &'static str,
    text: &'static str,
    records: &'static str,
}

/// The two: ours, and the same over all checks.
const RULES: [Rules; 2] = [
    Rules {
        file: "checks.yml",
        text: include_str!("../../../rules/checks.yml"),
        records: "check:checkscript_status:alerting",
    },
    Rules {
        file: "over-all.yml",
        text: include_str!("rules/over-all.yml"),
        records: "over_all:checkscript_status:alerting",
    },
];

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("rules")?.of(&["checkscript-agent", "prometheus"]);
    let fetcher = Fetcher::new()?;
    let (nodes, checks) = nodes(settings, &fetcher)?;
    let evaluated = Evaluated::start(settings, &fetcher, (&nodes, NODES), &RULES)?;
    report.add(Figure::given("checks", "", (NODES * checks) as f64));
    for (period, name) in PERIODS {
        nodes.fail_one_of(period);
        let failing = (NODES * checks).checked_div(period).unwrap_or_default();
        evaluated.wait_for(NODES * checks, failing)?;
        let took = evaluated.measure(settings.repeats)?;
        let [own, over_all] = &took[..] else { anyhow::bail!("there are not two files of rules") };
        report.add(Figure::new(format!("{name}: an evaluation"), "s", &Samples::from(&own[..])).lower());
        report.add(Figure::new(format!("{name}: an evaluation over all checks"), "s", &Samples::from(&over_all[..])));
        let times = Samples::from_iter(ratio(over_all, own));
        report.add(Figure::new(format!("{name}: over all checks to that"), "x", &times).ratio().at_least(5.0));
    }
    report.add(Figure::one("resident, Prometheus", "MiB", evaluated.prometheus.program.memory()?.resident));
    evaluated.prometheus.program.stop()?;
    nodes.fail_one_of(1);
    let failing = FAILING_NODES * checks;
    let evaluated = Evaluated::start(settings, &fetcher, (&nodes, FAILING_NODES), &RULES[..1])?;
    evaluated.wait_for(failing, failing)?;
    let took = evaluated.measure(settings.repeats)?.concat();
    let each: Vec<_> = took.iter().map(|seconds| seconds * 1000.0 / failing as f64).collect();
    report.add(
        Figure::new(format!("nothing but {failing} failing: an evaluation"), "s", &Samples::from(&took[..])).lower(),
    );
    let name = format!("nothing but {failing} failing: of an evaluation, for each");
    report.add(Figure::new(name, "ms", &Samples::from(&each[..])).lower());
    evaluated.prometheus.program.stop()?;
    Ok(report)
}

/// Nodes with the text of a real agent, and how many checks each has.
fn nodes(settings: &Settings, fetcher: &Fetcher) -> anyhow::Result<(TextNodes, usize)> {
    let log = LogLines { checks: CHECKS, runs_a_status: u64::MAX }
        .write(settings.out.join("rules-node.log"), CHECKS * 20 * 600)?;
    let agent = Agent::start(&log.path)?;
    agent.wait_for_lines(fetcher, log.lines)?;
    let nodes = TextNodes::start(&fetcher.get(&agent.metrics())?.body)?;
    agent.program.stop()?;
    Ok((nodes, CHECKS.try_into()?))
}

/// A Prometheus that evaluates rules.
struct Evaluated<'a> {
    prometheus: Prometheus,
    rules: &'static [Rules],
    fetcher: &'a Fetcher,
}

// === impl Evaluated ===

impl<'a> Evaluated<'a> {
    /// One that scrapes so many of the nodes.
    fn start(
        settings: &Settings,
        fetcher: &'a Fetcher,
        (nodes, count): (&TextNodes, usize),
        rules: &'static [Rules],
    ) -> anyhow::Result<Self> {
        let folder = folder(settings)?;
        write(folder.path(), nodes.targets(count), rules)?;
        let prometheus = Prometheus::start(settings, "rules-prometheus", folder, (fetcher, &Tuning::default()))?;
        Ok(Self { prometheus, rules, fetcher })
    }

    /// Waits until all checks are known and all rules have found what fails, twice in a row.
    fn wait_for(&self, checks: usize, failing: usize) -> anyhow::Result<()> {
        until_all("Prometheus knows all checks", || Ok(self.count("checkscript_status")? == checks as f64))?;
        for Rules { file, records, .. } in self.rules {
            until_all(&format!("{file} finds {failing} checks that fail"), || {
                Ok(self.count(records)? == failing as f64)
            })?;
        }
        self.measure(1).map(drop)
    }

    fn count(&self, series: &str) -> anyhow::Result<f64> {
        self.prometheus.value(self.fetcher, &format!("count({series}) or vector(0)"))
    }

    /// How many seconds evaluations took, so many of each file.
    fn measure(&self, evaluations: usize) -> anyhow::Result<Vec<Vec<f64>>> {
        let follow = |rules: &Rules| {
            let of_file = format!("/{};", rules.file);
            anyhow::Ok((Evaluations::from_now(&self.prometheus, self.fetcher, &of_file)?, Vec::new()))
        };
        let mut followed = self.rules.iter().map(follow).collect::<anyhow::Result<Vec<_>>>()?;
        until_all("Prometheus evaluates its rules", || {
            for (ended, took) in followed.iter_mut().filter(|(_, took)| took.len() < evaluations) {
                took.extend(ended.next(&self.prometheus, self.fetcher)?.map(|evaluated| evaluated.together));
            }
            Ok(followed.iter().all(|(_, took)| took.len() >= evaluations))
        })?;
        Ok(followed.into_iter().map(|(_, took)| took).collect())
    }
}

/// Prometheus's configuration, its targets and rules.
fn write(folder: &Path, targets: Vec<Value>, rules: &[Rules]) -> anyhow::Result<()> {
    std::fs::write(folder.join("targets.json"), Value::from(targets).to_string())?;
    for Rules { file, text, .. } in rules {
        std::fs::write(folder.join(file), text)?;
    }
    let files: Vec<_> = rules.iter().map(|rules| rules.file).collect();
    configure(folder, (SCRAPES, EVALUATIONS), &files, KEPT)
}
