//! How long a check that is defined may be silent.

use check_result::CheckResult;

const HOUR: f64 = 3600.0;
/// With the hour that the end of daylight saving adds.
const DAY: f64 = 25.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;
/// From a 31st to the next.
const MONTHS: f64 = 62.0 * DAY;
const YEAR: f64 = 366.0 * DAY;

/// The longest time between two runs that the definition asks for, in seconds; none where somebody else starts them. That of a
/// `cron` is estimated from above, by the fields that restrict it: in which time zone it is read, its result does not say.
pub(super) fn longest(check: &CheckResult) -> Option<f64> {
    check.text("cron").map(of_cron).or_else(|| check.interval())
}

fn of_cron(expression: &str) -> f64 {
    let fields: Vec<_> = expression.split_whitespace().collect();
    match fields[..] {
        ["@hourly"] => HOUR,
        ["@daily" | "@midnight"] => DAY,
        ["@weekly"] => WEEK,
        ["@monthly"] => MONTHS,
        // sensu-client ignores a sixth one.
        [_, hour, day, "*", weekday, ..] => of_fields(hour, day, weekday),
        _ => YEAR,
    }
}

fn of_fields(hour: &str, day: &str, weekday: &str) -> f64 {
    match (hour, day, weekday) {
        ("*", "*", "*") => HOUR,
        (_, "*", "*") => DAY,
        (_, _, "*") => MONTHS,
        // Where both are restricted either is enough.
        _ => WEEK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cron_expressions_pause_is_that_of_the_fields_that_restrict_it() {
        for (expression, pause) in [
            ("*/5 * * * *", HOUR),
            ("@hourly", HOUR),
            ("0 9-17 * * *", DAY),
            ("@midnight", DAY),
            ("0 6 * * mon-fri", WEEK),
            ("0 6 13 * 5", WEEK),
            ("0 6 31 * *", MONTHS),
            ("0 6 31 * * ignored", MONTHS),
            ("0 6 1 jan *", YEAR),
            ("@annually", YEAR),
            ("whatever it is", YEAR),
        ] {
            assert_eq!(of_cron(expression), pause, "{expression}");
        }
    }
}
