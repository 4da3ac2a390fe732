//! Times as people read them: how long ago, and when exactly.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The moment that a page is made, and where.
#[derive(Clone)]
pub(super) struct Clock {
    now: Timestamp,
    time_zone: TimeZone,
}

/// A time in all the forms that a page shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// For programs: RFC 3339, UTC.
    pub(super) iso: String,
    /// `2026-11-21 11:30:48 +0900`.
    pub(super) exact: String,
    /// `3 min`; the time since then.
    pub(super) age: String,
}

impl Clock {
    pub(super) fn new(now: Timestamp, time_zone: TimeZone) -> Self {
        Self { now, time_zone }
    }

    pub(super) fn now(&self) -> Moment {
        self.show(self.now)
    }

    pub(super) fn show(&self, time: Timestamp) -> Moment {
        let exact = time.to_zoned(self.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z").to_string();
        Moment { iso: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), exact, age: duration(self.age(time)) }
    }

    /// Epoch seconds, which a socket may have sent; none where no calendar has them.
    pub(super) fn epoch(&self, seconds: i64) -> Option<Moment> {
        Timestamp::from_second(seconds).ok().map(|time| self.show(time))
    }

    /// Seconds since `time`, 0 where it is still to come: clocks differ by a little.
    pub(super) fn age(&self, time: Timestamp) -> i64 {
        (self.now.as_second() - time.as_second()).max(0)
    }
}

/// Seconds in their two largest units: `45 s`, `3 min`, `2 h 5 min`, `4 d 3 h`.
pub(super) fn duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 if minutes % 60 == 0 => format!("{hours} h"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ if hours % 24 == 0 || days > 30 => format!("{days} d"),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
            (86_400, "1 d"),
            (97_200, "1 d 3 h"),
            (40 * 86_400 + 3600, "40 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_time_is_shown_in_the_zone_of_the_site() {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let clock = Clock::new("2026-11-21T02:33:00Z".parse().unwrap(), zone);
        let shown = clock.show("2026-11-21T02:30:00Z".parse().unwrap());
        let (iso, exact) = ("2026-11-21T02:30:00Z".to_owned(), "2026-11-21 11:30:00 +0900".to_owned());
        assert_eq!(shown, Moment { iso, exact, age: "3 min".to_owned() });
        assert_eq!(clock.epoch(i64::MAX), None);
        assert_eq!(clock.age("2026-11-21T02:40:00Z".parse().unwrap()), 0);
    }
}
