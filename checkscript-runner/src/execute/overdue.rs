//! A run that should be over and is not: said once a slot, and never started a second time beside itself.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use super::family::{self, Family, Hang, Member};
use super::slots::{Slots, Usage};
use super::{Shared, published};
use crate::definitions::{Check, Client};

/// UNKNOWN.
const OVERDUE: i32 = 3;

/// A run that may be overdue.
pub(super) struct Doubt {
    pub(super) since: Timestamp,
    pub(super) suspects: Suspects,
    /// What hung at the slot before. Held by one at a time, and shared with the run as long as that is under way.
    pub(super) seen: OwnedMutexGuard<Vec<Hang>>,
}

/// What it is overdue for, and where to look for what is still there.
pub(super) enum Suspects {
    /// Its time is over: everything of the run.
    Family(Family),
    /// KILL has not ended these.
    Left(Vec<Member>),
    /// It is overdue only if one of these hangs as it did at the slot before.
    Hangs(Family),
    /// It waits to be started: whatever runs.
    Slots,
}

// === impl Doubt ===

impl Doubt {
    /// If the run is overdue, publishes a result that says since when, and the processes that it waits for.
    pub(super) async fn settle(mut self, shared: Arc<Shared>, client: Arc<Client>, check: Arc<Check>, issued: i64) {
        let Some(output) = self.output(&shared.slots).await else { return };
        if self.is_over() {
            return;
        }
        let mut result = published::definition(&check, &client, issued).definition;
        result.insert("output".to_owned(), output.into());
        result.insert("status".to_owned(), OVERDUE.into());
        shared.publish(&client, result);
    }

    async fn output(&mut self, slots: &Slots) -> Option<String> {
        let since = self.since();
        let (what, processes) = match std::mem::replace(&mut self.suspects, Suspects::Slots) {
            Suspects::Slots => {
                let Usage { held, limit } = slots.usage();
                let slots = format!("processes running: {held}, sensu.spawn.limit: {limit}");
                return Some(format!("Check execution is overdue: waiting {since} for a free slot ({slots})\n"));
            }
            Suspects::Family(family) => ("is overdue", listed(move || family.members()).await),
            Suspects::Left(left) => {
                let left = move || left.into_iter().filter_map(|member| member.now()).collect();
                ("is overdue", listed(left).await)
            }
            Suspects::Hangs(family) => {
                let hangs = spawn_blocking(move || family.hangs()).await.unwrap_or_default();
                let before = std::mem::replace(&mut *self.seen, hangs.clone());
                let still: Vec<Hang> = hangs.into_iter().filter(|hang| before.contains(hang)).collect();
                if still.is_empty() {
                    return None;
                }
                ("hangs", listed(|| still.into_iter().map(Hang::into_process).collect()).await)
            }
        };
        Some(format!("Check execution {what}: running {since}, not started again before it ends\n{processes}"))
    }

    /// Whether the run has ended meanwhile: its own result is the later one then.
    fn is_over(&self) -> bool {
        Arc::strong_count(OwnedMutexGuard::mutex(&self.seen)) == 1
    }

    fn since(&self) -> String {
        let seconds = Timestamp::now().as_second() - self.since.as_second();
        let since = self.since.to_zoned(TimeZone::system());
        format!("since {} ({seconds} s)", since.strftime("%Y-%m-%dT%H:%M:%S%z"))
    }
}

/// What is found, named.
async fn listed(find: impl FnOnce() -> Vec<Member> + Send + 'static) -> String {
    // It reads `/proc` and asks for users' names, which may be a network's.
    spawn_blocking(|| family::listed(&find())).await.unwrap_or_default()
}

#[cfg(test)]
pub(super) mod test {
    use std::sync::Mutex;
    use std::time::Instant;

    use check_result::{CheckResult, Object};
    use serde_json::{Value, json};

