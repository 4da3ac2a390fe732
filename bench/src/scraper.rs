//! A real Prometheus, and what it says.

use std::collections::HashMap;
use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use reqwest::Url;
use serde_json::Value;
use tempfile::TempDir;

use crate::Settings;
use crate::http::Fetcher;
use crate::program::{Program, existing};
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

/// When a group's last evaluation began, and how many seconds it took. Prometheus says both when it has ended; that it has begun it counts before.
type Evaluation = (f64, f64);

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

    /// How many seconds the groups took together, where each has been evaluated anew since this was said last.
    pub(crate) fn next(&mut self, prometheus: &Prometheus, fetcher: &Fetcher) -> anyhow::Result<Option<f64>> {
        let metrics = fetcher.get(&format!("{}/metrics", prometheus.base))?.body;
        Ok(self.count(&evaluations(&metrics, &self.files)))
    }

    fn count(&mut self, groups: &[Evaluation]) -> Option<f64> {
        let oldest = groups.iter().map(|(began, _)| *began).reduce(f64::min)?;
        (oldest > self.counted).then(|| {
            self.counted = groups.iter().map(|(began, _)| *began).fold(oldest, f64::max);
            groups.iter().map(|(_, took)| took).sum()
        })
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
    began.filter_map(|(group, began)| Some((began.parse().ok()?, took.get(group)?.parse().ok()?))).collect()
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
        let mut command = Command::new(existing(&settings.tools.join("bin/prometheus"))?);
        command.arg("--config.file").arg(folder.path().join("prometheus.yml"));
        command.arg("--storage.tsdb.path").arg(folder.path().join("data"));
        command.arg(format!("--web.listen-address={address}")).args(&tuning.arguments).stdout(Stdio::null());
        command.envs(tuning.memory.map(|memory| ("GOMEMLIMIT", format!("{memory}MiB"))));
        let log = File::create(settings.out.join(format!("{name}.log")))?;
        let program = Program::start(command.stderr(log))?;
        Ok(Self { base: ready(&address, fetcher)?, program, _folder: folder })
    }

    /// The value of an expression that has one; 0 of one that has none.
    pub(crate) fn value(&self, fetcher: &Fetcher, expression: &str) -> anyhow::Result<f64> {
        let url = format!("{}/api/v1/query", self.base);
        let url = Url::parse_with_params(&url, [("query", expression), ("timeout", "60s")])?;
        let answer: Value = serde_json::from_str(&fetcher.get(url.as_str())?.body)?;
        match answer["data"]["result"][0]["value"][1].as_str() {
            Some(value) => value.parse().with_context(|| format!("{expression} is {value}")),
            None => Ok(0.0),
        }
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
        assert_eq!(evaluations.count(&[]), None);
        assert_eq!(evaluations.count(&[(100.0, 1.0), (130.0, 2.0)]), Some(3.0));
        assert_eq!(evaluations.count(&[(100.0, 1.0), (130.0, 2.0)]), None, "it has been counted");
        assert_eq!(evaluations.count(&[(160.0, 4.0), (130.0, 2.0)]), None, "the second has not been evaluated anew");
        assert_eq!(evaluations.count(&[(160.0, 4.0), (190.0, 0.5)]), Some(4.5));
        assert_eq!(evaluations.count(&[(220.0, 1.0), (190.0, 0.5)]), None);
    }

    #[test]
    fn evaluations_are_read_by_group() {
        let metrics = "# TYPE prometheus_rule_group_last_duration_seconds gauge\n\
            prometheus_rule_group_last_duration_seconds{rule_group=\"/a/checks.yml;checks\"} 0.25\n\
            prometheus_rule_group_last_duration_seconds{rule_group=\"/a/nodes.yml;nodes\"} 0.5\n\
            prometheus_rule_group_last_evaluation_timestamp_seconds{rule_group=\"/a/checks.yml;checks\"} 1.7e+09\n\
            prometheus_rule_group_last_evaluation_timestamp_seconds{rule_group=\"/a/nodes.yml;nodes\"} 1.8e+09\n";
        assert_eq!(evaluations(metrics, "/checks.yml;"), [(1.7e9, 0.25)]);
        assert_eq!(evaluations(metrics, "").len(), 2);
    }
}
