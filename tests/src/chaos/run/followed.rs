//! What the agent of a node has read of its log, held against what stands in it.

use anyhow::{Context as _, ensure};
use e2e::{Member, get_json, until};
use serde_json::Value;

use super::{PATIENCE, Run};
use crate::plan::{CHECKS, Fault, HOSTS, NODES};

impl Run {
    /// Fails where an agent has not read every result of its log, once, through all rotations: its count of occurrences says so.
    pub(super) async fn every_result_is_read(&self) -> anyhow::Result<()> {
        for node in (0..NODES.len()).filter(|node| self.has_rotated_alone(*node)) {
            for check in CHECKS {
                let url = format!("{}/api/v1/checks/{check}", self.pair.url(Member::Agent(node)));
                let known = until("an agent to answer", PATIENCE, || get_json(&url)).await?;
                let last = known["check"]["issued"].as_i64().context("a result that was never issued")?;
                let logged = self.pair.logged(node)?;
                let logged = occurrences(logged.iter().filter(|result| result["name"] == check), last);
                let host = HOSTS[node];
                ensure!(
                    known["occurrences"] == logged,
                    "{host}: the log has {logged} results of {check} with one status until {last}, its agent read {}",
                    known["occurrences"]
                );
            }
        }
        Ok(())
    }

    /// Whether the node's log was rotated, and nothing took lines from it, or from its agent what it knew.
    fn has_rotated_alone(&self, node: usize) -> bool {
        let faults = || self.mended.iter().map(|broken| broken.fault);
        let loses = |fault| match fault {
            Fault::Corrupt(of, _) | Fault::DiskFull(of) | Fault::Clock(of, _) => of == node,
            _ => false,
        };
        faults().any(|fault| matches!(fault, Fault::Rotated(of, _) if of == node)) && !faults().any(loses)
    }
}

/// How many results of one check in a row, up to that which was issued at `last`, have its status.
fn occurrences<'a>(results: impl DoubleEndedIterator<Item = &'a Value>, last: i64) -> usize {
    let mut newest_first = results.rev().skip_while(|result| result["issued"] != last);
    let Some(newest) = newest_first.next() else { return 0 };
    1 + newest_first.take_while(|result| result["status"] == newest["status"]).count()
}
