//! Cron expressions in local time.

use std::str::FromStr;

use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::moment::instant;

/// sensu-client tolerates one more than it knows.
const MOST_FIELDS: usize = 6;

/// Five fields, or one of `@yearly @annually @monthly @weekly @daily @midnight @hourly`.
///
/// As Vixie cron: where both day fields are restricted either is enough, a time that daylight saving skips runs at the
/// end of the gap, a time that it repeats runs once; with a `*` in minute or hour it is no time but a pattern, which goes on by
/// what the clock shows. As in sensu-client, a sixth field is ignored, and there is none of the `L`, `W`, `#` and `?` that
/// other crons know.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron {
    expression: Box<croner::Cron>,
    /// Whether minute and hour are times, not patterns.
    is_timed: bool,
    /// None is the machine's.
    zone: Option<TimeZone>,
}

/// Why a text is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCron {
    /// It is no cron expression.
    #[error("not a cron expression: {0}")]
    Syntax(String),
    /// There is no such time, as there is no 31 February.
    #[error("a cron expression that never matches: {0}")]
    Never(String),
}

// === impl Cron ===

impl Cron {
    /// The same expression by the clock of another time zone than the machine's.
    pub(super) fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone: Some(zone), ..self }
    }

    /// The first match at `from` or later, in epoch milliseconds.
    pub(super) fn at_or_after(&self, from: i64) -> Option<i64> {
        self.next_in(from, self.zone.clone().unwrap_or_else(TimeZone::system))
    }

    fn next_in(&self, from: i64, zone: TimeZone) -> Option<i64> {
        // Rounded up to the second: the expression's resolution, so that a fraction past a match is past it.
        let second = from.div_euclid(1000) + i64::from(from.rem_euclid(1000) > 0);
        // What comes after the second before, for the end of a gap that a match falls into is found only from before it.
        let before = Timestamp::from_second(second.checked_sub(1)?).ok()?.to_zoned(zone);
        let next = if self.is_timed { self.time_after(&before)? } else { self.match_after(&before)? };
        Some(next.as_millisecond())
    }

    fn match_after(&self, before: &Zoned) -> Option<Timestamp> {
        let next = self.expression.find_next_occurrence(before, false).ok()?;
        Some(next.timestamp())
    }

    /// Looked for on a clock without daylight saving, for croner does as Vixie cron with a single time only, and not with `0 2,14 * * *`.
    fn time_after(&self, before: &Zoned) -> Option<Timestamp> {
        let mut wall = before.datetime();
        loop {
            wall = self.expression.find_next_occurrence(&wall, false).ok()?;
            let next = instant(before.time_zone(), wall)?;
            // In the second of two equal hours the times of the first one are over.
            if next > before.timestamp() {
                return Some(next);
            }
        }
    }
}

impl FromStr for Cron {
    type Err = InvalidCron;

    fn from_str(expression: &str) -> Result<Self, InvalidCron> {
        let invalid = || InvalidCron::Syntax(expression.to_owned());
        let mut fields: Vec<&str> = expression.split_whitespace().collect();
        let is_named = fields.first().is_some_and(|field| field.starts_with('@'));
        if fields.len() > MOST_FIELDS || !(is_named || fields.iter().take(5).copied().all(is_field)) {
            return Err(invalid());
        }
        fields.truncate(5);
        if fields == ["@midnight"] {
            // croner has no such name.
            fields = vec!["@daily"];
        }
        let is_timed = is_timed(&fields);
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let parsed = parser.parse(&fields.join(" ")).map_err(|_| invalid())?;
        let cron = Self { expression: Box::new(parsed), is_timed, zone: None };
        let now = Timestamp::now().as_millisecond();
        cron.at_or_after(now).map(|_| cron).ok_or_else(|| InvalidCron::Never(expression.to_owned()))
    }
}

/// Whether a field is made of numbers, names and `*` alone. Which numbers and names there are, the parser knows.
fn is_field(field: &str) -> bool {
    field.split([',', '-', '/']).all(|part| {
        part == "*"
            || (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
            || (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_alphabetic()))
    })
}

