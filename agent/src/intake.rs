//! Log lines to check states.
//!
//! One look at the logs is one batch: runs are folded into copies of the states, the definition of each check is read only from
//! its last line, and [`Intake::publish`] puts the new states into the store at once. A scrape sees the state between two looks,
//! unless lines are so long that a batch has to end before.
//!
//! [`fold`] does so, [`batch`] holds what one look has changed, [`definition`] reads the last line, [`logs`] what is known of the times of each log ([`stretch`]: when
//! it was written to), [`clients`] of those who write them; [`gone`] says which checks are to be dropped, [`pause`] how long one that
//! is defined may be silent.
//!
//! The same result may stand in two logs: copies of a log, or a check that moves from sensu-client to
//! checkscript-runner. A result from another log than the one before it counts only if it was logged later, by a clock
//! that was not ahead.
//!
//! A check belongs to one client, the first that is seen with it; equally named checks of others are counted and passed over.

mod batch;
mod clients;
mod definition;
mod fold;
mod gone;
mod logs;
mod pause;
mod stretch;

use std::path::Path;
use std::sync::Arc;

use check_result::log::Skimmer;
use jiff::Timestamp;

use self::batch::Batch;
use self::clients::Clients;
use self::fold::Fold;
use self::logs::Logs;
pub(crate) use self::stretch::Stretch;
use crate::events::Events;
use crate::follow::Sink;
use crate::select::Select;
use crate::state_file::{SavedClient, SavedLog};
use crate::store::Store;

/// Folds lines into the states of a [`Store`].
#[derive(Debug)]
pub struct Intake {
    skimmer: Skimmer,
    fold: Fold,
}

impl Sink for Intake {
    fn line(&mut self, log: &Arc<Path>, line: &[u8]) {
        self.fold.take(log, self.skimmer.skim(line), line);
    }

    fn gap(&mut self, log: &Arc<Path>) {
        self.fold.logs.gap(log);
    }

    fn caught_up(&mut self, log: &Arc<Path>) {
        self.fold.logs.caught_up(log);
    }
}

// === impl Intake ===

impl Intake {
    /// Feeds `store`, going on from the times that were saved with its states.
    pub fn new(
        store: Arc<Store>,
        select: Select,
        events: Events,
        (logs, clients): (Vec<SavedLog>, Vec<SavedClient>),
    ) -> Self {
        let (logs, clients) = (Logs::from_saved(logs), Clients::from_saved(clients));
        let fold = Fold { store, select, events, logs, clients, batch: Batch::default(), changed: false };
        Self { skimmer: Skimmer::default(), fold }
    }

    /// When the last result of `log` was logged.
    pub(crate) fn last_of(&self, log: &Path) -> Option<Timestamp> {
        self.fold.logs.last_of(log)
    }

    /// Who writes `log`, by its last start-up line.
    pub(crate) fn client_of(&self, log: &Path) -> Option<&str> {
        self.fold.logs.client_of(log)
    }

    /// When `log` was written to.
    pub(crate) fn stretch_of(&self, log: &Path) -> Option<Stretch> {
        self.fold.logs.stretch_of(log)
    }

    /// The clients' times, to be saved.
    pub(crate) fn clients(&self) -> impl Iterator<Item = SavedClient> {
        self.fold.clients.saved(|name| self.fold.store.client(name))
    }

    /// Makes the batch visible; true if anything changed.
    pub fn publish(&mut self) -> bool {
        self.fold.publish()
    }

    /// Drops what is gone.
    pub fn sweep(&self, now: Timestamp) {
        self.fold.store.forget(|tracked| self.fold.gone(tracked, now));
    }
}

#[cfg(test)]
mod tests {
    use check_result::CheckState;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::store::Limits;
    use crate::store::tests::{LIMITS, at, line, names};

    pub(super) struct Node {
        pub(super) intake: Intake,
        pub(super) store: Arc<Store>,
        /// What the clock of the machine says: later than any line, unless a test has it otherwise.
        pub(super) now: Timestamp,
        registry: Registry,
    }

    impl Node {
        pub(super) fn new(limits: Limits, select: Select) -> Self {
            let mut registry = Registry::default();
            let events = Events::new(&mut registry);
            let store = Arc::new(Store::new(limits, events.clone()));
            let intake = Intake::new(Arc::clone(&store), select, events, Default::default());
            Self { intake, store, now: at(1 << 30), registry }
        }

        /// The agent's metric of this name and labels.
        fn metric(&self, name: &str) -> Option<f64> {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
            let value = |line: &str| line.strip_prefix("checkscript_agent_")?.strip_prefix(name)?.trim().parse().ok();
            text.lines().find_map(value)
        }

