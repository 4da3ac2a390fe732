//! A whole cluster at its size: a real Prometheus with the shipped rules scrapes up to 20,000 nodes, each played with what an agent is made
//! of; proxy, Alertmanager and web-ui behind. Then a fiftieth of all checks fails at once; and when all of those are well again, a tenth.
//!
//! Nodes come in stages. At each the parts are left alone until every node is scraped, and watched for some scrapes. When checks have
//! failed, each notification is held against the check that it tells of: whether it came, once, with the output of this failure, and
//! when. All parts share this machine, the played nodes and who keeps the notifications too.

mod parts;
mod plot;
mod stack;
mod stage;
mod storm;
mod told;

use std::time::Duration;

use self::parts::{Moment, Parts, Recorder};
use self::stack::Stack;
use self::stage::Stage;
use self::storm::Storm;
use crate::Settings;
use crate::report::Report;
use crate::versions;

/// How large the cluster is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FleetSettings {
    /// Nodes of the fleet in its last stage; the others have a twentieth, a quarter and half of them
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    nodes: usize,

    /// Checks of each node of the fleet
    #[arg(long, value_name = "N", default_value_t = 50)]
    checks: usize,

    /// Prometheus servers that share the fleet's nodes
    #[arg(long, value_name = "N", default_value_t = 1)]
    shards: usize,

    /// How long each stage of the fleet is watched
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    watched: u64,
}

/// Of so many checks one fails, in each storm.
const STORMS: [usize; 2] = [50, 10];

/// What was seen in the course of it all.
struct Course {
    names: Vec<String>,
    moments: Vec<Moment>,
    stages: Vec<Stage>,
    storms: Vec<Storm>,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let fleet = &settings.fleet;
    anyhow::ensure!(
        fleet.nodes >= 20 && fleet.checks >= 1 && fleet.shards >= 1,
        "a fleet has 20 nodes or more, with checks"
    );
    let programs = &["alertmanager", "alertmanager-proxy", "checkscript-agent", "prometheus", "web-ui"];
    let (mut report, mut stages) = (Report::new("fleet")?.of(programs), Report::new("fleet-stages")?.of(programs));
    let stack = Stack::start(settings, fleet)?;
    let parts = Parts::new(stack.parts()?);
    let recorder = Recorder::start(parts.clone());
    let mut seen = Vec::new();
    for nodes in fleet.stages() {
        eprintln!("fleet: {nodes} nodes …");
        seen.push(Stage::run(&stack, &parts, nodes, Duration::from_secs(fleet.watched))?);
    }
    let mut storms = Vec::new();
    for one_of in STORMS {
        eprintln!("fleet: one of {one_of} checks fails …");
        storms.push(Storm::run(&stack, &parts, one_of)?);
    }
    let course = Course { names: parts.names(), moments: recorder.stop()?, stages: seen, storms };
    for stage in &course.stages {
        stage.report(&course.names, fleet.checks, &mut stages);
    }
    for storm in &course.storms {
        storm.report(&course.names, (fleet.nodes, stack.nodes.closes), &mut report);
    }
    plot::write(&settings.out, &course)?;
    stages.with_versions(&versions::ask(&settings.tools)).publish(&settings.out)?;
    Ok(report)
}

// === impl FleetSettings ===

impl FleetSettings {
    fn stages(&self) -> [usize; 4] {
        [self.nodes / 20, self.nodes / 4, self.nodes / 2, self.nodes]
    }

    /// Checks that fail at once, in the worst storm.
    fn failing(&self) -> usize {
        self.nodes * self.checks / STORMS.into_iter().min().unwrap_or(1)
    }
}
