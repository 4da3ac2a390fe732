//! `subdue`: windows of time in which a check does not run (sensu `lib/sensu/utilities.rb`, `in_time_windows?`).

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::moment::Moment;

/// The windows of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Subdue {
    windows: Vec<(Day, Window)>,
    /// None is the machine's.
    zone: Option<TimeZone>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Day {
    All,
    Of(Weekday),
}

/// Both ends belong to it. One that ends before it begins is two of the same day: from midnight to `end` and from
/// `begin` to midnight, so the early half of a named day is that day's own morning.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    begin: Moment,
    end: Moment,
}

/// A window that is the same on every day, or every one of a weekday.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DailyWindow {
    /// None is every day.
    pub(crate) day: Option<Weekday>,
    /// The minute of the day with which it begins.
    pub(crate) begin_minute: u16,
    /// The minute of the day before which it ends; before or at the beginning where it goes over midnight.
    pub(crate) end_minute: u16,
    /// Seconds east of UTC, where both times name one zone; else it hangs on the machine's.
    pub(crate) offset: Option<i32>,
}

// === impl Subdue ===

impl Subdue {
    /// Reads a valid `{days: {DAY: [{begin, end}, …]}}`; windows whose times are not understood are left out. `None` is
    /// no window at all.
    pub(crate) fn of(subdue: &Value, zone: Option<TimeZone>) -> Option<Self> {
        let windows: Vec<_> = windows(subdue)
            .filter_map(|(day, window)| {
                let moment = |end: &str| window.get(end)?.as_str()?.parse().ok();
                Some((Day::named(day)?, Window { begin: moment("begin")?, end: moment("end")? }))
            })
            .collect();
        (!windows.is_empty()).then_some(Self { windows, zone })
    }

    /// The times that validation takes, as Ruby does, and that nevertheless say nothing here.
    pub(crate) fn not_understood(subdue: &Value) -> Vec<String> {
        let times = windows(subdue).flat_map(|(_, window)| ["begin", "end"].map(|end| window.get(end)));
        let texts = times.filter_map(|time| time?.as_str());
        texts.filter(|text| text.parse::<Moment>().is_err()).map(str::to_owned).collect()
    }

    /// The windows of valid `subdue` as minutes of the day, and in words those that are none of each day.
    pub(crate) fn daily(subdue: &Value) -> (Vec<DailyWindow>, Vec<String>) {
        let (mut daily, mut left_out) = (Vec::new(), Vec::new());
        for (day, window) in windows(subdue) {
            match DailyWindow::of(day, window) {
                Some(window) => daily.push(window),
                None => left_out.push(format!("{day} {window}")),
            }
        }
        (daily, left_out)
    }

    /// Whether a run is to be left out at this moment.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.covers_in(&at.to_zoned(self.zone.clone().unwrap_or_else(TimeZone::system)))
    }

    fn covers_in(&self, now: &Zoned) -> bool {
        self.windows.iter().any(|(day, window)| day.is(now) && window.contains(now).unwrap_or(false))
    }
}

fn windows(subdue: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let days = subdue.get("days").and_then(Value::as_object).into_iter().flatten();
    days.flat_map(|(day, windows)| windows.as_array().into_iter().flatten().map(move |window| (day.as_str(), window)))
}

// === impl Day ===

impl Day {
    fn named(name: &str) -> Option<Self> {
        Some(Self::Of(match name {
            "all" => return Some(Self::All),
            "sunday" => Weekday::Sunday,
            "monday" => Weekday::Monday,
            "tuesday" => Weekday::Tuesday,
            "wednesday" => Weekday::Wednesday,
            "thursday" => Weekday::Thursday,
            "friday" => Weekday::Friday,
            "saturday" => Weekday::Saturday,
            _ => return None,
        }))
    }

    fn is(self, now: &Zoned) -> bool {
        match self {
            Self::All => true,
            Self::Of(weekday) => weekday == now.weekday(),
        }
    }
}

// === impl DailyWindow ===

impl DailyWindow {
    /// `None` where a time is no time of day, the two hang in different zones, or the window is empty.
    fn of(day: &str, window: &Value) -> Option<Self> {
        let time = |end: &str| window.get(end)?.as_str()?.parse::<Moment>().ok()?.time_of_day();
        let ((begin, zone), (end, zone_of_end)) = (time("begin")?, time("end")?);
        let day = match Day::named(day)? {
            Day::All => None,
            Day::Of(weekday) => Some(weekday),
        };
        let minute = |seconds: i64| u16::try_from(seconds / 60).ok();
        // The window reaches into the minute of an end with seconds.
        let (begin_minute, end_minute) = (minute(begin)?, minute(end + 59)?);
        let offset = zone.map(jiff::tz::Offset::seconds);
        (zone == zone_of_end && begin != end).then_some(Self { day, begin_minute, end_minute, offset })
    }
}

// === impl Window ===

