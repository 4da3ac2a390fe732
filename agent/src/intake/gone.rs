//! Which checks are gone: their definitions were removed, nothing will be heard of them any more.
//!
//! All of it is measured by the logs' own clock: while a writer is down, or a log is silent, nothing is gone.

use check_result::{CheckResult, Status};
use jiff::Timestamp;

use super::fold::Fold;
use super::pause;
use crate::store::{Gone, Limits, Tracked};

impl Fold {
    /// Why the check is gone, if it is.
    pub(super) fn gone(&self, tracked: &Tracked, now: Timestamp) -> Option<Gone> {
        if self.clients.have_dropped(tracked, now) {
            return Some(Gone::Undefined);
        }
        let patience = patience(tracked, &self.store.limits())?;
        let silent = self.logs.stretches(tracked).any(|stretch| stretch.since(tracked.alive, now) > patience);
        silent.then_some(Gone::Silent)
    }
}

/// Seconds after which a check that is silent is taken for removed, if it is OK.
pub(super) fn silence(limits: &Limits, latest: &CheckResult) -> i64 {
    limits.forget_after.max(three_pauses(latest))
}

/// Seconds after which this one is; none: never. With its series its alerts end, which tells people that the problem is over.
/// So one that is not OK, or whose silence is told (`ttl`: CheckStale), is waited for as long as the operator says.
fn patience(tracked: &Tracked, limits: &Limits) -> Option<i64> {
    let latest = tracked.state.latest();
    let any = limits.forget_any_after.map(|any| any.max(three_pauses(latest)));
    let ends_nothing = tracked.state.status() == Status::Ok && latest.ttl().is_none();
    let ok = ends_nothing.then(|| silence(limits, latest));
    ok.into_iter().chain(any).min()
}

