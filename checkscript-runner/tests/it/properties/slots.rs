//! When checks run, by an independent reading: the fields are held against every minute that the clock shows.

use std::collections::BTreeSet;

use check_result::Object;
use checkscript_runner::definitions::{Check, Definitions};
use checkscript_runner::schedule::Timetable;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};

/// Half of October, in all of which a zone that has daylight saving will change its clocks twice.
const START: i64 = 1_792_000_000;
/// What is looked at begins so long before a change of clocks, the hours that come twice included.
const BEFORE: SignedDuration = SignedDuration::from_mins(150);
const WALKED: SignedDuration = SignedDuration::from_hours(48);
/// Slots of one walk: five hours of a check that runs every minute.
const SLOTS: usize = 300;
/// Different expressions of one input.
const EXPRESSIONS: usize = 3;

/// The scheduler's slots are those that the definitions say.
pub(super) fn are_as_defined(definitions: &Definitions, settings: &Object) {
    let mut walked = BTreeSet::new();
    for check in &definitions.checks {
        if let Timetable::Interval { .. } = check.timetable {
            comes_round(check, &definitions.client.name, settings);
            continue;
        }
        let expression = check.definition["cron"].as_str().expect("it has slots by its cron");
        let zone = check.extras.timezone.clone().unwrap_or_else(TimeZone::system);
        if walked.len() < EXPRESSIONS && walked.insert((expression, zone.iana_name().map(str::to_owned))) {
            follows_the_clock(check, &Fields::of(expression), &zone);
        }
    }
}

/// Sensu's splay: the slots have the phase `H mod interval`, where H is the first eight bytes of `MD5("CLIENT:CHECK")`.
fn comes_round(check: &Check, client: &str, settings: &Object) {
    // Of a century it is enough that it is read.
    let Some(seconds) = check.definition["interval"].as_u64().filter(|seconds| *seconds < 1 << 32) else { return };
    // What is splayed is the key, which a check with a name of its own does not know any more.
    let keyed = settings["checks"].as_object().expect("there are checks");
    let is_key = keyed.iter().all(|(key, check)| check.get("name").is_none_or(|name| name == key.as_str()));
    let (interval, now) = (i128::from(seconds) * 1000, i128::from(START) * 1000 + 1);
    let slot = check.timetable.at_or_after(START * 1000 + 1).map(i128::from).expect("it is within a century");
    let digest = Md5::digest(format!("{client}:{}", check.name));
    let hash = digest.iter().take(8).rev().fold(0, |hash: i128, byte| hash << 8 | i128::from(*byte));
    let wait = (hash - now).rem_euclid(interval);
    assert!((0..interval).contains(&(slot - now)), "{check:?}");
    assert!(!is_key || slot - now == wait, "{check:?}");
    let next = i64::try_from(slot + 1).ok().and_then(|from| check.timetable.at_or_after(from));
    assert_eq!(next.map(i128::from), Some(slot + interval), "{check:?}");
}

/// Two days from the next changes of clocks on, or from anywhere where there are none: none of the minutes is left out, and no other
/// one is a slot.
fn follows_the_clock(check: &Check, fields: &Fields, zone: &TimeZone) {
    let start = Timestamp::from_second(START).expect("it is a time");
    let changes = zone.following(start).take(2).map(|change| change.timestamp());
    let changes: Vec<_> =
        changes.take_while(|change| change.duration_since(start) < SignedDuration::from_hours(9000)).collect();
    for change in if changes.is_empty() { vec![start] } else { changes } {
        let (from, to) = (change - BEFORE, change - BEFORE + WALKED);
        let wanted = fields.slots(zone, from, to);
        let mut after = from.as_millisecond();
        for &slot in wanted.iter().take(SLOTS) {
            for from in [after, after + (slot - after) / 2, slot] {
                assert_eq!(
                    check.timetable.at_or_after(from),
                    Some(slot),
                    "{} from {from} in {zone:?}",
                    check.definition["cron"]
                );
            }
            after = slot + 1;
        }
        let next = check.timetable.at_or_after(after);
        assert!(
            wanted.len() > SLOTS || next.is_none_or(|next| next >= to.as_millisecond()),
            "{} in {zone:?}: {next:?}",
            check.definition["cron"]
        );
    }
}