/// Whether an expression says at what times, and not how often.
fn is_timed(fields: &[&str]) -> bool {
    match fields {
        [name] => !name.eq_ignore_ascii_case("@hourly"),
        _ => fields.iter().take(2).all(|field| !field.contains('*')),
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use jiff::civil::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn next(expression: &str, from: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let from = from.parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp().as_millisecond();
        let next = expression.parse::<Cron>().unwrap().next_in(from, zone.clone()).unwrap();
        Timestamp::from_millisecond(next).unwrap().to_zoned(zone).datetime().to_string()
    }

    #[test]
    fn sensus_grammar() {
        for (expression, want) in [
            ("* * * * *", "2026-03-04T05:06:00"),
            ("*/5 * * * *", "2026-03-04T05:10:00"),
            ("0 9-17/4 * * mon-fri", "2026-03-04T09:00:00"),
            ("30 2 1,15 jan,APR *", "2026-04-01T02:30:00"),
            ("0 0 13 * 7", "2026-03-08T00:00:00"),
            ("@yearly", "2027-01-01T00:00:00"),
            ("@annually", "2027-01-01T00:00:00"),
            ("@monthly", "2026-04-01T00:00:00"),
            ("@weekly", "2026-03-08T00:00:00"),
            ("@daily", "2026-03-05T00:00:00"),
            ("@midnight", "2026-03-05T00:00:00"),
            ("@hourly", "2026-03-04T06:00:00"),
            ("0 6 * * * ignored", "2026-03-04T06:00:00"),
        ] {
            assert_eq!(next(expression, "2026-03-04T05:05:01.5", "Asia/Tokyo"), want, "{expression}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let none =
            ["every day", "", "* * * *", "60 * * * *", "@reboot", "0 0 31 2 *", "0 6 * * * a b c", "* * abc * *"];
        let others = ["0 0 L * *", "0 0 1W * *", "0 0 LW * *", "0 0 * * 5#2", "0 0 * * 5L", "0 0 ? * *", "0 0 1+ * *"];
        for expression in none.into_iter().chain(others) {
            assert!(expression.parse::<Cron>().is_err(), "{expression}");
        }
        assert_eq!("0 0 31 2 *".parse::<Cron>(), Err(InvalidCron::Never("0 0 31 2 *".to_owned())));
    }

    #[test]
    fn daylight_saving_skips_no_match_and_repeats_none() {
        let zone = "America/New_York";
        assert_eq!(next("30 2 * * *", "2026-03-08T00:00:00", zone), "2026-03-08T03:00:00");
        assert_eq!(next("30 1 * * *", "2026-11-01T00:00:00", zone), "2026-11-01T01:30:00");
        let zone = TimeZone::get(zone).unwrap();
        let first = "2026-11-01T01:30:00".parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
        let cron: Cron = "30 1 * * *".parse().unwrap();
        let after = cron.next_in(first.timestamp().as_millisecond() + 1, zone.clone()).unwrap();
        assert_eq!(
            Timestamp::from_millisecond(after).unwrap().to_zoned(zone).datetime().to_string(),
            "2026-11-02T01:30:00"
        );
    }

    /// 8 March 2026 has no time from 02:00 to 03:00, 1 November has those from 01:00 to 02:00 twice.
    #[test]
    fn a_list_of_times_is_one_of_times() {
        let zone = "America/New_York";
        for (expression, from, want) in [
            ("30 2,14 * * *", "2026-03-08T00:00:00", "2026-03-08T03:00:00"),
            ("0,30 2 * * *", "2026-03-08T03:00:01", "2026-03-09T02:00:00"),
            ("*/20 2 * * *", "2026-03-08T00:00:00", "2026-03-09T02:00:00"),
            ("0 */2 * * *", "2026-03-08T01:00:00", "2026-03-08T04:00:00"),
        ] {
            assert_eq!(next(expression, from, zone), want, "{expression}");
        }
        let zone = TimeZone::get(zone).unwrap();
        let slots = |expression: &str| {
            let (cron, mut from) =
                (expression.parse::<Cron>().unwrap(), "2026-11-01T05:00:00Z".parse::<Timestamp>().unwrap());
            let slots = std::iter::from_fn(|| {
                let slot = Timestamp::from_millisecond(cron.next_in(from.as_millisecond(), zone.clone())?).unwrap();
                from = slot + 1.second();
                Some(slot.to_string())
            });
            slots.take(3).collect::<Vec<_>>()
        };
        assert_eq!(slots("0,30 1 * * *"), ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:00:00Z"]);
        assert_eq!(slots("0 * * * *"), ["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"]);
        assert_eq!(slots("@hourly"), slots("0 * * * *"));
    }

    proptest! {
        #[test]
        fn the_next_match_is_never_early_and_the_one_after_it_is_later(from in 0..4_000_000_000_000i64) {
            let cron: Cron = "*/7 3 * * *".parse().unwrap();
            let slot = cron.next_in(from, TimeZone::UTC).unwrap();
            prop_assert!(slot >= from);
            prop_assert_eq!(cron.next_in(slot, TimeZone::UTC), Some(slot));
            prop_assert!(cron.next_in(slot + 1, TimeZone::UTC).unwrap() > slot);
        }

        #[test]
        fn no_minute_is_matched_twice_over_daylight_saving(
            minute in prop::sample::select(vec!["*", "*/7", "0", "30", "5,35", "59"]),
            hour in prop::sample::select(vec!["*", "*/2", "0", "1", "2", "3", "1-3"]),
            day in prop::sample::select(vec!["* * *", "* * 0", "1 * *", "1,8 * 1"]),
            zone in prop::sample::select(vec!["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Tokyo"]),
            // The days on which one of them changes, and some weeks around.
            start in prop::sample::select(vec!["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-31"]),
            offset in 0..172_800_000i64,
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let cron: Cron = format!("{minute} {hour} {day}").parse().unwrap();
            let start: Timestamp = format!("{start}T00:00:00Z").parse().unwrap();
            let mut from = start.as_millisecond() + offset;
            let mut walls = Vec::new();
            for _ in 0..40 {
                let slot = cron.next_in(from, zone.clone()).unwrap();
                prop_assert!(slot >= from && slot % 60_000 == 0, "on the minute, and never early");
                prop_assert_eq!(cron.next_in(slot, zone.clone()), Some(slot));
                walls.push(Timestamp::from_millisecond(slot).unwrap().to_zoned(zone.clone()).datetime());
                from = slot + 1;
            }
            // Where either is a pattern the repeated hour counts twice, as for Vixie cron; given times do not.
            if !hour.contains('*') && !minute.contains('*') {
                prop_assert!(walls.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", walls);
            }
        }
    }
}
