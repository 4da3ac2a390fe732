//! How many nodes fit into a machine's memory, by what was measured of each part: the tables of `docs/performance.md`, "A whole cluster".

use anyhow::{Context as _, ensure};
use procfs::{Current as _, Meminfo};

use super::FleetSettings;

/// Bytes of the process that plays nodes: for each check, and for each node whose connection is kept. 20,000 nodes with a connection for each
/// scrape had 3,970 MiB, 5,000 with kept ones 1,072.
const PLAYED: u64 = 4_200;
const CONNECTION: u64 = 22_000;

/// Bytes of Prometheus when all is well, garbage included: for each series that it keeps, as 5,000 nodes had with every series kept, and for
/// each sample that it is told and drops, as 20,000 had beyond that.
const KEPT: u64 = 2_840;
const DROPPED: u64 = 700;

/// Bytes of Prometheus for each alert of the worst storm, as long as it is below its limit: with every series kept. Fewer were 62,000 to 69,000.
const FIRING: u64 = 105_000;

/// Bytes of proxy, Alertmanager, web-ui and who is told for each of those alerts, as 100,000 had. Of 25,000 it was a seventh more.
const ALERT: u64 = 54_000;

/// Bytes that have to be left.
const SPARE: u64 = 512 << 20;

/// Of the machine's memory, what all Prometheus servers try to stay below: in percent. The closer that is to what they have in use, the more of
/// their processor time goes to looking for garbage: 40 % of it with 45, when 100,000 checks of a million had failed.
const PROMETHEUS: u64 = 52;

/// What they may have of that when all is well, in percent: 20,000 nodes had 75, and 100,000 checks that failed were nearly too many then.
const WELL: u64 = 80;

/// The machine's, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    all: u64,
    available: u64,
}

/// Of one node, in bytes.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Of Prometheus when all is well.
    well: u64,
    /// Of Prometheus at most, if nothing keeps it below that.
    most: u64,
    /// Of all other parts at most.
    others: u64,
}

/// Fails with words where there are more nodes than fit. Their connections are kept, or closed after each scrape.
pub(super) fn check(fleet: &FleetSettings, closes: bool, memory: Memory) -> anyhow::Result<()> {
    let fit = fitting(Node::of(fleet, closes), memory);
    ensure!(
        fleet.nodes as u64 <= fit,
        "{} nodes with {} checks do not fit into this machine's memory, of which {} MiB are available: some {fit} would (--nodes, --checks)",
        fleet.nodes,
        fleet.checks,
        memory.available >> 20
    );
    Ok(())
}

/// How many of these nodes fit: Prometheus has its limit at most, however many there are.
fn fitting(node: Node, memory: Memory) -> u64 {
    let (available, limit) = (memory.available.saturating_sub(SPARE), memory.prometheus());
    let below = available / (node.most + node.others);
    let at_limit = available.saturating_sub(limit) / node.others;
    below.max(at_limit).min(limit / 100 * WELL / node.well)
}

// === impl Node ===

impl Node {
    fn of(fleet: &FleetSettings, closes: bool) -> Self {
        let checks = fleet.checks as u64;
        // What a played agent says, and of that a status for each check and what the rules read; `up` and its like are Prometheus's own.
        let (told, own) = (9 * checks + 27, 5);
        let kept = if fleet.whole { told } else { checks + 15 };
        let alerts = |bytes: u64| fleet.most_failing() as u64 * bytes / fleet.nodes as u64;
        let well = (kept + own) * KEPT + (told - kept) * DROPPED;
        let played = checks * PLAYED + if closes { 0 } else { CONNECTION };
        Self { well, most: well + alerts(FIRING), others: played + alerts(ALERT) }
    }
}

// === impl Memory ===

impl Memory {
    pub(super) fn here() -> anyhow::Result<Self> {
        let memory = Meminfo::current()?;
        let available = memory.mem_available.context("this kernel does not say what memory is available")?;
        Ok(Self { all: memory.mem_total, available })
    }

    /// What all Prometheus servers together try to stay below. The nodes that are played need some third of that.
    pub(super) fn prometheus(self) -> u64 {
        self.all / 100 * PROMETHEUS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// That of the machine of the tables, and what it has available when nothing else is done.
    const MACHINE: Memory = Memory { all: 24_105 * MIB, available: 22_880 * MIB };

    fn fleet(nodes: usize, checks: usize, whole: bool) -> FleetSettings {
        FleetSettings { nodes, checks, shards: 1, watched: 180, whole }
    }

    /// MiB of all parts at most.
    fn most(fleet: &FleetSettings, closes: bool) -> u64 {
        let (node, nodes) = (Node::of(fleet, closes), fleet.nodes as u64);
        (MACHINE.prometheus().min(nodes * node.most) + nodes * node.others) / MIB
    }

    #[test]
    fn the_law_is_what_was_measured() {
        // Prometheus, proxy, Alertmanager, web-ui, played nodes and who is told, each at most, where a tenth fails.
        let measured = [
            (fleet(20_000, 50, false), true, 12_470 + 227 + 3_404 + 1_304 + 4_016 + 303),
            (fleet(5_000, 50, true), false, 9_018 + 98 + 963 + 334 + 1_122 + 166),
        ];
        for (fleet, closes, measured) in measured {
            let law = most(&fleet, closes);
            assert!(law.abs_diff(measured) * 100 < 4 * measured, "{fleet:?}: {law} MiB, and {measured} were measured");
        }
        // When all is well: 9,326 and 6,524.
        assert_eq!(20_000 * Node::of(&fleet(20_000, 50, false), true).well / MIB, 9_292);
        assert_eq!(5_000 * Node::of(&fleet(5_000, 50, true), false).well / MIB, 6_527);
    }

    #[test]
    fn what_was_measured_is_let_in_and_what_is_over_is_not() {
        let fits = |fleet: FleetSettings, closes| check(&fleet, closes, MACHINE).map_err(|error| error.to_string());
        assert_eq!((fits(fleet(20_000, 50, false), true), fits(fleet(5_000, 50, true), false)), (Ok(()), Ok(())));
        let shards = FleetSettings { shards: 2, ..fleet(50_000, 10, false) };
        assert_eq!((fits(shards, true), fits(shards, false), most(&shards, true) / 1024), (Ok(()), Ok(()), 16));
        let told = fits(fleet(25_000, 50, false), true).expect_err("it does not fit");
        assert!(told.starts_with("25000 nodes with 50 checks do not fit") && told.contains("some 21"), "{told}");
        let told = fits(fleet(20_000, 50, true), false).expect_err("it does not fit");
        assert!(told.contains("some 7"), "{told}");
    }

    #[test]
    fn a_small_machine_takes_few() {
        let small = |gib: u64| Memory { all: (gib << 30) - 600 * MIB, available: (gib << 30) - 1_200 * MIB };
        assert!(check(&fleet(20_000, 50, false), true, small(8)).is_err());
        assert!(check(&fleet(400, 50, true), false, small(4)).is_ok());
    }
}
