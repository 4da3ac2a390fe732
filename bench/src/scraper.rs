//! A real Prometheus, and what it says.

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
