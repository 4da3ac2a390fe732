//! The whole of a cluster: played nodes, one Prometheus or several shards with the shipped rules, the proxy, an Alertmanager that tells a
//! webhook, and web-ui.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::json;
use tempfile::TempDir;

use super::FleetSettings;
use super::size::Memory;
use super::told::Told;
use crate::Settings;
use crate::http::Fetcher;
use crate::nodes::FIRST;
use crate::program::{Program, Usage, beside, ending_with_us};
use crate::prometheus::{self, Prometheus, Tuning};
use crate::proxy::{Alertmanager, Proxy};
use crate::report::{Figure, Report};
use crate::server::{free_address, ready};

/// How often every node is scraped and every rule evaluated, as shipped.
pub(super) const INTERVAL: u64 = 60;

/// Whether a node was scraped.
pub(super) const UP: &str = "up{job=\"checkscript\"}";

/// Of what a node says: what the rules read and the status of each check. Memory is for a million of those.
const KEPT: &str = "checkscript_(status|problem_.*|stale_.*|agent_(log_readable|log_behind_bytes|last_look_timestamp_seconds|results_dropped_total|\
                    log_gaps_total|log_lines_total|state_write_failures_total|last_result_timestamp_seconds|shortest_interval_seconds))";

const EXAMPLE: &str = include_str!("../../../../examples/alertmanager/alertmanager.yml");

/// All rules of a cluster.
const RULES: [(&str, &str); 6] = [
    ("agent.yml", include_str!("../../../../rules/agent.yml")),
    ("checks.yml", include_str!("../../../../rules/checks.yml")),
    ("nodes.yml", include_str!("../../../../rules/nodes.yml")),
    ("proxy.yml", include_str!("../../../../rules/proxy.yml")),
    ("pushgateway.yml", include_str!("../../../../rules/pushgateway.yml")),
    ("web-ui.yml", include_str!("../../../../rules/web-ui.yml")),
];

/// Files that Prometheus and the nodes need beside their connections.
const SPARE: u64 = 1_000;

/// With which the played nodes run, where that is allowed: nodes have processors of their own, and these do not wait for those whom they are
/// looked at by.
const NICENESS: i64 = -10;

/// Bytes that the proxy has for each alert: what docs/alertmanager-proxy.md says of 2 kB of output.
const BYTES_AN_ALERT: u64 = 4_096;

/// Everything that runs.
pub(super) struct Stack {
    pub(super) nodes: PlayedNodes,
    pub(super) shards: Vec<Prometheus>,
    /// MiB that each of them tries to stay below.
    memory: u64,
    targets: Vec<TempDir>,
    pub(super) proxy: Proxy,
    pub(super) web_ui: Program,
    pub(super) web_ui_base: String,
    pub(super) told: Told,
    pub(super) fetcher: Fetcher,
}

/// An alert counts for four times as long after the evaluation that sent it: on a machine where everything shares two processors, an evaluation that finds
/// 100,000 failing checks for the first time takes minutes, and with the default of one minute Alertmanager took alerts for over meanwhile.
const RESEND_DELAY: &str = "--rules.alert.resend-delay=3m";

/// Why a scrape failed stands in its log only then.
const SAYS_WHY: &str = "--log.level=debug";

/// The process that plays the nodes.
pub(super) struct PlayedNodes {
    program: Program,
    port: u16,
    /// Whether each scrape comes over a connection of its own.
    closes: bool,
    /// As the kernel says.
    niceness: i64,
}

// === impl Stack ===

impl Stack {
    pub(super) fn start(settings: &Settings, fleet: &FleetSettings) -> anyhow::Result<Self> {
        let (fetcher, told) = (Fetcher::new()?, Told::start()?);
        let nodes = PlayedNodes::start(settings, fleet)?;
        let alertmanager = Alertmanager::with(settings, &fetcher, &alertmanager_config(told.url()))?;
        let alerts = fleet.most_failing() as u64;
        let limits = json!({"held_alerts": 2 * alerts, "pending_alerts": 2 * alerts, "memory_bytes": (128 << 20).max(alerts * BYTES_AN_ALERT)});
        let proxy = Proxy::before(alertmanager, settings, &fetcher, ("fleet", &format!("limits: {limits}")))?;
        let web_ui_address = free_address()?;
        let addresses =
            [&proxy.base, &proxy.alertmanager.base].map(|base| base.trim_start_matches("http://").to_owned());
        let queue = format!("--alertmanager.notification-queue-capacity={}", (2 * alerts).max(10_000));
        let memory = (Memory::here()?.prometheus() >> 20) / fleet.shards as u64;
        let arguments = [&queue, RESEND_DELAY, SAYS_WHY].map(str::to_owned).to_vec();
        let tuning = Tuning { arguments, memory: Some(memory) };
        let (mut shards, mut targets) = (Vec::new(), Vec::new());
        for shard in 0..fleet.shards {
            let (folder, discovered) = (prometheus::folder(settings)?, tempfile::tempdir()?);
            let others = if shard == 0 { &[&*addresses[0], &*addresses[1], &*web_ui_address][..] } else { &[] };
            let scraped = Scraped { others, nodes: discovered.path(), whole: fleet.whole };
            configure(folder.path(), &addresses[0], &scraped)?;
            let name = format!("fleet-prometheus-{}", shard + 1);
            shards.push(Prometheus::start(settings, &name, folder, (&fetcher, &tuning))?);
            targets.push(discovered);
        }
        let (web_ui, web_ui_base) = start_web_ui(settings, &fetcher, &web_ui_address, (&shards, &proxy))?;
        Ok(Self { nodes, shards, memory, targets, proxy, web_ui, web_ui_base, told, fetcher })
    }

