//! Which check is next, and what is due now. Pure: the caller brings the time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::definitions::Check;

/// A wall clock that goes back by more than this was set, not slewed: the slots are computed anew, or else every check
/// would wait until the clock has caught up.
const SET_BACK_MS: i64 = 1000;

/// All checks with their next slots.
pub(super) struct Agenda {
    checks: Vec<Arc<Check>>,
    /// Slot and index into `checks`, the earliest first.
    queue: BinaryHeap<Reverse<(i64, usize)>>,
    seen: i64,
}

/// What one look at the clock brought.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Round {
    /// To be run now, in the order of their slots, none twice.
    pub(super) due: Vec<Arc<Check>>,
    /// Slots have gone by and later ones as well, while the process was stopped or the clock was set: skipped.
    pub(super) missed: Vec<Arc<Check>>,
}

// === impl Agenda ===

impl Agenda {
    pub(super) fn new(checks: Vec<Arc<Check>>, now: i64) -> Self {
        let mut agenda = Self { checks, queue: BinaryHeap::new(), seen: now };
        agenda.compute(now);
        agenda
    }

    /// Takes other checks. What was due at the last look has been taken then, what has come since is still to come.
    pub(super) fn replace(&mut self, checks: Vec<Arc<Check>>) {
        self.checks = checks;
        self.compute(self.seen + 1);
    }

    /// The earliest slot.
    pub(super) fn next(&self) -> Option<i64> {
        self.queue.peek().map(|Reverse((slot, _))| *slot)
    }

    /// Takes what is due at `now`. A slot may be taken late, but only until the check's next one has come: then it is
    /// missed, and the check waits for the grid's next slot. So there is no burst however long nobody looked.
    pub(super) fn take(&mut self, now: i64) -> Round {
        if now < self.seen - SET_BACK_MS {
            self.compute(now);
            self.seen = now;
        }
        // Not back: what a slewed clock shows again has been taken.
        self.seen = self.seen.max(now);
        let mut round = Round::default();
        while let Some(&Reverse((slot, index))) = self.queue.peek()
            && slot <= now
        {
            self.queue.pop();
            let check = Arc::clone(&self.checks[index]);
            let next = check.timetable.at_or_after(slot + 1);
            if next.is_some_and(|next| next <= now) {
                self.enqueue(index, now);
                round.missed.push(check);
            } else {
                self.queue.extend(next.map(|next| Reverse((next, index))));
                round.due.push(check);
            }
        }
        round
    }

    fn compute(&mut self, now: i64) {
        self.queue.clear();
        for index in 0..self.checks.len() {
            self.enqueue(index, now);
        }
    }

    fn enqueue(&mut self, index: usize, from: i64) {
        let slot = self.checks[index].timetable.at_or_after(from);
        self.queue.extend(slot.map(|slot| Reverse((slot, index))));
    }
}

#[cfg(test)]
mod tests {
    use check_result::Object;
    use proptest::prelude::*;

    use super::*;
    use crate::definitions::Extras;
    use crate::schedule::Timetable;

    fn check(name: &str, interval: u64, phase: u64) -> Arc<Check> {
        Arc::new(Check {
            name: name.to_owned(),
            key: name.to_owned(),
            definition: Object::new(),
            command: "true".to_owned(),
            stdin: false,
            timeout: None,
            timetable: Timetable::Interval { interval, phase },
            subdue: None,
            extras: Extras::default(),
        })
    }

    fn names(checks: &[Arc<Check>]) -> Vec<&str> {
        checks.iter().map(|check| check.name.as_str()).collect()
    }

    #[test]
    fn checks_come_in_the_order_of_their_slots() {
        let mut agenda = Agenda::new(vec![check("b", 100, 20), check("a", 100, 10), check("c", 1000, 500)], 0);
        assert_eq!(agenda.next(), Some(10));
        assert_eq!(names(&agenda.take(9).due), [""; 0]);
        assert_eq!(names(&agenda.take(20).due), ["a", "b"]);
        assert_eq!(names(&agenda.take(20).due), [""; 0]);
        assert_eq!(agenda.next(), Some(110));
    }

    /// Upstream `spec/client/process_spec.rb` 518 (A27).
    #[test]
    fn a_cron_check_waits_for_exactly_one_slot() {
        let cron = Timetable::Cron("* * * * *".parse().unwrap());
        let check = Arc::new(Check { timetable: cron, ..Check::clone(&check("cron", 1, 0)) });
        let mut agenda = Agenda::new(vec![check], 1);
        assert_eq!(agenda.queue.len(), 1);
        assert_eq!(names(&agenda.take(60_000).due), ["cron"]);
        assert_eq!((agenda.queue.len(), agenda.next()), (1, Some(120_000)));
    }

