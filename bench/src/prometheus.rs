//! A real Prometheus, and what it says.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use reqwest::Url;
use serde_json::Value;
use tempfile::TempDir;

use crate::Settings;
use crate::http::Fetcher;
use crate::program::{Program, ending_with_us, existing};
use crate::server::{free_address, ready, sum};

/// A Prometheus in a folder of its own.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) program: Program,
    pub(crate) base: String,
    _folder: TempDir,
}

/// How it is started, beside its configuration.
#[derive(Debug, Default)]
pub(crate) struct Tuning {
    pub(crate) arguments: Vec<String>,
    /// MiB that it tries to stay below (`GOMEMLIMIT`), as a Prometheus from 3.0 on does by itself with nine tenths of a machine.
    pub(crate) memory: Option<u64>,
}

/// Evaluations of rules, of which each counts once however often one looks.
#[derive(Debug)]
pub(crate) struct Evaluations {
    /// The groups that are looked at: those whose file is so called.
    files: String,
    /// When the last one began that has been counted, in seconds since the epoch.
    counted: f64,
}

/// The last evaluation of a group. Prometheus says this when it has ended; that it has begun it counts before.
#[derive(Clone, Debug, PartialEq)]
struct Evaluation {
    /// The group's name.
    group: String,
    /// In seconds since the epoch.
    began: f64,
    /// In seconds.
    took: f64,
}

/// One evaluation of each group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluated {
    /// Seconds of all groups together. It is no duration: Prometheus evaluates them at the same time.
    pub(crate) together: f64,
    /// Seconds of each, by name.
    pub(crate) groups: BTreeMap<String, f64>,
}

/// A folder for a Prometheus, with its data: below that of the reports, since what is below `/tmp` may be memory.
pub(crate) fn folder(settings: &Settings) -> anyhow::Result<TempDir> {
    let out = std::fs::canonicalize(&settings.out)?;
    Ok(tempfile::Builder::new().prefix("prometheus-").tempdir_in(out)?)
}

// === impl Evaluations ===

impl Evaluations {
    /// Those of the groups of such files that end from now on.
    pub(crate) fn from_now(prometheus: &Prometheus, fetcher: &Fetcher, files: &str) -> anyhow::Result<Self> {
        let mut evaluations = Self { files: files.to_owned(), counted: f64::NEG_INFINITY };
        evaluations.next(prometheus, fetcher)?;
        Ok(evaluations)
    }

    /// How long the groups took, where each has been evaluated anew since this was said last.
    pub(crate) fn next(&mut self, prometheus: &Prometheus, fetcher: &Fetcher) -> anyhow::Result<Option<Evaluated>> {
        let metrics = fetcher.get(&format!("{}/metrics", prometheus.base))?.body;
        let groups = evaluations(&metrics, &self.files);
        ensure!(
            !groups.is_empty(),
            "{} says nothing of groups of rules: have these metrics another name now?",
            prometheus.base
        );
        Ok(self.count(groups))
    }

    fn count(&mut self, groups: Vec<Evaluation>) -> Option<Evaluated> {
        let began = || groups.iter().map(|group| group.began);
        let (oldest, newest) = (began().reduce(f64::min)?, began().reduce(f64::max)?);
        if oldest <= self.counted {
            return None;
        }
        self.counted = newest;
        let together = groups.iter().map(|group| group.took).sum();
        Some(Evaluated { together, groups: groups.into_iter().map(|group| (group.group, group.took)).collect() })
    }
}

/// The last one of each group that such a file has.
fn evaluations(metrics: &str, files: &str) -> Vec<Evaluation> {
    let of = |family: &'static str| {
        let series = metrics.lines().filter_map(move |line| line.strip_prefix(family)?.rsplit_once(' '));
        series.filter(|(labels, _)| labels.starts_with('{') && labels.contains(files))
    };
    let took: HashMap<_, _> = of("prometheus_rule_group_last_duration_seconds").collect();
    let began = of("prometheus_rule_group_last_evaluation_timestamp_seconds");
    let evaluation = |(labels, began): (&str, &str)| {
        let (began, took) = (began.parse().ok()?, took.get(labels)?.parse().ok()?);
        Some(Evaluation { group: group(labels).to_owned(), began, took })
    };
    began.filter_map(evaluation).collect()
}

/// Its name alone, of the label `rule_group`: file, semicolon, name.
fn group(labels: &str) -> &str {
    labels.rsplit(';').next().and_then(|name| name.split('"').next()).unwrap_or(labels)
}