    /// Has the first `nodes` nodes scraped, dealt out to the shards.
    pub(super) fn scrape(&self, nodes: usize) -> anyhow::Result<()> {
        for (shard, folder) in self.targets.iter().enumerate() {
            let of_shard = (shard..nodes).step_by(self.targets.len()).map(|node| self.nodes.instance(node));
            let targets = json!([{"targets": of_shard.collect::<Vec<_>>()}]);
            // Prometheus must not read half of it.
            let (new, file) = (folder.path().join("nodes.new"), folder.path().join("nodes.json"));
            fs::write(&new, targets.to_string())?;
            fs::rename(new, file)?;
        }
        Ok(())
    }

    /// The sum over all shards of an expression's value.
    pub(super) fn sum(&self, expression: &str) -> anyhow::Result<f64> {
        self.shards.iter().map(|shard| shard.value(&self.fetcher, expression)).sum()
    }

    /// The greatest value over all shards.
    pub(super) fn greatest(&self, expression: &str) -> anyhow::Result<f64> {
        let mut values = self.shards.iter().map(|shard| shard.value(&self.fetcher, expression));
        values.try_fold(0.0, |greatest, value| Ok(value?.max(greatest)))
    }

    /// The sum of a family of all shards' own metrics.
    pub(super) fn sum_of(&self, family: &str) -> anyhow::Result<f64> {
        self.shards.iter().map(|shard| shard.metric(&self.fetcher, family, "")).sum()
    }

    /// Adds under which conditions all of it runs.
    pub(super) fn report(&self, name: impl Fn(&str) -> String, report: &mut Report) {
        let closes = f64::from(u8::from(self.nodes.closes));
        report.add(Figure::given(name("each scrape over a connection of its own"), "", closes));
        report.add(Figure::given(name("niceness of the played nodes"), "", self.nodes.niceness as f64));
        report.add(Figure::given(name("GOMEMLIMIT of a Prometheus"), "GiB", self.memory as f64 / 1024.0));
    }

    /// The parts that are measured, each by its name.
    pub(super) fn parts(&self) -> anyhow::Result<Vec<(String, Usage)>> {
        let shards = self.shards.iter().enumerate().map(|(at, shard)| match self.shards.len() {
            1 => ("Prometheus".to_owned(), &shard.program),
            _ => (format!("Prometheus {}", at + 1), &shard.program),
        });
        let others = [
            ("proxy", &self.proxy.program),
            ("Alertmanager", &self.proxy.alertmanager.program),
            ("web-ui", &self.web_ui),
            ("played nodes", &self.nodes.program),
        ];
        let programs = shards.chain(others.map(|(name, program)| (name.to_owned(), program)));
        let parts = programs.map(|(name, program)| anyhow::Ok((name, program.usage()?)));
        // It keeps the messages, and asks all of the others how they are.
        parts.chain([Usage::here().map(|here| ("bench, who is told".to_owned(), here))]).collect()
    }
}

// === impl PlayedNodes ===

impl PlayedNodes {
    fn start(settings: &Settings, fleet: &FleetSettings) -> anyhow::Result<Self> {
        let closes = closes(fleet)?;
        if closes {
            eprintln!(
                "fleet: connections that are kept need {} open files, which are not allowed (ulimit -Hn): each scrape comes over a connection of \
                 its own, which takes longer",
                files(fleet)
            );
        }
        let mut command = ending_with_us("nice");
        command.args(["-n", &NICENESS.to_string()]).arg(beside("played-nodes")?);
        command.args(["--nodes", &fleet.nodes.to_string(), "--checks", &fleet.checks.to_string()]);
        command.args(["--first", &FIRST.to_string()]);
        command.args(closes.then_some("--close")).stdout(Stdio::piped());
        command.stderr(File::create(settings.out.join("fleet-nodes.log"))?);
        let mut program = Program::start(&mut command)?;
        let mut port = String::new();
        BufReader::new(program.stdout()?).read_line(&mut port)?;
        let (port, niceness) = (port.trim().parse().context("the played nodes do not listen")?, program.niceness()?);
        if niceness != NICENESS {
            eprintln!(
                "fleet: the played nodes may not run before the others (niceness {NICENESS}), and have {niceness}"
            );
        }
        Ok(Self { program, port, closes, niceness })
    }