impl Window {
    /// `None` where one of its ends does not exist, such as the 31st of a shorter month.
    fn contains(&self, now: &Zoned) -> Option<bool> {
        let (begin, end) = (self.begin.around(now)?, self.end.around(now)?);
        let at = now.timestamp();
        // A wrapped window reaches to the end of today or from its beginning, that is: it leaves one side open.
        Some(if end < begin { at < end || at >= begin } else { begin <= at && at <= end })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{DateTime, date};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn covers(days: Value, at: &str) -> bool {
        let now = at.parse::<DateTime>().unwrap().to_zoned(TimeZone::get("Asia/Tokyo").unwrap()).unwrap();
        Subdue::of(&json!({"days": days}), None).is_some_and(|subdue| subdue.covers_in(&now))
    }

    /// Upstream `spec/utilities_spec.rb` 164 (A46).
    #[test]
    fn upstreams_own_cases() {
        let at = "2026-11-18T12:00:00"; // a Wednesday
        let around = json!([{"begin": "11:00", "end": "1:00 PM"}]);
        assert!(!covers(json!({}), at));
        assert!(!covers(json!({"all": []}), at));
        assert!(!covers(json!({"all": [{"begin": "13:00", "end": "14:00"}]}), at));
        assert!(covers(json!({"all": around}), at));
        assert!(covers(json!({"wednesday": around}), at));
        assert!(!covers(json!({"thursday": around}), at));
        assert!(covers(json!({"thursday": around, "wednesday": [{"begin": "12:00", "end": "12:00"}]}), at));
    }

    #[test]
    fn a_window_over_midnight_is_a_named_days_own_morning_and_evening() {
        let night = json!({"wednesday": [{"begin": "10:00 PM", "end": "06:00"}]});
        for (at, subdued) in [
            ("2026-11-18T00:00:00", true),
            ("2026-11-18T05:59:59.999", true),
            ("2026-11-18T06:00:00", false),
            ("2026-11-18T22:00:00", true),
            ("2026-11-18T23:59:59.999999999", true),
            ("2026-11-19T03:00:00", false),
        ] {
            assert_eq!(covers(night.clone(), at), subdued, "{at}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_window_and_is_told() {
        let subdue = json!({"days": {"all": [
            {"begin": "around 5 or 6", "end": "18:00"}, {"begin": "17:00", "end": "18:00"}]}});
        assert_eq!(Subdue::not_understood(&subdue), ["around 5 or 6"]);
        assert_eq!(Subdue::of(&subdue, None).unwrap().windows.len(), 1);
    }

    #[test]
    fn windows_hang_on_the_zones_wall_over_daylight_saving() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let subdue = Subdue::of(&json!({"days": {"all": [{"begin": "01:30", "end": "03:00"}]}}), Some(zone)).unwrap();
        // 8 March 2026: 02:00 EST is 03:00 EDT, 07:00 UTC.
        for (utc, subdued) in [("06:29", false), ("06:30", true), ("07:00", true), ("07:01", false)] {
            assert_eq!(subdue.covers(format!("2026-03-08T{utc}:00Z").parse().unwrap()), subdued, "{utc}");
        }
    }

    /// 1 November 2026: 01:00 to 02:00 comes twice, the second time from 06:00 UTC on.
    #[test]
    fn a_window_begins_at_the_first_of_two_equal_times() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let subdue = Subdue::of(&json!({"days": {"all": [{"begin": "01:30", "end": "03:00"}]}}), Some(zone)).unwrap();
        for (utc, subdued) in [("05:29", false), ("05:30", true), ("06:00", true), ("08:00", true), ("08:01", false)] {
            assert_eq!(subdue.covers(format!("2026-11-01T{utc}:00Z").parse().unwrap()), subdued, "{utc}");
        }
    }

    proptest! {
        #[test]
        fn as_minutes_of_the_day_say(begin in 0..1440i32, end in 0..1440i32, now in 0..1440i32, day in 1..28i8) {
            let text = |minute: i32| format!("{:02}:{:02}", minute / 60, minute % 60);
            let days = json!({"all": [{"begin": text(begin), "end": text(end)}]});
            let at = format!("{}T{}", date(2026, 11, day), text(now));
            let want = if begin <= end { (begin..=end).contains(&now) } else { now < end || now >= begin };
            prop_assert_eq!(covers(days, &at), want);
        }

        /// 8 March 2026 has no time from 02:00 to 03:00: what is written as such is 03:00, so that a window from then on to it is
        /// none over midnight.
        #[test]
        fn as_minutes_of_the_day_say_where_daylight_saving_skips_an_hour(
            begin in 0..1440i32, end in 0..1440i32, now in prop_oneof![0..120i32, 181..1440],
        ) {
            prop_assume!(begin <= end || !(120..=180).contains(&begin) || !(120..=180).contains(&end));
            let text = |minute: i32| format!("{:02}:{:02}", minute / 60, minute % 60);
            let zone = TimeZone::get("America/New_York").unwrap();
            let days = json!({"days": {"sunday": [{"begin": text(begin), "end": text(end)}]}});
            let at = format!("2026-03-08T{}", text(now)).parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
            let want = if begin <= end { (begin..=end).contains(&now) } else { now < end || now >= begin };
            prop_assert_eq!(Subdue::of(&days, Some(zone)).unwrap().covers(at.timestamp()), want);
        }

        #[test]
        fn any_valid_time_is_read_without_a_panic(begin in "\\PC{0,20}", end in "[0-9apmAPM:. +-]{0,12}") {
            covers(json!({"all": [{"begin": begin, "end": end}]}), "2026-02-28T12:00:00");
        }
    }
}
