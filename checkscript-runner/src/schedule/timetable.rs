//! When a check runs: slots on the wall clock's grid, as pure arithmetic.

use check_result::Object;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Cron;
use super::splay::phase;

/// The slots of one check. Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq)]
pub enum Timetable {
    /// Every `interval` milliseconds, `phase` after a multiple of it.
    Interval {
        /// More than 0.
        interval: u64,
        /// Less than `interval`.
        phase: u64,
    },
    /// At the matches of an expression.
    Cron(Cron),
}

// === impl Timetable ===

impl Timetable {
    /// From a definition's `cron` or else its `interval` in seconds, splayed by the client's name and the definition's
    /// key; `None` if it has neither.
    pub(crate) fn of(client: &str, key: &str, definition: &Object) -> Option<Self> {
        if let Some(expression) = definition.get("cron").and_then(Value::as_str) {
            return expression.parse().ok().map(Self::Cron);
        }
        let Value::Number(seconds) = definition.get("interval")? else { return None };
        // An interval beyond the range never comes round again, whatever its exact value.
        let interval = seconds.as_u64().unwrap_or(u64::MAX).saturating_mul(1000);
        (interval > 0).then(|| Self::Interval { interval, phase: phase(client, key, interval) })
    }

    /// By the clock of this time zone, if there is one; intervals have nothing to do with clocks.
    pub(crate) fn in_zone(self, zone: Option<&TimeZone>) -> Self {
        match (self, zone) {
            (Self::Cron(cron), Some(zone)) => Self::Cron(cron.in_zone(zone.clone())),
            (table, _) => table,
        }
    }

    /// The first slot at `from` or later; `None` if none comes.
    pub fn at_or_after(&self, from: i64) -> Option<i64> {
        match self {
            Self::Interval { interval, phase } => {
                let (interval, phase, from) = (i128::from(*interval), i128::from(*phase), i128::from(from));
                i64::try_from(from + (phase - from).rem_euclid(interval)).ok()
            }
            Self::Cron(cron) => cron.at_or_after(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(definition: Value) -> Option<Timetable> {
        Timetable::of("i-424242", "test", definition.as_object().unwrap())
    }

    #[test]
    fn cron_wins_over_interval() {
        assert!(matches!(of(json!({"cron": "* * * * *", "interval": 60})), Some(Timetable::Cron(_))));
        assert!(matches!(of(json!({"interval": 60})), Some(Timetable::Interval { interval: 60_000, .. })));
        assert_eq!(of(json!({})), None);
    }

    #[test]
    fn an_interval_beyond_the_range_never_comes() {
        let huge: Value = serde_json::from_str(r#"{"interval": 123456789012345678901234567890}"#).unwrap();
        let slot = of(huge).unwrap().at_or_after(1_700_000_000_000);
        assert!(slot.is_none_or(|slot| slot > 4_000_000_000_000));
    }

    proptest! {
        #[test]
        fn slots_lie_on_the_grid_without_slip(
            interval in 1..1_000_000u64, hash in any::<u64>(), from in 0..4_000_000_000_000i64,
        ) {
            let table = Timetable::Interval { interval, phase: hash % interval };
            let slot = table.at_or_after(from).unwrap();
            prop_assert!(slot >= from && slot - from < interval as i64);
            prop_assert_eq!(slot as u64 % interval, hash % interval);
            prop_assert_eq!(table.at_or_after(slot), Some(slot));
            prop_assert_eq!(table.at_or_after(slot + 1), Some(slot + interval as i64));
        }
    }
}
