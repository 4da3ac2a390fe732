//! alertmanager-proxy before a real Alertmanager, and what they say of themselves.

use std::fs::File;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::Settings;
use crate::http::Fetcher;
use crate::program::{Program, beside, ending_with_us, existing};
use crate::server::{free_address, ready, sum, until};

/// Alerts wait for their group, and are told to nobody.
const ALERTMANAGER: &str = "route: {receiver: none, group_wait: 30s}\nreceivers: [{name: none}]\n";

/// An Alertmanager without alerts.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    pub(crate) base: String,
    address: String,
    pub(crate) program: Program,
    folder: TempDir,
}

/// A proxy and its Alertmanager, both without alerts.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) program: Program,
    pub(crate) base: String,
    pub(crate) alertmanager: Alertmanager,
}

// === impl Alertmanager ===

impl Alertmanager {
    /// One that tells nobody.
    pub(crate) fn start(settings: &Settings, fetcher: &Fetcher) -> anyhow::Result<Self> {
        Self::with(settings, fetcher, ALERTMANAGER)
    }

    /// One with this configuration.
    pub(crate) fn with(settings: &Settings, fetcher: &Fetcher, config: &str) -> anyhow::Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("alertmanager.yml"), config)?;
        let mut command = ending_with_us(existing(&settings.tools.join("bin/alertmanager"))?);
        command.arg("--config.file").arg(file("alertmanager.yml")).arg("--storage.path").arg(file("data"));
        command.arg(format!("--web.listen-address={address}")).arg("--cluster.listen-address=");
        command.stdout(Stdio::null()).stderr(File::create(file("alertmanager.log"))?);
        let program = Program::start(&mut command)?;
        Ok(Self { base: ready(&address, fetcher)?, address, program, folder })
    }
}

// === impl Proxy ===

impl Proxy {
    /// With the default configuration and `more`, before an Alertmanager that tells nobody; its log is `BENCH-proxy.log`.
    pub(crate) fn start(settings: &Settings, fetcher: &Fetcher, (bench, more): (&str, &str)) -> anyhow::Result<Self> {
        Self::before(Alertmanager::start(settings, fetcher)?, settings, fetcher, (bench, more))
    }

    /// With the default configuration and `more`; its log is `BENCH-proxy.log`.
    pub(crate) fn before(
        alertmanager: Alertmanager,
        settings: &Settings,
        fetcher: &Fetcher,
        (bench, more): (&str, &str),
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let file = alertmanager.folder.path().join("proxy.yml");
        std::fs::write(&file, config(&alertmanager.address, more))?;
        let mut command = ending_with_us(beside("alertmanager-proxy")?);
        command.arg("--config.file").arg(file).arg(format!("--web.listen-address={address}"));
        command.stderr(File::create(settings.out.join(format!("{bench}-proxy.log")))?);
        let program = Program::start(&mut command)?;
        Ok(Self { program, base: ready(&address, fetcher)?, alertmanager })
    }

    /// The sum of a family of the proxy's, of the series that have `label`.
    pub(crate) fn metric(&self, fetcher: &Fetcher, family: &str, label: &str) -> anyhow::Result<f64> {
        sum(fetcher, &self.base, family, label)
    }

    /// Waits until nothing waits for Alertmanager any more, which has then answered for every alert.
    pub(crate) fn until_quiet(&self, fetcher: &Fetcher) -> anyhow::Result<()> {
        let family = "alertmanager_proxy_oldest_unforwarded_alert_age_seconds";
        until(&format!("{family} is 0"), || Ok(self.metric(fetcher, family, "")? == 0.0))
    }

    /// What Alertmanager has: how many alerts, and how many of them with their check's output.
    pub(crate) fn arrived(&self, fetcher: &Fetcher) -> anyhow::Result<(u32, u32)> {
        let body = fetcher.get(&format!("{}/api/v2/alerts", self.alertmanager.base))?.body;
        let alerts: Vec<Value> = serde_json::from_str(&body).context("Alertmanager's alerts are not JSON")?;
        let detailed = alerts.iter().filter(|alert| alert["annotations"]["output"] == "CRITICAL: / 93%");
        Ok((u32::try_from(alerts.len())?, u32::try_from(detailed.count())?))
    }
}

fn config(alertmanager: &str, more: &str) -> String {
    format!(
        r#"alertmanagers: [{{url: "http://{alertmanager}"}}]
sources:
  - match: {{check: ".+"}}
    url: "http://{{{{ labels.instance }}}}/api/v1/checks/{{{{ labels.check }}}}"
    allow: ["127.0.0.0/8"]
{more}
"#
    )
}
