//! Checks whose results `--push.ttl` would have expire before they run again.

use std::time::Duration;

use checkscript_runner::schedule::Timetable;

/// The names of the checks that run at intervals of `ttl` or more. When those by cron run is not looked at.
pub fn slower<'a>(checks: impl Iterator<Item = (&'a str, &'a Timetable)>, ttl: Duration) -> Vec<&'a str> {
    let expires = |timetable: &Timetable| match timetable {
        Timetable::Interval { interval, .. } => !ttl.is_zero() && Duration::from_millis(*interval) >= ttl,
        Timetable::Cron(_) => false,
    };
    checks.filter(|(_, timetable)| expires(timetable)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_runs_less_often_than_its_results_stay_is_found() {
        let each = |seconds: u64| Timetable::Interval { interval: seconds * 1000, phase: 0 };
        let checks = [
            ("minute", each(60)),
            ("ten", each(600)),
            ("hour", each(3600)),
            ("cron", Timetable::Cron("0 0 1 1 *".parse().unwrap())),
        ];
        let slower =
            |seconds| slower(checks.iter().map(|(name, timetable)| (*name, timetable)), Duration::from_secs(seconds));
        assert_eq!(slower(600), ["ten", "hour"]);
        assert!(slower(3601).is_empty() && slower(0).is_empty(), "0 is the gateway's own");
    }
}