    /// A clock that is slewed may show the same second again; the minute that has run does not run again.
    #[test]
    fn a_minute_that_comes_again_is_not_run_again() {
        let cron = Timetable::Cron("* * * * *".parse().unwrap());
        let check = Arc::new(Check { timetable: cron, ..Check::clone(&check("cron", 1, 0)) });
        let mut agenda = Agenda::new(vec![check], 1);
        let runs = [59_999, 60_000, 59_500, 59_999, 60_000, 60_001, 119_999].map(|now| agenda.take(now).due.len());
        assert_eq!(runs, [0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(agenda.next(), Some(120_000));
    }

    #[test]
    fn after_a_long_stop_nothing_bursts() {
        let mut agenda = Agenda::new(vec![check("often", 1000, 300), check("hourly", 3_600_000, 5000)], 0);
        assert_eq!(names(&agenda.take(300).due), ["often"]);
        let round = agenda.take(60_000);
        assert_eq!(names(&round.due), ["hourly"], "its slot has passed, its next one has not");
        assert_eq!(names(&round.missed), ["often"]);
        assert_eq!(agenda.next(), Some(60_300), "back on the grid");
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_check() {
        let mut agenda = Agenda::new(vec![check("a", 10_000, 0)], 3_600_000);
        assert_eq!(names(&agenda.take(3_600_000).due), ["a"]);
        assert_eq!(agenda.take(1_000), Round::default());
        assert_eq!(agenda.next(), Some(10_000));
    }

    #[test]
    fn other_checks_neither_repeat_a_slot_nor_lose_one() {
        let checks = || vec![check("a", 100, 0)];
        let mut agenda = Agenda::new(checks(), 50);
        assert_eq!(names(&agenda.take(100).due), ["a"]);
        agenda.replace(checks());
        assert_eq!(names(&agenda.take(100).due), [""; 0], "it has been taken");
        agenda.replace(checks());
        assert_eq!(names(&agenda.take(205).due), ["a"], "however late the next look is");
    }

    #[test]
    fn other_checks_repeat_no_slot_that_a_slewed_clock_shows_again() {
        let checks = || vec![check("a", 100, 0)];
        let mut agenda = Agenda::new(checks(), 50);
        assert_eq!(names(&agenda.take(100).due), ["a"]);
        assert_eq!(names(&agenda.take(99).due), [""; 0]);
        agenda.replace(checks());
        assert_eq!(names(&agenda.take(100).due), [""; 0], "it has been taken");
        assert_eq!(agenda.next(), Some(200));
    }

    proptest! {
        #[test]
        fn a_clock_that_is_only_slewed_shows_no_slot_twice_whatever_is_reloaded(
            interval in 1..3_000u64,
            hash in any::<u64>(),
            steps in prop::collection::vec((-300..900i64, any::<bool>()), 1..60),
        ) {
            let checks = || vec![check("a", interval, hash % interval)];
            let (mut now, mut latest, mut taken) = (1_000_000, 1_000_000, None);
            let mut agenda = Agenda::new(checks(), now);
            for (step, reload) in steps {
                now = (now + step).max(latest - SET_BACK_MS);
                latest = latest.max(now);
                let slot = agenda.next();
                if !agenda.take(now).due.is_empty() {
                    prop_assert!(slot > taken, "{slot:?} after {taken:?}");
                    taken = slot;
                }
                if reload {
                    agenda.replace(checks());
                }
            }
        }

        #[test]
        fn whatever_the_clock_does_a_look_runs_a_check_at_most_once_and_never_early(
            tables in prop::collection::vec((1..5_000u64, any::<u64>()), 1..20),
            steps in prop::collection::vec(-3_000..20_000i64, 1..60),
        ) {
            let checks: Vec<_> = tables.iter().enumerate()
                .map(|(index, (interval, hash))| check(&index.to_string(), *interval, hash % interval)).collect();
            let (mut now, mut latest) = (1_000_000, 1_000_000);
            let mut agenda = Agenda::new(checks, now);
            for step in steps {
                now += step;
                let before = agenda.next();
                let round = agenda.take(now);
                let mut seen = names(&round.due);
                seen.sort_unstable();
                seen.dedup();
                prop_assert_eq!(seen.len(), round.due.len());
                // Small steps back may add up to one.
                let set_back = now < latest - SET_BACK_MS;
                latest = if set_back { now } else { latest.max(now) };
                prop_assert!(round.due.is_empty() || set_back || before.is_some_and(|slot| slot <= now));
                prop_assert!(agenda.next().is_some_and(|slot| slot > now), "always a next slot, and ahead");
            }
        }
    }
}