/// The values that each field of an expression allows.
struct Fields {
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    days: BTreeSet<u32>,
    months: BTreeSet<u32>,
    /// Sunday is 0.
    weekdays: BTreeSet<u32>,
    /// Whether one of the two fields of days is `*`, and so the other alone says when.
    either: bool,
    /// Whether minute and hour are times, not patterns.
    is_timed: bool,
}

// === impl Fields ===

impl Fields {
    fn of(expression: &str) -> Self {
        let expression = expression.trim().to_ascii_lowercase();
        let named = match &*expression {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let texts: Vec<_> = named.split_whitespace().collect();
        let [minute, hour, day, month, weekday, ..] = texts[..] else { panic!("{expression} is taken") };
        Self {
            minutes: values(minute, 0, 59),
            hours: values(hour, 0, 23),
            days: values(day, 1, 31),
            months: values(month, 1, 12),
            weekdays: values(weekday, 0, 7).into_iter().map(|day| day % 7).collect(),
            either: day != "*" && weekday != "*",
            is_timed: !minute.contains('*') && !hour.contains('*'),
        }
    }

    fn holds(&self, at: DateTime) -> bool {
        let has = |values: &BTreeSet<u32>, value: i8| u32::try_from(value).is_ok_and(|value| values.contains(&value));
        let (day, weekday) = (has(&self.days, at.day()), has(&self.weekdays, at.weekday().to_sunday_zero_offset()));
        has(&self.minutes, at.minute())
            && has(&self.hours, at.hour())
            && has(&self.months, at.month())
            && if self.either { day || weekday } else { day && weekday }
    }

    /// The slots of a stretch of time: each minute at which the clock shows what the fields hold. Times that it never shows are those of
    /// the minute to which it jumps, and those that it shows twice are past the second time; neither is so for a pattern.
    fn slots(&self, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<i64> {
        let mut slots = Vec::new();
        let mut before = zone.to_offset(from - SignedDuration::from_mins(1));
        for second in (from.as_second()..to.as_second()).filter(|second| second % 60 == 0) {
            let at = Timestamp::from_second(second).expect("it is a time");
            let offset = zone.to_offset(at);
            let is_shown = self.holds(offset.to_datetime(at)) && (!self.is_timed || is_first(zone, at));
            let mut skipped = 1..=(offset.seconds() - before.seconds()) / 60;
            if is_shown || self.is_timed && skipped.any(|ago| self.holds(wall(at, offset, ago))) {
                slots.push(at.as_millisecond());
            }
            before = offset;
        }
        slots
    }
}

/// What a clock of this offset shows so many minutes before.
fn wall(at: Timestamp, offset: Offset, minutes: i32) -> DateTime {
    offset.to_datetime(at - SignedDuration::from_mins(minutes.into()))
}

/// Whether the clock does not show for the second time what it shows.
fn is_first(zone: &TimeZone, at: Timestamp) -> bool {
    zone.to_ambiguous_timestamp(zone.to_datetime(at)).earlier().is_ok_and(|first| first == at)
}

/// The values of a field: `*`, `a`, `a-b`, each with `/n`, and lists of them.
fn values(field: &str, least: u32, most: u32) -> BTreeSet<u32> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let number = |text: &str| -> usize {
        let month = MONTHS.iter().position(|name| *name == text).map(|index| index + 1);
        let named = month.or_else(|| DAYS.iter().position(|name| *name == text));
        named.unwrap_or_else(|| text.parse().unwrap_or_else(|error| panic!("{error}: {text} is taken")))
    };
    let range = |text: &str| match text.split_once('-') {
        _ if text == "*" => (least as usize, most as usize),
        // A week that ends with Sunday does not begin with it.
        Some((first, "sun")) => (number(first), 7),
        Some((first, last)) => (number(first), number(last)),
        None => (number(text), number(text)),
    };
    let part = |part: &str| {
        let (text, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = range(text);
        (first..=last).step_by(number(step)).filter_map(|value| u32::try_from(value).ok()).collect::<Vec<_>>()
    };
    field.split(',').flat_map(part).collect()
}
