//! Starts on a grid of slots: how late each was, and which slots had none.

use std::collections::{BTreeMap, BTreeSet};

use crate::stats::Samples;

/// One start of one job, in nanoseconds since the epoch by the job's own clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) job: u64,
    /// Any slot of the job.
    pub(crate) grid: i64,
    pub(crate) at: i64,
}

/// What a window of time saw.
#[derive(Debug)]
pub(crate) struct Window {
    /// Milliseconds from each slot to its start.
    pub(crate) lateness: Samples,
    /// Starts by job.
    pub(crate) starts: BTreeMap<u64, usize>,
    /// Jobs and slots that had a start.
    taken: BTreeSet<(u64, i64)>,
}

// === impl Start ===

impl Start {
    /// Nanoseconds after the last slot. No scheduler here starts a job before its slot, and some are late by more than half an interval.
    fn lateness(&self, interval: i64) -> i64 {
        (self.at - self.grid).rem_euclid(interval)
    }
}

// === impl Window ===

impl Window {
    /// The starts whose slots lie in `from..to`, for jobs with this interval; all in nanoseconds.
    pub(crate) fn of(starts: &[Start], interval: i64, (from, to): (i64, i64)) -> Self {
        let slot = |start: &Start| start.at - start.lateness(interval);
        let inside = |start: &&Start| (from..to).contains(&slot(start));
        let mut by_job = BTreeMap::new();
        starts.iter().filter(inside).for_each(|start| *by_job.entry(start.job).or_default() += 1);
        let lateness = starts.iter().filter(inside).map(|start| start.lateness(interval) as f64 / 1e6).collect();
        let taken = starts.iter().filter(inside).map(|start| (start.job, slot(start))).collect();
        Self { lateness, starts: by_job, taken }
    }

    /// Of `jobs` jobs with `slots` slots each in the window: how many slots had no start.
    pub(crate) fn lost(&self, jobs: u64, slots: usize) -> usize {
        (0..jobs).map(|job| slots.saturating_sub(self.taken.range((job, i64::MIN)..=(job, i64::MAX)).count())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn late_and_lost() {
        let start = |job, at| Start { job, grid: 300 * MS, at: at * MS };
        // Job 0 after its slots 1300 and 2300, of which it takes one nearly an interval late, job 1 only at 1300, and once outside of the window.
        let starts = [start(0, 1302), start(0, 3290), start(1, 1304), start(1, 4300)];
        let window = Window::of(&starts, 1000 * MS, (1000 * MS, 3000 * MS));
        assert_eq!((window.lateness.lowest(), window.lateness.median(), window.lateness.highest()), (2.0, 4.0, 990.0));
        assert_eq!(window.lost(3, 2), 3);
    }

    #[test]
    fn two_starts_in_one_slot_are_no_start_in_another() {
        let starts = [1301, 1302, 1303].map(|at| Start { job: 0, grid: 300 * MS, at: at * MS });
        let window = Window::of(&starts, 1000 * MS, (1000 * MS, 3000 * MS));
        assert_eq!((window.starts[&0], window.lost(1, 2)), (3, 1));
    }
}
