//! A point in time as people write it, read as Ruby's `Time.parse` reads it: what the text leaves out is today's.
//!
//! Understood are a time of day (`9:30`, `17:00:30.5`, `5 PM`, `12:00 a.m.`), a date (`2026-11-18`), both, a day of the
//! month alone (`25 o'clock` is the 25th), names of weekdays, which Ruby ignores too, and a time zone as RFC 822 has
//! them (`UTC`, `EST`, `+0900`). Zones by other names are the local one, as in Ruby.

use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, Timestamp, Zoned};
use regex::{Captures, Regex};

/// What a text says of a point in time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    day: Day,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    offset: Option<Offset>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Day {
    Today,
    OfMonth(i8),
    Of(Date),
}

/// A text that says nothing of a time, or nothing that is understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time that is understood: {0}")]
pub(super) struct NotUnderstood(String);

/// Hour, minute, second, fraction, `a` or `p`, zone.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    let clock = r"(\d+)(?:\s*:\s*(\d+)(?:\s*:\s*(\d+)(?:[.,](\d+))?)?)?";
    let zone = r"(?:\s*((?:gmt|utc?)?[-+]\d{1,2}(?::?\d{2})?|[a-z]+)\b)?";
    pattern(&format!(r"(?i){clock}(?:\s*([ap])(?:m\b|\.m\.))?{zone}"))
});
static DATE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d{4})-(\d{1,2})-(\d{1,2})T?"));
static DAY_OF_MONTH: LazyLock<Regex> = LazyLock::new(|| pattern(r"\A\D*(\d{1,2})\D*\z"));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles")
}

// === impl Moment ===

impl FromStr for Moment {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<Self, NotUnderstood> {
        read(text).ok_or_else(|| NotUnderstood(text.to_owned()))
    }
}

impl Moment {
    /// Seconds since midnight and the zone that the text names, where it is a time of day and nothing more.
    pub(super) fn time_of_day(&self) -> Option<(i64, Option<Offset>)> {
        (self.day == Day::Today).then_some((self.hour * 3600 + self.minute * 60 + self.second, self.offset))
    }

    /// The moment of the day that it is `now`, in now's time zone unless the text has one of its own. `None` if that
    /// day has no such moment.
    pub(super) fn around(&self, now: &Zoned) -> Option<Timestamp> {
        let zone = self.offset.map_or_else(|| now.time_zone().clone(), TimeZone::fixed);
        let today = now.with_time_zone(zone.clone()).date();
        let day = match self.day {
            Day::Today => today,
            Day::OfMonth(day) => Date::new(today.year(), today.month(), day).ok()?,
            Day::Of(date) => date,
        };
        // Added, for 24:00 is the next day's midnight and second 60 the next minute's first.
        let time = Span::new().hours(self.hour).minutes(self.minute).seconds(self.second).nanoseconds(self.nanosecond);
        instant(&zone, DateTime::from(day).checked_add(time).ok()?)
    }
}

/// A time that daylight saving skips is the end of the gap, as for cron, and one that it repeats the first of the two: so
/// times of one day keep their order. In Ruby 02:30 becomes 03:30, and a window from there to 03:15 covers the day but for 15
/// minutes.
pub(super) fn instant(zone: &TimeZone, at: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { after, .. } => {
            let before_the_gap = after.to_timestamp(at).ok()?;
            zone.following(before_the_gap).next().map(|transition| transition.timestamp())
        }
        _ => ambiguous.compatible().ok(),
    }
}

fn read(text: &str) -> Option<Moment> {
    let (date, rest) = take_date(text)?;
    let mut moment =
        Moment { day: date.map_or(Day::Today, Day::Of), hour: 0, minute: 0, second: 0, nanosecond: 0, offset: None };
    let time = TIME.captures_iter(&rest).find(|part| part.get(2).is_some() || part.get(5).is_some());
    if let Some(part) = time {
        let whole = part.get(0)?;
        let has_digits = |text: &str| text.contains(|c: char| c.is_ascii_digit());
        if has_digits(&rest[..whole.start()]) || has_digits(&rest[whole.end()..]) {
            return None;
        }
        read_time(&part, &mut moment)?;
    } else if date.is_none() {
        moment.day = Day::OfMonth(DAY_OF_MONTH.captures(&rest)?[1].parse().ok()?);
    }
    Some(moment)
}

