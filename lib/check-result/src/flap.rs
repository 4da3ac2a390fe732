//! Flap detection as Sensu Core 1.x has it, which took it from Nagios.
//!
//! Source: sensu `lib/sensu/server/process.rb`, `check_history` and `check_flapping?`. Of the last 21 exit statuses each
//! change counts, the newest (weight 1.2) more than the oldest (0.82); 100 % is a change at every one of the 20 steps.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many statuses are looked at; with fewer, nothing flaps.
const STATUSES: usize = 21;

/// A definition's `low_flap_threshold` and `high_flap_threshold`, in percent. A check begins to flap at `high` and ends at
/// `low` or below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    low: f64,
    high: f64,
}

/// The last exit statuses of a check and whether it flaps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flap {
    /// Oldest first.
    statuses: VecDeque<i64>,
    /// None where the definition has no thresholds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flapping: Option<bool>,
}

// === impl Thresholds ===

impl Thresholds {
    /// Both, or none: Sensu looks for flapping only where a definition has the two.
    pub(crate) fn new(low: Option<f64>, high: Option<f64>) -> Option<Self> {
        Some(Self { low: low?, high: high? })
    }
}

// === impl Flap ===

impl Flap {
    /// Takes the next exit status.
    pub(crate) fn push(&mut self, status: i64, thresholds: Option<Thresholds>) {
        self.statuses.push_back(status);
        while self.statuses.len() > STATUSES {
            self.statuses.pop_front();
        }
        self.flapping = thresholds.map(|Thresholds { low, high }| match (f64::from(self.percent()), self.flapping) {
            (change, Some(true)) => change > low,
            (change, _) => change >= high,
        });
    }

    /// The newest exit status.
    pub(crate) fn latest(&self) -> Option<i64> {
        self.statuses.back().copied()
    }

    /// Whether the check flaps; none where its definition has no thresholds.
    pub(crate) fn flapping(&self) -> Option<bool> {
        self.flapping
    }

    /// The weighted state change, in whole percent as Sensu cuts it.
    pub(crate) fn percent(&self) -> u32 {
        if self.statuses.len() < STATUSES {
            return 0;
        }
        let steps = self.statuses.iter().zip(self.statuses.iter().skip(1));
        // The float sums of the original, step by step: its cut to an integer shows every difference.
        let (mut weight, mut changes) = (0.8_f64, 0.0_f64);
        for (before, after) in steps {
            weight += 0.02;
            if before != after {
                changes += weight;
            }
        }
        (changes / 20.0 * 100.0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(statuses: impl IntoIterator<Item = i64>, thresholds: Option<Thresholds>) -> Flap {
        let mut flap = Flap::default();
        statuses.into_iter().for_each(|status| flap.push(status, thresholds));
        flap
    }

    #[test]
    fn percent_as_sensu_computes_it() {
        // The expected figures come from running the lines of the source above.
        assert_eq!(after((0..20).map(|i| i % 2), None).percent(), 0, "20 statuses are too few");
        assert_eq!(after((0..21).map(|i| i % 2), None).percent(), 101);
        assert_eq!(after([0; 21], None).percent(), 0);
        assert_eq!(after((0..21).map(|i| i64::from(i == 20)), None).percent(), 6, "the newest step, 1.2 / 20");
        assert_eq!(after((0..21).map(|i| i64::from(i > 0)), None).percent(), 4, "the oldest step, 0.82 / 20");
    }

    #[test]
    fn it_begins_at_the_high_threshold_and_ends_at_the_low_one() {
        let thresholds = Thresholds::new(Some(20.0), Some(60.0));
        let mut flap = after([0; 21], thresholds);
        let mut seen = Vec::new();
        for status in (0..14).map(|i| i % 2).chain([0; 20]) {
            flap.push(status, thresholds);
            seen.push((flap.percent(), flap.flapping().unwrap()));
        }
        let begun = seen.iter().position(|(_, flapping)| *flapping).unwrap();
        assert!(seen[begun].0 >= 60 && seen[begun - 1].0 < 60, "{seen:?}");
        let ended = begun + seen[begun..].iter().position(|(_, flapping)| !flapping).unwrap();
        assert!(seen[ended].0 <= 20 && seen[ended - 1].0 > 20, "{seen:?}");
        flap.push(0, None);
        assert_eq!(flap.flapping(), None);
    }
}
