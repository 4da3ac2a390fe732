//! How many nodes fit into a machine's memory, by what was measured of each part.

use anyhow::{Context as _, ensure};
use procfs::{Current as _, Meminfo};

use super::FleetSettings;

/// Bytes of the process that plays nodes, for each check.
const PLAYED: u64 = 4_300;

/// Bytes of Prometheus for each series that it keeps, and a quarter more: garbage that it has not looked for yet, where `GOMEMLIMIT` has it
/// look. Without, it is as much again.
const SERIES: u64 = 4_000;

/// Bytes of proxy, Alertmanager and web-ui for each alert.
const ALERT: u64 = 30_000;

/// Bytes that have to be left.
const SPARE: u64 = 512 << 20;

/// Of the machine's memory, what all Prometheus servers try to stay below: in percent. The closer that is to what they have in use, the more of
/// their processor time goes to looking for garbage: 40 % of it with 45, when 100,000 checks of a million had failed.
const PROMETHEUS: u64 = 52;

/// The machine's, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    all: u64,
    available: u64,
}

/// Fails with words where there are more nodes than fit.
pub(super) fn check(fleet: &FleetSettings, memory: Memory) -> anyhow::Result<()> {
    let fit = fitting(fleet, memory);
    ensure!(
        fleet.nodes as u64 <= fit,
        "{} nodes with {} checks do not fit into this machine's memory, of which {} MiB are available: some {fit} would (--nodes, --checks)",
        fleet.nodes,
        fleet.checks,
        memory.available >> 20
    );
    Ok(())
}

/// How many nodes fit.
fn fitting(fleet: &FleetSettings, memory: Memory) -> u64 {
    let checks = fleet.checks as u64;
    // The law of docs/operations/sizing.md; else a status for each check and what the rules read of the agent.
    let series = if fleet.whole { 9 * checks + 64 } else { checks + 15 };
    let alerts = (fleet.most_failing() as u64).div_ceil(fleet.nodes as u64);
    let node = checks * PLAYED + series * SERIES + alerts * ALERT;
    let all = memory.available.saturating_sub(SPARE) / node;
    all.min(memory.prometheus() / (series * SERIES))
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

    fn fleet(nodes: usize, whole: bool) -> FleetSettings {
        FleetSettings { nodes, checks: 50, shards: 1, watched: 180, whole }
    }

    #[test]
    fn a_million_checks_fit_into_24_gib_and_a_quarter_with_all_their_series() {
        let memory = |gib: u64| Memory { all: (gib << 30) - (600 << 20), available: (gib << 30) - (1_200 << 20) };
        let fits = |nodes, whole, gib| check(&fleet(nodes, whole), memory(gib)).map_err(|error| error.to_string());
        assert_eq!((fits(20_000, false, 24), fits(5_000, true, 24)), (Ok(()), Ok(())));
        let told = fits(20_000, true, 24).expect_err("it does not fit");
        assert!(told.starts_with("20000 nodes with 50 checks do not fit") && told.contains("some 6"), "{told}");
        assert!(fits(20_000, false, 8).is_err() && fits(400, true, 4).is_ok());
    }
}