/// The date of a text that has one, and the text without it. `None` if it is none of the calendar's.
fn take_date(text: &str) -> Option<(Option<Date>, String)> {
    let Some(part) = DATE.captures(text) else { return Some((None, text.to_owned())) };
    let date = Date::new(part[1].parse().ok()?, part[2].parse().ok()?, part[3].parse().ok()?).ok()?;
    Some((Some(date), text.replacen(&part[0], " ", 1)))
}

fn read_time(part: &Captures<'_>, moment: &mut Moment) -> Option<()> {
    let number = |index| part.get(index).map_or(Some(0), |digits| digits.as_str().parse::<i64>().ok());
    let half = part.get(5).map(|half| half.as_str().to_ascii_lowercase());
    let hour = number(1)?;
    moment.hour = match half.as_deref() {
        None => hour,
        Some("p") => hour % 12 + 12,
        Some(_) => hour % 12,
    };
    (moment.minute, moment.second) = (number(2)?, number(3)?);
    let is_time = moment.hour < 24 || (moment.hour, moment.minute, moment.second) == (24, 0, 0);
    if !is_time || moment.minute > 59 || moment.second > 60 {
        return None;
    }
    let fraction = part.get(4).map_or("", |digits| digits.as_str());
    moment.nanosecond = format!("{fraction:0<9.9}").parse().ok()?;
    moment.offset = part.get(6).and_then(|zone| offset(zone.as_str()));
    Some(())
}

/// The offset of a zone that RFC 822 knows.
fn offset(zone: &str) -> Option<Offset> {
    let zone = zone.to_ascii_uppercase();
    let hours = match zone.as_str() {
        "UTC" | "GMT" | "UT" | "Z" => 0,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => {
            let (sign, digits) = zone
                .split_once('+')
                .map(|(_, digits)| (1, digits))
                .or_else(|| zone.split_once('-').map(|(_, digits)| (-1, digits)))?;
            let digits = digits.replace(':', "");
            let (hours, minutes) = if digits.len() > 2 { digits.split_at(digits.len() - 2) } else { (&*digits, "0") };
            let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
            return Offset::from_seconds(sign * seconds).ok();
        }
    };
    Offset::from_hours(hours).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(text: &str) -> String {
        let now = "2026-11-18T12:34:56+09:00[Asia/Tokyo]".parse::<Zoned>().unwrap();
        match text.parse::<Moment>() {
            Ok(moment) => moment.around(&now).map_or("never".to_owned(), |at| at.to_string()),
            Err(error) => error.to_string(),
        }
    }

    /// Checked against Ruby 2.4's `Time.parse` by its documentation and source; times below are UTC, now is 03:34:56.
    #[test]
    fn texts_as_ruby_reads_them() {
        for (text, want) in [
            ("9:30", "2026-11-18T00:30:00Z"),
            ("12:00 AM", "2026-11-17T15:00:00Z"),
            ("12:00 p.m.", "2026-11-18T03:00:00Z"),
            ("11:59:59 PM", "2026-11-18T14:59:59Z"),
            ("5PM", "2026-11-18T08:00:00Z"),
            ("17:00:30.25", "2026-11-18T08:00:30.25Z"),
            ("24:00", "2026-11-18T15:00:00Z"),
            ("Monday 10:00", "2026-11-18T01:00:00Z"),
            ("23:00 UTC", "2026-11-18T23:00:00Z"),
            ("10:00 -0500", "2026-11-17T15:00:00Z"),
            ("10:00+02:00", "2026-11-18T08:00:00Z"),
            ("10:00 Europe", "2026-11-18T01:00:00Z"),
            ("2026-12-24 18:00", "2026-12-24T09:00:00Z"),
            ("2026-12-24T18:00Z", "2026-12-24T18:00:00Z"),
            ("2026-12-24", "2026-12-23T15:00:00Z"),
            ("25 o'clock", "2026-11-24T15:00:00Z"),
            ("31", "never"),
            ("25:00", "not a time that is understood: 25:00"),
            ("9:61", "not a time that is understood: 9:61"),
            ("1 or 2", "not a time that is understood: 1 or 2"),
            ("2026-02-31", "not a time that is understood: 2026-02-31"),
            ("noon", "not a time that is understood: noon"),
        ] {
            assert_eq!(around(text), want, "{text}");
        }
    }
}
