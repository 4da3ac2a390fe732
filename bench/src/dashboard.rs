//! web-ui before four clusters of 5,000 nodes: one real Prometheus, which scrapes nodes that are played and one real agent,
//! one real Alertmanager, and three more clusters that answer as those answered first.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Settings;
use crate::agent::Agent;
use crate::http::Fetcher;
use crate::log_lines::{Log, LogLines};
use crate::program::{Program, beside, ending_with_us};
use crate::prometheus::{self, Prometheus, Tuning};
use crate::proxy::Alertmanager;
use crate::recorded::Recorded;
use crate::server::{free_address, ready, sum, until_all};
use crate::text_nodes::{NODES, TextNodes, configure};

/// Checks of a node.
pub(crate) const CHECKS: u64 = 50;

/// The `instance` of the node that a real agent is on.
pub(crate) const LIVE: &str = "live.example.org";

/// How often every node is scraped, and rules are evaluated.
const SCRAPES: Duration = Duration::from_secs(60);

/// Of each check only what web-ui and the rules ask for: memory is for 250,000 checks.
const KEPT: &str = "checkscript_(status|agent_.*|last_execution_timestamp_seconds|interval_seconds|ttl_seconds|occurrences.*|problem_.*|stale_.*)";

const RULES: &str = include_str!("../../rules/checks.yml");

/// The servers of the clusters.
#[derive(Debug)]
pub(crate) struct Clusters {
    pub(crate) prometheus: Prometheus,
    /// The clusters' Prometheus servers; the first is the real one's.
    pub(crate) asked: [Recorded; 2],
    alertmanager: Alertmanager,
    told: Recorded,
    nodes: TextNodes,
    live: Agent,
    _log: Log,
    folder: TempDir,
}

/// A running web-ui.
#[derive(Debug)]
pub(crate) struct Dashboard {
    pub(crate) program: Program,
    pub(crate) base: String,
}

/// Queries of web-ui to the first cluster so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) refreshes: f64,
    pub(crate) sums: f64,
}

// === impl Dashboard ===

impl Dashboard {
    /// How often it has asked the real Prometheus.
    pub(crate) fn asked(&self, fetcher: &Fetcher) -> anyhow::Result<Asked> {
        let of = |kind| {
            let label = format!("cluster=\"tokyo\",kind=\"{kind}\"");
            sum(fetcher, &self.base, "web_ui_queries_total", &label)
        };
        Ok(Asked { refreshes: of("refresh")?, sums: of("sums")? })
    }
}

// === impl Clusters ===

impl Clusters {
    /// Starts all, and waits until Prometheus has every check and Alertmanager every alert.
    pub(crate) fn start(settings: &Settings, fetcher: &Fetcher) -> anyhow::Result<Self> {
        // Only whole rounds of runs that are well.
        let log = LogLines { checks: CHECKS, runs_a_status: u64::MAX }
            .write(settings.out.join("web-ui-node.log"), CHECKS * 20 * 600)?;
        let live = Agent::start(&log.path)?;
        live.wait_for_lines(fetcher, log.lines)?;
        let nodes = TextNodes::start(&fetcher.get(&live.metrics())?.body)?;
        let (folder, scraping) = (tempfile::tempdir()?, prometheus::folder(settings)?);
        write(scraping.path(), &nodes, &live)?;
        let prometheus = Prometheus::start(settings, "web-ui-prometheus", scraping, (fetcher, &Tuning::default()))?;
        let alertmanager = Alertmanager::start(settings, fetcher)?;
        for alerts in nodes.alerts().chunks(100) {
            fetcher.post(&format!("{}/api/v2/alerts", alertmanager.base), Value::from(alerts).to_string())?;
        }
        let told = Recorded::playing(&alertmanager.base)?;
        let asked = [Recorded::passing(&prometheus.base)?, Recorded::playing(&prometheus.base)?];
        let clusters = Self { prometheus, asked, alertmanager, told, nodes, live, _log: log, folder };
        clusters.wait(fetcher)?;
        Ok(clusters)
    }

    /// The nodes of all four clusters.
    pub(crate) fn nodes() -> usize {
        4 * (NODES + 1)
    }

    /// The alerts of all four clusters.
    pub(crate) fn alerts(&self) -> usize {
        4 * self.nodes.alerts().len()
    }

    /// The name of a check of the live node.
    pub(crate) fn check(&self, fetcher: &Fetcher) -> anyhow::Result<String> {
        let url = format!("{}/api/v1/checks", self.live.base());
        let checks: Value = serde_json::from_str(&fetcher.get(&url)?.body)?;
        let name = checks[0]["labels"]["check"].as_str().with_context(|| format!("{url} lists no checks"))?;
        Ok(name.to_owned())
    }

    fn wait(&self, fetcher: &Fetcher) -> anyhow::Result<()> {
        let wanted = self.nodes.alerts().len() as f64;
        until_all("Prometheus knows all that fails", || {
            Ok(self.prometheus.value(fetcher, "sum(checkscript_status:failing:count) or vector(0)")? >= wanted)
        })
    }

    /// Starts a web-ui that knows all four, and waits until they have answered it.
    pub(crate) fn show(&self, settings: &Settings, fetcher: &Fetcher) -> anyhow::Result<Dashboard> {
        let [first, others] = &self.asked;
        let cluster = |name: &str, prometheus: String, alertmanager: &str| json!({"name": name, "prometheus": [{"url": prometheus}], "alertmanagers": [{"url": alertmanager}]});
        let others = ["osaka", "kyoto", "sendai"].map(|name| cluster(name, others.base(), &self.told.base()));
        let clusters = [vec![cluster("tokyo", first.base(), &self.alertmanager.base)], others.into()].concat();
        let file = self.folder.path().join("web-ui.yml");
        std::fs::write(&file, json!({"clusters": clusters, "timeout": "120s"}).to_string())?;
        let address = free_address()?;
        let mut command = ending_with_us(beside("web-ui")?);
        command.arg("--config.file").arg(file).arg(format!("--web.listen-address={address}"));
        command.stderr(File::create(settings.out.join("web-ui.log"))?);
        let program = Program::start(&mut command)?;
        let dashboard = Dashboard { program, base: ready(&address, fetcher)? };
        let total = |list: &str| -> anyhow::Result<usize> {
            let body = fetcher.get(&format!("{}/api/v1/{list}?limit=1", dashboard.base))?.body;
            let list: Value = serde_json::from_str(&body)?;
            Ok(list["total"].as_u64().unwrap_or_default().try_into()?)
        };
        let all = (self.alerts(), Self::nodes());
        until_all("web-ui knows all alerts and nodes", || Ok((total("alerts")?, total("nodes")?) == all))?;
        Ok(dashboard)
    }
}

/// Prometheus's configuration and its targets.
fn write(folder: &Path, nodes: &TextNodes, live: &Agent) -> anyhow::Result<()> {
    let address = live.base().trim_start_matches("http://");
    let mut targets = nodes.targets(NODES);
    targets.push(json!({"targets": [address], "labels": {"instance": LIVE, "env": "production"}}));
    std::fs::write(folder.join("targets.json"), Value::from(targets).to_string())?;
    std::fs::write(folder.join("rules.yml"), RULES)?;
    configure(folder, (SCRAPES, SCRAPES), &["rules.yml"], KEPT)
}