        /// Takes lines of `log` as one batch.
        pub(super) fn take(&mut self, log: &str, lines: &[String]) -> &mut Self {
            let log: Arc<Path> = Arc::from(Path::new(log));
            lines.iter().for_each(|line| self.intake.line(&log, line.as_bytes()));
            self.intake.publish();
            self.intake.sweep(self.now);
            self
        }

        fn state(&self, name: &str) -> Arc<CheckState> {
            self.store.snapshot().into_iter().find(|state| state.latest().name() == name).unwrap()
        }
    }

    pub(super) const WIDE: Limits = Limits { checks: 9, ..LIMITS };

    pub(super) fn started(second: i64) -> String {
        let stamp = at(second);
        format!(r#"{{"timestamp":"{stamp}","message":"applied sensu client overrides","client":{{"name":"web-1"}}}}"#)
    }

    pub(super) fn of(client: &str, line: &str) -> String {
        line.replace("web-1", client)
    }

    #[test]
    fn a_batch_counts_every_run_and_reads_the_last_one_whole() {
        let mut node = Node::new(WIDE, Select::default());
        let lines: Vec<_> = (0..5).map(|n| line("a", n, &format!(r#""n":{n},"#), i64::from(n > 1))).collect();
        node.take("log", &lines);
        let state = node.state("a");
        assert_eq!((state.occurrences(), &state.latest().check()["n"]), (3, &serde_json::json!(4)));
        node.take("log", &[line("a", 9, "", 1)]);
        assert_eq!((node.state("a").occurrences(), node.state("a").logged()), (4, at(9)));
    }

    #[test]
    fn of_too_many_clients_the_one_that_was_silent_longest_is_dropped() {
        let mut node = Node::new(WIDE, Select::default());
        let started = |name: &str, second| started(second).replace("web-1", name);
        node.take("log", &[started("web-1", 0), started("silent", 1)]);
        node.take("log", &[line("a", 2, "", 0)]);
        let others: Vec<_> = (0..98).map(|number| started(&format!("c{number}"), 3)).collect();
        node.take("log", &others);
        assert_eq!(node.intake.fold.events.losses(), (0, 0));
        node.take("log", &[started("new", 4), started("new", 5)]);
        assert_eq!(node.intake.fold.events.losses(), (1, 0));
        let known = ["web-1", "silent", "new", "c97"].map(|name| node.store.client(name).is_some());
        assert_eq!(known, [true, false, true, true]);
        assert_eq!(node.intake.clients().count(), 100);
    }

    #[test]
    fn a_definition_that_is_nested_too_deep_is_counted_and_the_run_taken() {
        let mut node = Node::new(WIDE, Select::default());
        let deep = format!(r#""interval":60,"deep":{}{},"#, "[".repeat(200), "]".repeat(200));
        node.take("log", &[line("a", 0, &deep, 1)]);
        node.take("log", &[line("a", 1, &deep, 1), line("a", 2, &deep, 1)]);
        let state = node.state("a");
        assert_eq!((state.occurrences(), state.latest().interval()), (3, None));
        // Of the runs of one batch only the last one's definition is read.
        assert_eq!(node.intake.fold.events.losses(), (0, 2));
        node.take("log", &[line("a", 3, r#""interval":60,"#, 1)]);
        assert_eq!((node.state("a").latest().interval(), node.intake.fold.events.losses()), (Some(60.0), (0, 2)));
    }

    #[test]
    fn a_definition_that_is_too_long_to_be_kept_is_counted_and_the_run_taken() {
        let mut node = Node::new(WIDE, Select::default());
        let of = |long: &str| {
            format!(r#""interval":60,"long":"{long}","hooks":{{"ok":{{"output":"{}"}}}},"#, "h\\n".repeat(40_000))
        };
        node.take("log", &[line("a", 0, &of(&"x".repeat(60_000)), 1)]);
        assert_eq!((node.state("a").latest().interval(), node.intake.fold.events.losses()), (Some(60.0), (0, 0)));
        node.take("log", &[line("a", 1, &of(&"x".repeat(70_000)), 1), line("b", 1, &of(&"x".repeat(70_000)), 2)]);
        for (name, occurrences) in [("a", 2), ("b", 1)] {
            let state = node.state(name);
            assert_eq!(
                (state.occurrences(), state.latest().interval(), state.latest().output()),
                (occurrences, None, "x")
            );
        }
        assert_eq!(node.intake.fold.events.losses(), (0, 2));
    }

    #[test]
    fn a_definition_of_very_many_values_is_never_read_and_the_run_taken() {
        let mut node = Node::new(WIDE, Select::default());
        let many = format!(r#""interval":60,"x":[{}0],"#, "[0],".repeat(6_000));
        node.take("log", &[line("a", 0, r#""interval":60,"#, 1), line("a", 1, &many, 1), line("b", 1, &many, 2)]);
        for (name, occurrences) in [("a", 2), ("b", 1)] {
            let state = node.state(name);
            assert_eq!((state.occurrences(), state.latest().check().get("x")), (occurrences, None));
        }
        assert_eq!(node.intake.fold.events.losses(), (0, 2));
        // One that only a parser can say what it is.
        let unclear = line("c", 2, &format!("{many}\"y\":NaN,"), 2);
        node.take("log", &[unclear]);
        assert_eq!(names(&node.store), ["a", "b"]);
        assert_eq!(node.metric(r#"log_lines_total{kind="invalid"}"#), Some(1.0));
    }

    #[test]
    fn two_records_in_one_line_are_two_results() {
        let mut node = Node::new(WIDE, Select::default());
        node.take("log", &[format!("torn{}{}", line("a", 1, "", 1), line("a", 2, "", 1))]);
        assert_eq!(node.state("a").occurrences(), 2);
    }

    #[test]
    fn results_over_the_limit_of_checks_are_dropped_and_known_checks_go_on() {
        let mut node = Node::new(LIMITS, Select::default());
        node.take("log", &["b", "a", "c", "a"].map(|name| line(name, 0, "", 1)));
        node.take("log", &["c", "a"].map(|name| line(name, 1, "", 1)));
        assert_eq!(names(&node.store), ["a", "b"]);
        assert_eq!(node.state("a").occurrences(), 3);
    }

    #[test]
    fn of_two_logs_only_later_results_count_and_within_a_log_order_does() {
        let mut node = Node::new(WIDE, Select::default());
        let results = |times: [i64; 3]| times.map(|second| line("a", second, "", 1));
        node.take("log", &results([10, 20, 30]));
        node.take("copy", &results([10, 20, 30]));
        assert_eq!(node.state("a").occurrences(), 3);
        node.take("copy", &results([40, 41, 42]));
        assert_eq!(node.state("a").occurrences(), 6);
        // The clock was set back.
        node.take("copy", &results([5, 6, 7]));
        assert_eq!((node.state("a").occurrences(), node.state("a").logged()), (9, at(7)));
    }

    #[test]
    fn after_a_gap_what_was_read_before_is_passed_over() {
        let mut node = Node::new(WIDE, Select::default());
        node.take("log", &[line("a", 10, "", 1), line("a", 20, "", 1)]);
        node.intake.gap(&Arc::from(Path::new("log")));
        node.take("log", &[line("a", 10, "", 1), line("a", 20, "", 1), line("a", 30, "", 1), line("a", 30, "", 1)]);
        assert_eq!(node.state("a").occurrences(), 4);
    }

    #[test]
    fn a_check_of_another_client_does_not_touch_the_first_ones() {
        let mut node = Node::new(WIDE, Select::default());
        node.take("a.log", &[line("disk", 1, "", 2)]);
        let other =
            [of("web-2", &started(2)), of("web-2", &line("disk", 3, "", 0)), of("web-2", &line("own", 3, "", 0))];
        node.take("b.log", &other).take("a.log", &[line("disk", 4, "", 2)]);
        let disk = node.state("disk");
        assert_eq!((disk.latest().client(), disk.latest().exit_code(), disk.occurrences()), ("web-1", 2, 2));
        assert_eq!(node.state("own").latest().client(), "web-2");
        assert_eq!(node.metric(r#"log_lines_total{kind="foreign_client"}"#), Some(1.0));
    }

    #[test]
    fn a_client_that_was_renamed_goes_on_with_its_checks() {
        let mut node = Node::new(WIDE, Select::default());
        node.take("log", &[started(0), line("disk", 1, "", 2)]);
        node.take("log", &[of("web-2", &started(2))]);
        assert_eq!(node.intake.client_of(Path::new("log")), Some("web-2"), "to be saved");
        // The clock was set back.
        node.take("log", &[of("web-2", &line("disk", 0, "", 2)), of("web-2", &line("disk", 3, "", 2))]);
        node.take("log", &[line("disk", 4, "", 0)]);
        let disk = node.state("disk");
        assert_eq!((disk.latest().client(), disk.latest().exit_code(), disk.occurrences()), ("web-2", 2, 3));
    }

    #[test]
    fn a_check_whose_client_is_silent_for_long_passes_to_the_next() {
        let mut node = Node::new(Limits { forget_after: 100, ..WIDE }, Select::default());
        node.take("a.log", &[line("disk", 0, "", 2)]);
        node.take("b.log", &[100, 101, 102].map(|second| of("web-2", &line("disk", second, "", 2))));
        let disk = node.state("disk");
        assert_eq!((disk.latest().client(), disk.occurrences()), ("web-2", 3));
    }

    #[test]
    fn after_a_gap_what_is_appended_to_a_log_that_was_read_counts_whatever_the_clock_did() {
        let mut node = Node::new(WIDE, Select::default());
        let log: Arc<Path> = Arc::from(Path::new("log"));
        node.take("log", &[line("a", 20, "", 1)]);
        node.intake.gap(&log);
        node.take("log", &[line("a", 10, "", 1), line("a", 20, "", 1)]);
        assert_eq!(node.state("a").occurrences(), 1);
        node.intake.caught_up(&log);
        node.take("log", &[line("a", 11, "", 1), line("a", 12, "", 1)]);
        assert_eq!(node.state("a").occurrences(), 3);
    }

    #[test]
    fn a_clock_that_was_ahead_hides_no_result_that_came_after_it() {
        let now = Timestamp::now().duration_since(at(0)).as_secs();
        let ahead = now + 9 * 3600;
        for log in ["log", "other"] {
            let mut node = Node::new(WIDE, Select::default());
            node.take("log", &[line("a", ahead, "", 0)]);
            node.intake.gap(&Arc::from(Path::new("log")));
            node.take(log, &[line("a", now, "", 2)]);
            assert_eq!(node.state("a").latest().exit_code(), 2, "{log}");
            // A copy of the log is one all the same.
            node.take("log", &[line("b", ahead, "", 1)]).take("copy", &[line("b", ahead, "", 1)]);
            assert_eq!(node.state("b").occurrences(), 1, "{log}");
        }
    }

    #[test]
    fn a_definition_that_is_gone_after_a_restart_takes_its_check_along() {
        let minute = r#""standalone":true,"interval":60,"#;
        let mut node = Node::new(WIDE, Select::default());
        let others = [
            ("cron", r#""standalone":true,"cron":"@daily","#),
            ("pushed", ""),
            ("slow", r#""standalone":true,"interval":300,"#),
        ];
        let mut lines: Vec<_> = others.map(|(name, more)| line(name, 0, more, 1)).into();
        lines.extend(["gone", "hangs", "stays"].map(|name| line(name, 0, minute, 1)));
        let hangs = format!(
            r#"{{"timestamp":"{}","message":"previous check command execution in progress","check":{{"name":"hangs"}}}}"#,
            at(170)
        );
        lines.extend([started(60), hangs, line("stays", 239, minute, 1)]);
        node.take("log", &lines);
        assert_eq!(names(&node.store).len(), 6, "2 intervals and a minute are not over");
        node.take("log", &[line("stays", 241, minute, 1)]);
        assert_eq!(names(&node.store), ["cron", "hangs", "pushed", "slow", "stays"]);
        node.take("log", &[line("stays", 721, minute, 1)]);
        assert_eq!(names(&node.store), ["cron", "hangs", "pushed", "stays"]);
    }

    #[test]
    fn statuses_are_mapped_and_checks_selected() {
        let select = Select::for_tests(Some("a|b"), Some("b"), &["a=1:2"]);
        let mut node = Node::new(WIDE, select);
        node.take("log", &[line("a", 1, "", 1), line("b", 1, "", 1), line("c", 1, "", 1), line("a", 2, "", 2)]);
        assert_eq!(names(&node.store), ["a"]);
        let state = node.state("a");
        assert_eq!((state.occurrences(), state.latest().exit_code()), (2, 2));
        node.take("log", &[line("a", 3, r#""exit_map":{"2":1},"exit_status":2,"#, 1)]);
        assert_eq!(node.state("a").latest().exit_code(), 1, "the runner has mapped it");
        node.take("log", &[line("a", 3, r#""exit_status":9,"#, 1)]);
        assert_eq!(node.state("a").latest().exit_code(), 2, "the attribute is the script's own");
        node.take("log", &[line("a", 3, r#""exit_map":{"1":0},"#, 1), line("ab", 3, "", 0)]);
        assert_eq!(
            (node.state("a").latest().exit_code(), &node.state("a").latest().check()["exit_status"]),
            (2, &serde_json::json!(1))
        );
    }
}
