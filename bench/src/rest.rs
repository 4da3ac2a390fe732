//! Waiting until the machine is at rest: what the bench before has left it to do is no part of what the next one measures. The load that a report
//! gives does not tell, since it is of the last minute.

use std::time::{Duration, Instant};

use procfs::{CpuTime, CurrentSI as _, KernelStats};

use crate::program::pass;

/// How long the machine is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Processors, of all, that may have something to do.
const AT_REST: f64 = 0.1;
/// Other work goes on for longer: it is told, and the figures have to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the processors have next to nothing to do, or for as long as that may take.
pub(crate) fn wait() -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        let before = KernelStats::current()?.total;
        pass(LOOK);
        let busy = busy(&before, &KernelStats::current()?.total);
        if busy <= AT_REST {
            return Ok(());
        }
        if since.elapsed() >= PATIENCE {
            eprintln!(
                "the machine has other work: {:.0} % of its processors are in use before anything was started",
                100.0 * busy
            );
            return Ok(());
        }
    }
}

/// The share of all processors' time that was used.
fn busy(before: &CpuTime, after: &CpuTime) -> f64 {
    let idle = |time: &CpuTime| time.idle + time.iowait.unwrap_or(0);
    let used = |time: &CpuTime| {
        time.user
            + time.nice
            + time.system
            + time.irq.unwrap_or(0)
            + time.softirq.unwrap_or(0)
            + time.steal.unwrap_or(0)
    };
    let (idle, used) = (idle(after).saturating_sub(idle(before)), used(after).saturating_sub(used(before)));
    used as f64 / (used + idle).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_waited_for_a_disk_is_not_used() {
        let before = KernelStats::current().expect("Linux has /proc/stat").total;
        let mut after = before.clone();
        (after.user, after.idle, after.iowait) =
            (before.user + 30, before.idle + 60, before.iowait.map(|waited| waited + 10));
        assert_eq!(busy(&before, &after), 0.3);
        assert_eq!(busy(&before, &before), 0.0);
    }
}
