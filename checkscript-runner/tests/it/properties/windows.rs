//! When checks are subdued, by an independent reading: as sensu-client reads a window (`lib/sensu/utilities.rb`, `in_time_windows?`), the
//! clock looked at minute by minute.

use checkscript_runner::definitions::Check;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// A Wednesday and a Sunday; to them come the days on which the zone changes its clocks.
const DAYS: [Date; 2] = [date(2026, 11, 18), date(2026, 11, 22)];
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// Checks of one input, and windows of one check.
const CHECKS: usize = 2;
const WINDOWS: usize = 6;

/// A window of all days or of one, its ends in minutes of the day.
struct Window<'a> {
    day: &'a str,
    begin: u16,
    end: u16,
}

/// The minutes of a day, from midnight to midnight.
struct Day {
    name: String,
    minutes: Vec<(Timestamp, u16)>,
}

/// The checks are subdued in their windows, and only there.
pub(super) fn are_kept<'a>(checks: impl Iterator<Item = &'a Check>) {
    for check in checks.filter(|check| check.definition.contains_key("subdue")).take(CHECKS) {
        let Some(windows) = windows(&check.definition["subdue"]) else { continue };
        let zone = check.extras.timezone.clone().unwrap_or_else(TimeZone::system);
        let noon = DAYS[0].at(12, 0, 0, 0).to_zoned(zone.clone()).expect("there is such a time").timestamp();
        let changes = zone.following(noon).take(2).map(|change| zone.to_datetime(change.timestamp()).date());
        let changes = changes.filter(|day| day.year() < 2028);
        for day in DAYS.into_iter().chain(changes).map(|date| Day::of(date, &zone)) {
            let ends = windows.iter().flat_map(|window| [day.first(window.begin), day.first(window.end)]);
            for at in ends.chain([day.first(0), day.first(12 * 60)]).flat_map(around) {
                // Of the day before or after it says nothing.
                if at < day.first(0) || at >= day.first(24 * 60) {
                    continue;
                }
                let is_subdued = check.subdue.as_ref().is_some_and(|subdue| subdue.covers(at));
                let wanted = windows.iter().any(|window| window.holds(&day, at));
                assert_eq!(is_subdued, wanted, "{at} in {zone:?}: {}", check.definition["subdue"]);
            }
        }
    }
}

fn around(at: Timestamp) -> [Timestamp; 3] {
    let second = SignedDuration::from_secs(1);
    [at - second, at, at + second]
}

/// The windows whose times are such as people write; none if there are others, of which Ruby has its own opinion.
fn windows(subdue: &Value) -> Option<Vec<Window<'_>>> {
    let days = subdue["days"].as_object()?;
    let windows =
        days.iter().flat_map(|(day, windows)| windows.as_array().into_iter().flatten().map(move |one| (day, one)));
    let time = |window: &Value, end: &str| minute(window[end].as_str()?);
    let read = windows.map(|(day, one)| Some(Window { day, begin: time(one, "begin")?, end: time(one, "end")? }));
    read.collect::<Option<Vec<_>>>().filter(|windows| windows.len() <= WINDOWS)
}

/// The minute of `9:30`, `21:00`, `9:30 PM` and `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (time, half) = match text.split_once(' ') {
        Some((time, half)) => (time, Some(half)),
        None => (text, None),
    };
    let (hour, minute) =
        time.split_once(':').filter(|(hour, minute)| (1..=2).contains(&hour.len()) && minute.len() == 2)?;
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok().filter(|minute| *minute < 60)?);
    let hour = match half {
        None if hour < 24 || (hour, minute) == (24, 0) => hour,
        Some("AM") if (1..=12).contains(&hour) => hour % 12,
        Some("PM") if (1..=12).contains(&hour) => hour % 12 + 12,
        _ => return None,
    };
    Some(hour * 60 + minute)
}

// === impl Window ===

impl Window<'_> {
    /// Both ends belong to it. One that ends before it begins is from midnight to its end, and from its beginning to midnight, of the
    /// day that it names.
    fn holds(&self, day: &Day, at: Timestamp) -> bool {
        let (begin, end) = (day.first(self.begin), day.first(self.end));
        let holds = if end < begin { at < end || at >= begin } else { begin <= at && at <= end };
        holds && ["all", &day.name].contains(&self.day)
    }
}

// === impl Day ===

impl Day {
    fn of(date: Date, zone: &TimeZone) -> Self {
        let start = date.to_zoned(zone.clone()).expect("there is such a day").timestamp();
        let minutes = (0..).map(|passed| start + MINUTE * passed).map(|at| (at, zone.to_datetime(at)));
        let minutes = minutes.take_while(|(_, wall)| wall.date() == date);
        let of_day = |(at, wall): (Timestamp, jiff::civil::DateTime)| {
            (at, u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs()))
        };
        let name = date.strftime("%A").to_string().to_lowercase();
        Self { name, minutes: minutes.map(of_day).collect() }
    }

    /// The first moment at which the clock shows this minute of the day, or a later one because there is none.
    fn first(&self, minute: u16) -> Timestamp {
        let found = self.minutes.iter().find(|(_, shown)| *shown >= minute);
        let (end, _) = self.minutes.last().expect("a day has minutes");
        found.map_or(*end + MINUTE, |(at, _)| *at)
    }
}