// === impl Evaluated ===

impl Evaluated {
    /// Seconds of the group that took longest.
    pub(crate) fn largest(&self) -> Option<f64> {
        self.groups.values().copied().reduce(f64::max)
    }
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts one with the `prometheus.yml` in `folder`; its log is `NAME.log`.
    pub(crate) fn start(
        settings: &Settings,
        name: &str,
        folder: TempDir,
        (fetcher, tuning): (&Fetcher, &Tuning),
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = ending_with_us(existing(&settings.tools.join("bin/prometheus"))?);
        command.arg("--config.file").arg(folder.path().join("prometheus.yml"));
        command.arg("--storage.tsdb.path").arg(folder.path().join("data"));
        command.arg(format!("--web.listen-address={address}")).args(&tuning.arguments).stdout(Stdio::null());
        command.envs(tuning.memory.map(|memory| ("GOMEMLIMIT", format!("{memory}MiB"))));
        let log = File::create(settings.out.join(format!("{name}.log")))?;
        let program = Program::start(command.stderr(log))?;
        Ok(Self { base: ready(&address, fetcher)?, program, _folder: folder })
    }

    /// The value of an expression that has one. Where it may have none, it says so itself: `… or vector(0)`.
    pub(crate) fn value(&self, fetcher: &Fetcher, expression: &str) -> anyhow::Result<f64> {
        let url = format!("{}/api/v1/query", self.base);
        let url = Url::parse_with_params(&url, [("query", expression), ("timeout", "60s")])?;
        let answer: Value = serde_json::from_str(&fetcher.get(url.as_str())?.body)?;
        let results = answer["data"]["result"].as_array().map_or(&[][..], Vec::as_slice);
        let [result] = results else {
            bail!("{expression} has {} results and not one: have its series another name now?", results.len())
        };
        let value = result["value"][1].as_str().unwrap_or_default();
        value.parse().with_context(|| format!("{expression} is {value:?}"))
    }

    /// The sum of a family of its own metrics, of the series that have `label`.
    pub(crate) fn metric(&self, fetcher: &Fetcher, family: &str, label: &str) -> anyhow::Result<f64> {
        sum(fetcher, &self.base, family, label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_counts_once_when_each_group_has_had_one() {
        let mut evaluations = Evaluations { files: String::new(), counted: f64::NEG_INFINITY };
        let mut count = |groups: &[(f64, f64)]| {
            let of = |(name, (began, took)): (&str, &(f64, f64))| Evaluation {
                group: name.to_owned(),
                began: *began,
                took: *took,
            };
            let evaluated = evaluations.count(["a", "b"].into_iter().zip(groups).map(of).collect())?;
            Some((evaluated.together, evaluated.groups["b"]))
        };
        assert_eq!(count(&[]), None);
        assert_eq!(count(&[(100.0, 1.0), (130.0, 2.0)]), Some((3.0, 2.0)));
        assert_eq!(count(&[(100.0, 1.0), (130.0, 2.0)]), None, "it has been counted");
        assert_eq!(count(&[(160.0, 4.0), (130.0, 2.0)]), None, "the second has not been evaluated anew");
        assert_eq!(count(&[(160.0, 4.0), (190.0, 0.5)]), Some((4.5, 0.5)));
        assert_eq!(count(&[(220.0, 1.0), (190.0, 0.5)]), None);
    }

    #[test]
    fn evaluations_are_read_by_group() {
        let metrics = "# TYPE prometheus_rule_group_last_duration_seconds gauge\n\
            prometheus_rule_group_last_duration_seconds{rule_group=\"/a/checks.yml;checks\"} 0.25\n\
            prometheus_rule_group_last_duration_seconds{rule_group=\"/a/nodes.yml;nodes\"} 0.5\n\
            prometheus_rule_group_last_evaluation_timestamp_seconds{rule_group=\"/a/checks.yml;checks\"} 1.7e+09\n\
            prometheus_rule_group_last_evaluation_timestamp_seconds{rule_group=\"/a/nodes.yml;nodes\"} 1.8e+09\n";
        let checks = Evaluation { group: "checks".to_owned(), began: 1.7e9, took: 0.25 };
        assert_eq!(evaluations(metrics, "/checks.yml;"), [checks]);
        assert_eq!(evaluations(metrics, "").len(), 2);
    }
}
