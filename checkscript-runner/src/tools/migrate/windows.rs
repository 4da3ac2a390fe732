//! `subdue` and filters' `when` as Alertmanager's time intervals.

use jiff::civil::Weekday;
use serde::Serialize;
use serde_json::Value;

use crate::schedule::{DailyWindow, Subdue};

/// A named set of intervals (Alertmanager's `time_intervals`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TimeIntervals {
    pub(super) name: String,
    pub(super) time_intervals: Vec<TimeInterval>,
}

/// A time of certain days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TimeInterval {
    times: Vec<Times>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    weekdays: Vec<&'static str>,
    location: String,
}

/// From one minute of the day to before another; 24:00 is its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Times {
    start_time: String,
    end_time: String,
}

/// The intervals, and in words what of the windows cannot be said so.
pub(super) fn intervals(windows: &Value) -> (Vec<TimeInterval>, Vec<String>) {
    let (daily, mut left_out) = Subdue::daily(windows);
    let mut intervals = Vec::new();
    for window in &daily {
        match interval(window) {
            Some(interval) => intervals.push(interval),
            None => left_out.push("a time zone that is no whole number of hours from UTC".to_owned()),
        }
    }
    (intervals, left_out)
}

/// A window over midnight is its day's own morning and evening, as in Sensu.
fn interval(window: &DailyWindow) -> Option<TimeInterval> {
    let location = match window.offset {
        None => "Local".to_owned(),
        Some(0) => "UTC".to_owned(),
        // The names of POSIX count westwards.
        Some(seconds) if seconds % 3600 == 0 => format!("Etc/GMT{:+}", -seconds / 3600),
        Some(_) => return None,
    };
    let (begin, end) = (window.begin_minute, window.end_minute);
    let halves = if begin < end { vec![(begin, end)] } else { vec![(0, end), (begin, 24 * 60)] };
    let times = halves.into_iter().filter(|(begin, end)| begin < end);
    let times = times.map(|(begin, end)| Times { start_time: clock(begin), end_time: clock(end) }).collect();
    Some(TimeInterval { times, weekdays: window.day.map(name).into_iter().collect(), location })
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(days: Value) -> (Vec<String>, Vec<String>) {
        let (intervals, left_out) = intervals(&json!({"days": days}));
        let shown = intervals.iter().map(|interval| {
            let times: Vec<_> =
                interval.times.iter().map(|times| format!("{}-{}", times.start_time, times.end_time)).collect();
            format!("{} {} {}", times.join(","), interval.weekdays.join(","), interval.location)
        });
        (shown.collect(), left_out)
    }

    #[test]
    fn windows_become_intervals() {
        for (days, want) in [
            (json!({"all": [{"begin": "5:00 PM", "end": "20:30"}]}), vec!["17:00-20:30  Local"]),
            (json!({"sunday": [{"begin": "22:00", "end": "06:00"}]}), vec!["00:00-06:00,22:00-24:00 sunday Local"]),
            (json!({"monday": [{"begin": "00:00", "end": "23:59:59"}]}), vec!["00:00-24:00 monday Local"]),
            (json!({"monday": [{"begin": "22:00", "end": "00:00"}]}), vec!["22:00-24:00 monday Local"]),
            (json!({"all": [{"begin": "01:00 PST", "end": "02:00 PST"}]}), vec!["01:00-02:00  Etc/GMT+8"]),
            (json!({"all": [{"begin": "01:00 UTC", "end": "02:00 UTC"}]}), vec!["01:00-02:00  UTC"]),
            (json!({"all": [{"begin": "01:00 +0900", "end": "02:00 +0900"}]}), vec!["01:00-02:00  Etc/GMT-9"]),
        ] {
            assert_eq!(seen(days.clone()), (want.into_iter().map(str::to_owned).collect(), vec![]), "{days}");
        }
    }

    #[test]
    fn what_is_no_time_of_day_is_told() {
        for window in [
            json!({"begin": "2026-11-18 05:00", "end": "06:00"}),
            json!({"begin": "25 o'clock", "end": "06:00"}),
            json!({"begin": "05:00 UTC", "end": "06:00 PST"}),
            json!({"begin": "05:00 +0530", "end": "06:00 +0530"}),
            json!({"begin": "05:00", "end": "05:00"}),
        ] {
            let (intervals, left_out) = seen(json!({"all": [window]}));
            assert!(intervals.is_empty() && left_out.len() == 1, "{window}: {intervals:?} {left_out:?}");
        }
    }
}