fn three_pauses(latest: &CheckResult) -> i64 {
    pause::longest(latest).map_or(0, |pause| (pause * 3.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Node, WIDE, of, started};
    use super::*;
    use crate::select::Select;
    use crate::store::tests::{at, line, names};

    const HOUR: i64 = 3600;
    const LIMITS: Limits = Limits { forget_after: 2 * HOUR, ..WIDE };

    fn node(limits: Limits) -> Node {
        Node::new(limits, Select::default())
    }

    /// A result of another check every half an hour.
    fn goes_on(log: &str, node: &mut Node, from: i64, to: i64) {
        let lines: Vec<_> = (from..to).step_by(1800).chain([to]).map(|second| line("other", second, "", 0)).collect();
        node.take(log, &lines);
    }

    #[test]
    fn a_check_that_is_silent_while_its_log_is_not_is_forgotten_unless_that_would_end_an_alert() {
        let mut node = node(LIMITS);
        let hourly = r#""interval":3600,"#;
        let checks = [("plain", ""), ("cron", r#""cron":"0 * * * *","#), ("ttl", r#""ttl":60,"#), ("hourly", hourly)];
        node.take("log", &checks.map(|(name, more)| line(name, 0, more, 0)));
        node.take("log", &[line("failing", 0, "", 1)]);
        goes_on("log", &mut node, 0, 2 * HOUR);
        assert_eq!(names(&node.store), ["cron", "failing", "hourly", "other", "plain", "ttl"]);
        goes_on("log", &mut node, 2 * HOUR, 2 * HOUR + 1);
        assert_eq!(names(&node.store), ["cron", "failing", "hourly", "other", "ttl"]);
        goes_on("log", &mut node, 2 * HOUR, 3 * HOUR);
        assert_eq!(names(&node.store).len(), 5, "three of its intervals");
        goes_on("log", &mut node, 3 * HOUR, 3 * HOUR + 1);
        assert_eq!(names(&node.store), ["failing", "other", "ttl"]);
    }

    #[test]
    fn any_check_is_forgotten_where_the_operator_says_so() {
        let mut node = node(Limits { forget_any_after: Some(4 * HOUR), ..LIMITS });
        let slow = r#""interval":7200,"#;
        let checks = [("failing", ""), ("ttl", r#""ttl":60,"#), ("slow", slow)];
        node.take("log", &checks.map(|(name, more)| line(name, 0, more, 2)));
        goes_on("log", &mut node, 0, 4 * HOUR);
        assert_eq!(names(&node.store), ["failing", "other", "slow", "ttl"]);
        goes_on("log", &mut node, 4 * HOUR, 4 * HOUR + 1);
        assert_eq!(names(&node.store), ["other", "slow"]);
    }

    #[test]
    fn while_nobody_could_have_logged_nothing_is_forgotten() {
        let mut node = node(LIMITS);
        node.take("log", &[line("a", 0, "", 0), line("b", 0, "", 0), line("hangs", 0, "", 0)]);
        node.intake.sweep(at(90 * HOUR));
        assert_eq!(names(&node.store), ["a", "b", "hangs"]);
        // The node is back, and its first check has run.
        node.take("log", &[line("a", 90 * HOUR, "", 0)]);
        goes_on("log", &mut node, 90 * HOUR, 92 * HOUR);
        assert_eq!(names(&node.store), ["a", "b", "hangs", "other"]);
        let hangs = r#","message":"previous check command execution in progress","check":{"name":"hangs"}}"#;
        node.take("log", &[format!(r#"{{"timestamp":"{}"{hangs}"#, at(91 * HOUR))]);
        goes_on("log", &mut node, 92 * HOUR, 92 * HOUR + 1);
        assert_eq!(names(&node.store), ["hangs", "other"]);
    }

    #[test]
    fn a_clock_that_was_ahead_removes_nothing() {
        let mut node = node(LIMITS);
        let minutely = r#""standalone":true,"interval":60,"#;
        node.take("log", &[line("a", 0, "", 0), line("b", 0, minutely, 0), started(1)]);
        node.now = at(2);
        node.take("log", &[line("other", 900, "", 0), line("other", 9_000, "", 0), line("other", 2, "", 0)]);
        assert_eq!(names(&node.store), ["a", "b", "other"]);
        goes_on("log", &mut node, 3, 3 * HOUR);
        assert_eq!(names(&node.store), ["a", "b", "other"]);
        node.now = at(3 * HOUR);
        goes_on("log", &mut node, 3 * HOUR, 3 * HOUR);
        assert_eq!(names(&node.store), ["other"]);
    }

    #[test]
    fn a_clock_that_is_set_back_removes_nothing_that_goes_on() {
        let mut node = node(LIMITS);
        let minutely = r#""standalone":true,"interval":60,"#;
        node.take("log", &[started(10_000), line("a", 10_001, minutely, 2), line("a", 10_600, minutely, 2)]);
        node.take("log", &[line("a", 6_000, minutely, 2)]);
        assert_eq!(names(&node.store), ["a"]);
        node.take("log", &[started(6_010), line("b", 6_011, minutely, 0), line("b", 6_300, minutely, 0)]);
        assert_eq!(names(&node.store), ["b"], "it has not run since the restart");
    }

    #[test]
    fn what_the_clients_next_log_does_not_have_is_forgotten() {
        let mut node = node(LIMITS);
        node.take("old", &[started(0), line("a", 1, "", 0), of("web-2", &line("b", 1, "", 0))]);
        node.take("new", &[started(2)]);
        goes_on("new", &mut node, 2, 2 * HOUR + 2);
        assert_eq!(names(&node.store), ["a", "b", "other"]);
        goes_on("new", &mut node, 2 * HOUR + 2, 2 * HOUR + 3);
        assert_eq!(names(&node.store), ["b", "other"]);
    }

    #[test]
    fn a_cron_check_has_two_of_its_times_to_show_after_a_restart() {
        let mut node = node(WIDE);
        let cron = |expression: &str| format!(r#""standalone":true,"cron":"{expression}","#);
        let lines = [
            line("hourly", 0, &cron("7 * * * *"), 2),
            line("daily", 0, &cron("@daily"), 2),
            line("pushed", 0, r#""cron":"7 * * * *","#, 2),
        ];
        node.take("log", &lines).take("log", &[started(1)]);
        goes_on("log", &mut node, 2, 2 * HOUR + 61);
        assert_eq!(names(&node.store), ["daily", "hourly", "other", "pushed"]);
        goes_on("log", &mut node, 2 * HOUR + 61, 2 * HOUR + 62);
        assert_eq!(names(&node.store), ["daily", "other", "pushed"]);
        goes_on("log", &mut node, 2 * HOUR + 62, 51 * HOUR);
        assert_eq!(names(&node.store), ["other", "pushed"]);
    }
}
