//! What is known of the runs that wait.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

#[derive(Default)]
pub(super) struct Waits {
    /// Since when each run waits, in the order of their coming.
    waiting: BTreeMap<u64, Instant>,
    told: Option<Instant>,
    untold: Untold,
}

#[derive(Default)]
struct Untold {
    /// Runs that had to begin to wait.
    begun: u64,
    /// How long the waits took that have ended.
    total: Duration,
    longest: Duration,
}

/// What is told of waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Waited {
    /// How many runs had to wait since this was last told.
    pub(crate) runs: u64,
    /// How many do now.
    pub(crate) waiting: usize,
    /// How long the waits took that have ended since.
    pub(crate) total: Duration,
    /// The longest wait of all these, ended or not.
    pub(crate) longest: Duration,
}

// === impl Waits ===

impl Waits {
    /// One more run waits. Gives the number to [end](Self::end) it by.
    pub(super) fn begin(&mut self, now: Instant) -> u64 {
        let number = self.waiting.last_key_value().map_or(0, |(last, _)| last + 1);
        self.waiting.insert(number, now);
        self.untold.begun += 1;
        number
    }

    pub(super) fn end(&mut self, number: u64, now: Instant) {
        let Some(since) = self.waiting.remove(&number) else { return };
        let wait = now.duration_since(since);
        self.untold.total += wait;
        self.untold.longest = self.untold.longest.max(wait);
    }

    /// When this was last told.
    pub(super) fn told(&self) -> Option<Instant> {
        self.told
    }

    /// What is to be told, if there is anything; it is told then.
    pub(super) fn take(&mut self, now: Instant) -> Option<Waited> {
        self.told = Some(now);
        let Untold { begun: runs, total, longest } = std::mem::take(&mut self.untold);
        let present = self.waiting.first_key_value().map_or(Duration::ZERO, |(_, since)| now.duration_since(*since));
        let waited = Waited { runs, waiting: self.waiting.len(), total, longest: longest.max(present) };
        (runs > 0 || waited.waiting > 0 || !total.is_zero()).then_some(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_counted_as_they_begin_and_timed_as_they_last() {
        let (mut waits, start) = (Waits::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(waits.take(start), None);
        let [first, second] = [0, 10].map(|seconds| waits.begin(after(seconds)));
        waits.end(first, after(15));
        let seconds = Duration::from_secs;
        let waited = Waited { runs: 2, waiting: 1, total: seconds(15), longest: seconds(50) };
        assert_eq!(waits.take(after(60)), Some(waited));
        let waited = Waited { runs: 0, waiting: 1, total: seconds(0), longest: seconds(110) };
        assert_eq!(waits.take(after(120)), Some(waited));
        waits.end(second, after(130));
        let waited = Waited { runs: 0, waiting: 0, total: seconds(120), longest: seconds(120) };
        assert_eq!(waits.take(after(180)), Some(waited));
        assert_eq!(waits.take(after(240)), None);
    }
}
