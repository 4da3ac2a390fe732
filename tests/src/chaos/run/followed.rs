//! What the agent of a node has read of its log, held against what stands in it.

use anyhow::ensure;
use e2e::{Member, get_json, until};
use serde_json::Value;

use super::{PATIENCE, Run};
use crate::plan::{CHECKS, Fault, NODES};

impl Run {
    /// Fails where an agent has not read the newest result of its log, and each since the last change of status once, through all rotations:
    /// its count of occurrences says so.
    pub(super) async fn every_result_is_read(&self) -> anyhow::Result<()> {
        for node in (0..NODES.len()).filter(|node| self.has_rotated_alone(*node)) {
            for check in CHECKS {
                let url = format!("{}/api/v1/checks/{check}", self.pair.url(Member::Agent(node)));
                let before = self.logged(node, check)?;
                let known = until("an agent to read its log", PATIENCE, || async {
                    let known = get_json(&url).await?;
                    is_up_to_date(&known, &before)?;
                    Ok(known)
                })
                .await?;
                has_read_each(&known, &self.logged(node, check)?)?;
            }
        }
        Ok(())
    }

    /// The results of a check in a node's log, in their order.
    fn logged(&self, node: usize, check: &str) -> anyhow::Result<Vec<Value>> {
        Ok(self.pair.logged(node)?.into_iter().filter(|result| result["name"] == check).collect())
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

/// Fails where an agent does not know the newest result of a check that was logged, or a later one.
fn is_up_to_date(known: &Value, logged: &[Value]) -> anyhow::Result<()> {
    let newest = logged.last().and_then(issued);
    let last = known.get("check").and_then(issued);
    ensure!(newest.is_some() && last >= newest, "the newest result was issued at {newest:?}, the agent's at {last:?}");
    Ok(())
}

/// Fails where it has not counted each result of that check since its status changed, up to the one that it knows as the last.
fn has_read_each(known: &Value, logged: &[Value]) -> anyhow::Result<()> {
    let last = &known["check"]["issued"];
    let count = occurrences(logged.iter(), last);
    ensure!(
        known["occurrences"] == count,
        "the log of {} has {count} results of {} with one status until {last}, its agent read {}",
        known["client"],
        known["check"]["name"],
        known["occurrences"]
    );
    Ok(())
}

fn issued(result: &Value) -> Option<i64> {
    result["issued"].as_i64()
}

/// How many results of one check in a row, up to that which was issued at `last`, have its status.
fn occurrences<'a>(results: impl DoubleEndedIterator<Item = &'a Value>, last: &Value) -> usize {
    let mut newest_first = results.rev().skip_while(|result| result["issued"] != *last);
    let Some(newest) = newest_first.next() else { return 0 };
    1 + newest_first.take_while(|result| result["status"] == newest["status"]).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A result of a check that was issued then.
    fn result(issued: i64, status: u8) -> Value {
        json!({"name": "disk", "issued": issued, "status": status})
    }

    fn known(issued: i64, occurrences: usize) -> Value {
        json!({"client": "node-0", "occurrences": occurrences, "check": result(issued, 0)})
    }

    #[test]
    fn an_agent_that_reads_on_in_a_file_that_was_rotated_is_found() {
        let logged = [result(10, 2), result(11, 0), result(12, 0), result(13, 0)];
        // By its own last result it has read everything.
        has_read_each(&known(12, 2), &logged).unwrap();
        assert!(is_up_to_date(&known(12, 2), &logged).is_err());
        is_up_to_date(&known(13, 3), &logged).unwrap();
        is_up_to_date(&known(14, 4), &logged).unwrap();
        assert!(is_up_to_date(&known(14, 4), &[]).is_err(), "nothing was logged");
    }

    #[test]
    fn an_agent_that_has_left_out_a_result_or_read_one_twice_is_found() {
        let logged = [result(10, 2), result(11, 0), result(12, 0), result(13, 0)];
        has_read_each(&known(13, 3), &logged).unwrap();
        for wrong in [2, 4] {
            let error = has_read_each(&known(13, wrong), &logged).unwrap_err().to_string();
            assert!(error.contains("has 3 results"), "{error}");
        }
    }
}
