//! A whole cluster at its size: a real Prometheus with the shipped rules scrapes up to 20,000 nodes, each played with what an agent is made
//! of; proxy, Alertmanager and web-ui behind. Then a fiftieth of all checks fails at once; and when all of those are well again, a tenth.
//!
//! Nodes come in stages. At each the parts are left alone until every node is scraped, and watched for some scrapes. When checks have
//! failed, each notification is held against the check that it tells of: whether it came, once, with the output of this failure, and
//! when. All parts share this machine, the played nodes and who keeps the notifications too. There is one of each: that nothing is told
//! twice says nothing of pairs, whose twins tell the same (`make chaos` has those).
//!
//! Of what nodes say Prometheus keeps what the rules read and the statuses, so that a million checks fit; web-ui's sums over all checks find
//! nothing then. With `--whole` it keeps everything. The reports are `fleet[-N-shards][-whole]` and the same with `-stages`.

mod parts;
pub(crate) mod plot;
mod size;
mod stack;
mod stage;
mod storm;
mod told;
mod watch;

use std::path::Path;
use std::time::Duration;

use self::parts::{Moment, Parts, Recorder};
use self::size::Memory;
use self::stack::{INTERVAL, Stack};
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

    /// How long each stage of the fleet is watched; each node is scraped and each rule evaluated once a minute
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    watched: u64,

    /// Let the fleet's Prometheus keep every series, and not only those that the rules read and the statuses: for a fleet of a quarter of the nodes
    #[arg(long)]
    whole: bool,
}

/// Of so many checks one fails, in each storm.
const STORMS: [usize; 2] = [50, 10];

const PROGRAMS: [&str; 5] = ["alertmanager", "alertmanager-proxy", "checkscript-agent", "prometheus", "web-ui"];

/// What was seen in the course of it all.
struct Course {
    names: Vec<String>,
    moments: Vec<Moment>,
    stages: Vec<Stage>,
    storms: Vec<Storm>,
}

/// What was found of a number of nodes that are well, and of storms.
struct Reports {
    stages: Report,
    storms: Report,
}

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Vec<Report>> {
    let fleet = &settings.fleet;
    anyhow::ensure!(
        fleet.nodes >= 20 && fleet.checks >= 1 && fleet.shards >= 1,
        "a fleet has 20 nodes or more, with checks"
    );
    anyhow::ensure!(fleet.watched >= INTERVAL, "a stage is watched for {INTERVAL} s or more (--watched)");
    size::check(fleet, stack::closes(fleet)?, Memory::here()?)?;
    let versions = versions::ask(&settings.tools);
    let report = |of| anyhow::Ok(Report::new(&fleet.report(of))?.of(&PROGRAMS).with_versions(&versions));
    let mut reports = Reports { stages: report("-stages")?, storms: report("")? };
    let stack = Stack::start(settings, fleet)?;
    let recorder = Recorder::start(Parts::new(stack.parts()?));
    let names = recorder.parts.names();
    let mut course = Course { names, moments: Vec::new(), stages: Vec::new(), storms: Vec::new() };
    let played = play(settings, (&stack, &recorder), &mut course, &mut reports);
    let recorded;
    (course.moments, recorded) = recorder.stop();
    // Also of one that ended early.
    let drawn = plot::write(&settings.out, &fleet.report(""), &course);
    reports.end(&settings.out, played.and(recorded), drawn)
}

/// Plays all of it. What is found is written when it is: it took long.
fn play(
    settings: &Settings,
    (stack, recorder): (&Stack, &Recorder),
    course: &mut Course,
    reports: &mut Reports,
) -> anyhow::Result<()> {
    let fleet = &settings.fleet;
    for nodes in fleet.stages() {
        eprintln!("fleet: {nodes} nodes …");
        let stage = Stage::run(stack, &recorder.parts, nodes, Duration::from_secs(fleet.watched))?;
        stage.report(stack, fleet, &mut reports.stages);
        reports.stages.write_unfinished(&settings.out)?;
        course.stages.push(stage);
    }
    for one_of in STORMS {
        eprintln!("fleet: one of {one_of} checks fails …");
        let storm = Storm::run(stack, recorder, (fleet, one_of))?;
        storm.report(stack, fleet, &mut reports.storms);
        reports.storms.write_unfinished(&settings.out)?;
        course.storms.push(storm);
    }
    Ok(())
}