    use super::*;
    use crate::definitions::Extras;
    use crate::execute::Executor;
    use crate::execute::running::{Guard, Place};
    use crate::notice::{Notice, Sink};
    use crate::schedule::Timetable;

    pub(in crate::execute) fn check(name: &str) -> Check {
        let Value::Object(definition) = json!({"name": name, "command": "stat :::mount:::"}) else {
            panic!("an object")
        };
        Check {
            name: name.to_owned(),
            key: name.to_owned(),
            definition,
            command: "stat :::mount:::".to_owned(),
            stdin: false,
            timeout: None,
            timetable: Timetable::Interval { interval: 1000, phase: 0 },
            subdue: None,
            extras: Extras::default(),
        }
    }

    #[derive(Default)]
    struct Results(Mutex<Vec<CheckResult>>);

    impl Sink for Results {
        fn publish(&self, result: &CheckResult) {
            self.0.lock().unwrap().push(result.clone());
        }

        fn notice(&self, notice: &Notice) {
            assert_eq!(notice.message, "previous check command execution in progress");
        }
    }

    /// An executor with a run of the check that KILL has not ended; this process stands for what is left of it.
    fn overdue(results: &Arc<Results>, check: &Check) -> (Executor, Guard) {
        let sink: Arc<dyn Sink> = results.clone();
        let executor = Executor::new(1, sink);
        let Place::Free(guard) = executor.0.running.begin(check, Instant::now()) else { panic!("nothing runs") };
        guard.started(&Family::new(1_000_000_000, "none".into(), 0, 0..=0), true);
        guard.left(&[Member::read(nix::unistd::Pid::this().as_raw()).unwrap()]);
        (executor, guard)
    }

    fn client() -> Arc<Client> {
        Arc::new(Client { name: "web-1".to_owned(), attributes: Object::new() })
    }

    #[test]
    fn one_report_at_a_time_which_a_kill_cancels() {
        let (results, check) = (Arc::new(Results::default()), Arc::new(check("nfs")));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // What a report asks the system for hangs: the only thread for it is taken.
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        let (release, hang) = std::sync::mpsc::channel::<()>();
        runtime.spawn_blocking(move || hang.recv());
        let (executor, _guard) = overdue(&results, &check);
        runtime.block_on(async {
            (0..20).for_each(|issued| executor.start(&client(), Arc::clone(&check), issued));
            assert_eq!(executor.0.tasks.len(), 1);
            executor.kill();
            executor.finish().await;
        });
        drop(release);
        assert_eq!(results.0.lock().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_run_that_ends_while_it_is_looked_at_is_not_overdue() {
        let (results, check) = (Arc::new(Results::default()), Arc::new(check("nfs")));
        let (executor, guard) = overdue(&results, &check);
        executor.start(&client(), Arc::clone(&check), 0);
        drop(guard);
        executor.finish().await;
        assert_eq!(results.0.lock().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn each_slot_of_an_overdue_run_has_a_result_that_names_what_is_left() {
        let results = Arc::new(Results::default());
        let check = check("nfs");
        let (executor, _guard) = overdue(&results, &check);
        let check = Arc::new(check);
        for issued in [1_700_000_000, 1_700_000_001] {
            executor.start(&client(), Arc::clone(&check), issued);
            // One at a time.
            executor.finish().await;
        }
        let results = results.0.lock().unwrap();
        let issued: Vec<_> = results.iter().filter_map(CheckResult::issued).collect();
        assert_eq!(issued, [1_700_000_000, 1_700_000_001]);
        let (first, rest) = results[0].output().split_once('\n').unwrap();
        assert!(first.starts_with("Check execution is overdue: running since 2"), "{first}");
        assert!(rest.starts_with(&format!("process {}: ", std::process::id())), "{rest}");
        assert_eq!(results[0].exit_code(), 3);
        assert_eq!(results[0].text("command"), Some("stat :::mount:::"));
        assert_eq!(executor.in_progress(), ["nfs"]);
    }
}