    fn instance(&self, node: usize) -> String {
        let address = Ipv4Addr::from(u32::from(FIRST).saturating_add(u32::try_from(node).unwrap_or(u32::MAX)));
        format!("{address}:{}", self.port)
    }

    /// Makes checks fail or recover: what the played nodes say of it, as JSON.
    pub(super) fn turn(&self, fetcher: &Fetcher, what: &str) -> anyhow::Result<String> {
        Ok(fetcher.post_for(&format!("http://127.0.0.1:{}/{what}", self.port))?.body)
    }
}

/// Files that connections which are kept need.
fn files(fleet: &FleetSettings) -> u64 {
    fleet.nodes as u64 + SPARE
}

/// Whether each scrape comes over a connection of its own, since fewer files may be open than connections that are kept need.
pub(super) fn closes(fleet: &FleetSettings) -> anyhow::Result<bool> {
    Ok(service::raise_open_files()? < files(fleet))
}

/// The shipped routes, which tell of one check of one node at a time; told is a webhook.
fn alertmanager_config(told: &str) -> String {
    let shipped = EXAMPLE.split_once("\nroute:\n").and_then(|(_, rest)| rest.split_once("\nreceivers:\n"));
    let (routes, _) = shipped.expect("the example has routes, and then receivers");
    let receivers =
        json!([{"name": "nobody"}, {"name": "sensu", "webhook_configs": [{"url": told, "send_resolved": true}]}]);
    format!("route:\n{routes}\nreceivers: {receivers}\n")
}

/// What a shard scrapes.
struct Scraped<'a> {
    /// The proxy, Alertmanager and web-ui, where it scrapes them.
    others: &'a [&'a str],
    /// The folder that says which nodes.
    nodes: &'a Path,
    /// Whether all that nodes say is kept.
    whole: bool,
}

/// A shard's configuration, and its rules.
fn configure(folder: &Path, proxy: &str, scraped: &Scraped<'_>) -> anyhow::Result<()> {
    fs::create_dir(folder.join("rules"))?;
    for (name, rules) in RULES {
        fs::write(folder.join("rules").join(name), rules)?;
    }
    fs::write(scraped.nodes.join("nodes.json"), "[]")?;
    let jobs = ["alertmanager-proxy", "alertmanager", "web-ui"].iter().zip(scraped.others);
    let jobs = jobs.map(|(job, address)| json!({"job_name": job, "static_configs": [{"targets": [address]}]}));
    let kept = json!([{"source_labels": ["__name__"], "regex": KEPT, "action": "keep"}]);
    let nodes = json!({
        "job_name": "checkscript",
        "file_sd_configs": [{"files": [scraped.nodes.join("*.json")]}],
        "metric_relabel_configs": if scraped.whole { json!([]) } else { kept }
    });
    let interval = format!("{INTERVAL}s");
    let config = json!({
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [proxy]}]}]},
        "scrape_configs": jobs.chain([nodes]).collect::<Vec<_>>()
    });
    Ok(fs::write(folder.join("prometheus.yml"), config.to_string())?)
}

fn start_web_ui(
    settings: &Settings,
    fetcher: &Fetcher,
    address: &str,
    (shards, proxy): (&[Prometheus], &Proxy),
) -> anyhow::Result<(Program, String)> {
    let alertmanagers = json!([{"url": proxy.alertmanager.base}]);
    let clusters = shards.iter().enumerate().map(|(at, shard)| {
        let alertmanagers = if at == 0 { alertmanagers.clone() } else { json!([]) };
        json!({"name": format!("shard-{}", at + 1), "prometheus": [{"url": shard.base}], "alertmanagers": alertmanagers})
    });
    let file = settings.out.join("fleet-web-ui.yml");
    fs::write(&file, json!({"clusters": clusters.collect::<Vec<_>>(), "timeout": "60s"}).to_string())?;
    let mut command = ending_with_us(beside("web-ui")?);
    command.arg("--config.file").arg(file).arg(format!("--web.listen-address={address}"));
    command.stderr(File::create(settings.out.join("fleet-web-ui.log"))?);
    let program = Program::start(&mut command)?;
    Ok((program, ready(address, fetcher)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_are_the_shipped_ones_and_tell_the_webhook() {
        let config = alertmanager_config("http://127.0.0.1:1/told");
        assert!(
            config.starts_with("route:\n  receiver: sensu\n") && config.contains("\n  group_wait: 10s\n"),
            "{config}"
        );
        assert!(
            config.contains("\ninhibit_rules:\n") && config.contains("\"url\":\"http://127.0.0.1:1/told\""),
            "{config}"
        );
        assert!(!config.contains("email_configs") && config.matches("\nreceivers: ").count() == 1, "{config}");
    }
}