// === impl Reports ===

impl Reports {
    /// What is published when all has ended: neither a failed picture nor what ended early may cost what was found.
    fn end(self, out: &Path, played: anyhow::Result<()>, drawn: anyhow::Result<()>) -> anyhow::Result<Vec<Report>> {
        if let Err(error) = played {
            if let Err(drawn) = drawn {
                eprintln!("fleet: {drawn:#}");
            }
            return Err(error.context(format!("what was found before is in {}", out.display())));
        }
        let reports = vec![self.stages, self.storms];
        if let Err(error) = drawn {
            reports.iter().try_for_each(|report| report.publish(out))?;
            return Err(error.context(format!("the figures are whole, in {}, and pictures are missing", out.display())));
        }
        Ok(reports)
    }
}

// === impl FleetSettings ===

impl FleetSettings {
    fn stages(&self) -> [usize; 4] {
        [self.nodes / 20, self.nodes / 4, self.nodes / 2, self.nodes]
    }

    /// Checks that fail at once, where one of so many does.
    fn failing(&self, one_of: usize) -> usize {
        (self.nodes * self.checks).div_ceil(one_of)
    }

    /// The same in the worst storm.
    fn most_failing(&self) -> usize {
        STORMS.into_iter().map(|one_of| self.failing(one_of)).max().unwrap_or_default()
    }

    /// What a report is called. More servers, and what keeps more, are other things, whose figures are not held against each other.
    fn report(&self, of: &str) -> String {
        let shards = if self.shards > 1 { format!("-{}-shards", self.shards) } else { String::new() };
        format!("fleet{shards}{}{of}", if self.whole { "-whole" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::baseline;

    #[test]
    fn neither_a_failed_picture_nor_an_early_end_costs_what_was_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path();
        let reports = || {
            let report = |name| Report::new(name).expect("this machine is known");
            let reports = Reports { stages: report("fleet-stages"), storms: report("fleet") };
            reports.stages.write_unfinished(out).expect("it is written");
            reports.storms.write_unfinished(out).expect("it is written");
            reports
        };
        let unfinished = || -> Vec<_> {
            baseline::load(out).expect("they can be read").iter().map(|report| report.unfinished).collect()
        };
        let told = |ended: anyhow::Result<Vec<Report>>| format!("{:#}", ended.expect_err("it has failed"));
        assert_eq!(reports().end(out, Ok(()), Ok(())).map(|reports| reports.len()).ok(), Some(2));
        let early = told(reports().end(out, Err(anyhow!("no memory")), Err(anyhow!("no disk"))));
        assert!(early.ends_with(": no memory") && unfinished() == [true, true], "{early}");
        let undrawn = told(reports().end(out, Ok(()), Err(anyhow!("no disk"))));
        assert!(undrawn.ends_with(": no disk") && unfinished() == [false, false], "{undrawn}");
    }

    #[test]
    fn what_is_another_thing_has_a_report_of_its_own() {
        let name =
            |shards, whole| FleetSettings { nodes: 40, checks: 10, shards, watched: 60, whole }.report("-stages");
        assert_eq!((name(1, false), name(2, false)), ("fleet-stages".to_owned(), "fleet-2-shards-stages".to_owned()));
        assert_eq!(
            (name(1, true), name(2, true)),
            ("fleet-whole-stages".to_owned(), "fleet-2-shards-whole-stages".to_owned())
        );
    }
}
