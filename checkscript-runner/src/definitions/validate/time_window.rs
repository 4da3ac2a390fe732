//! The rules of time windows: `{days: {DAY: [{begin, end}, …]}}` (sensu-settings `validators/time_window.rb`).

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::scope::{OBJECT, Scope, pattern};

const DAYS: [&str; 8] = ["all", "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

static CLOCK_TIME: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d+):(\d+)(?::(\d+))?"));

/// `word` is what messages call the definition.
pub(super) fn rules(definition: &mut Scope<'_>, word: &str, attribute: &str) {
    if !definition.required(attribute, OBJECT) {
        return;
    }
    let words = format!("{word} {attribute}");
    let mut windows = definition.inside(attribute, &words);
    if !windows.required("days", OBJECT) {
        return;
    }
    let Some(days) = windows.get("days").as_object() else { return };
    if !windows.rule("days", !days.is_empty(), "days must include at least one day of the week or 'all'") {
        return;
    }
    let known = days.keys().all(|day| DAYS.contains(&day.as_str()));
    if windows.rule("days", known, "days must be valid days of the week or 'all'") {
        let mut scope = windows.inside("days", &words);
        for (day, windows) in days {
            day_windows(&mut scope, day, windows);
        }
    }
}

fn day_windows(days: &mut Scope<'_>, day: &str, windows: &Value) {
    let Some(windows) = windows.as_array() else {
        days.rule(day, false, &format!("days {day} must be in an array"));
        return;
    };
    days.rule(day, !windows.is_empty(), &format!("days {day} must include at least one time window"));
    for window in windows {
        if days.rule(day, window.is_object(), "day time window must be a hash") {
            let valid = ["begin", "end"].iter().all(|end| is_time(&window[*end]));
            days.rule(day, valid, "day time window begin and end times must be valid");
        }
    }
}

/// What Ruby's `Time.parse` takes, or nearly: it finds a time of day or a date in almost any text with a number in it
/// (`25 o'clock` is the 25th), and refuses hours, minutes and seconds that are out of range.
fn is_time(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let in_range = |part: Option<regex::Match<'_>>, most: u32| {
        part.is_none_or(|digits| digits.as_str().parse::<u32>().is_ok_and(|number| number <= most))
    };
    let clock_time = CLOCK_TIME
        .captures(text)
        .is_none_or(|part| in_range(part.get(1), 24) && in_range(part.get(2), 59) && in_range(part.get(3), 60));
    clock_time && text.contains(|c: char| c.is_ascii_digit())
}
