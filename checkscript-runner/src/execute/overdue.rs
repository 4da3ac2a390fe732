//! A run that should be over and is not: said once a slot, and never started a second time beside itself.

use std::sync::Arc;

use check_result::Object;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Shared;
use super::family::{self, Family, Member};
use super::tokens;
use crate::definitions::{Check, Client};

/// UNKNOWN.
const OVERDUE: i32 = 3;

/// What is known of the run.
pub(super) struct Overdue {
    pub(super) since: Timestamp,
    pub(super) suspects: Suspects,
}

/// Where to look for what is still there.
pub(super) enum Suspects {
    /// Everything of the run.
    Family(Family),
    /// These.
    Left(Vec<Member>),
}

// === impl Overdue ===

impl Overdue {
    /// Publishes a result that says since when the check runs, and the process that it waits for.
    pub(super) async fn report(self, shared: Arc<Shared>, client: Arc<Client>, check: Arc<Check>, issued: i64) {
        let Self { since, suspects } = self;
        let now = Timestamp::now();
        let output = format!(
            "Check execution is overdue: running since {} ({} s), not started again before it ends\n",
            since.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%z"),
            now.as_second() - since.as_second(),
        );
        let found = tokio::task::spawn_blocking(|| suspects.find()).await.unwrap_or_default();
        let mut result: Object = tokens::substitute(&check.definition, &client.attributes).definition;
        result.insert("command".to_owned(), check.command.as_str().into());
        super::hook::conceal(&mut result, &check.definition);
        result.entry("issued").or_insert(issued.into());
        result.insert("executed".to_owned(), now.as_second().into());
        let Value::Object(ending) = json!({"output": output + &family::listed(&found), "status": OVERDUE}) else {
            return;
        };
        result.extend(ending);
        shared.publish(&client, result);
    }
}

// === impl Suspects ===

impl Suspects {
    /// Reads `/proc`: blocking.
    fn find(self) -> Vec<Member> {
        match self {
            Self::Family(family) => family.members(),
            Self::Left(members) => members.into_iter().filter_map(|member| member.now()).collect(),
        }
    }
}

#[cfg(test)]
pub(super) mod test {
    use std::sync::Mutex;
    use std::time::Instant;

    use check_result::CheckResult;

    use super::*;
    use crate::definitions::Extras;
    use crate::execute::Executor;
    use crate::execute::running::Place;
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

    #[tokio::test]
    async fn each_slot_of_an_overdue_run_has_a_result_that_names_what_is_left() {
        let results = Arc::new(Results::default());
        let sink: Arc<dyn Sink> = results.clone();
        let executor = Executor::new(1, sink);
        let (client, check) = (Arc::new(Client { name: "web-1".to_owned(), attributes: Object::new() }), check("nfs"));
        let Place::Free(guard) = executor.0.running.begin(&check, Instant::now()) else { panic!("nothing runs") };
        guard.started(&Family::new(1_000_000_000, "none".into(), 0, 0..=0), true);
        // This process stands for one that cannot be killed.
        let own = Member::read(nix::unistd::Pid::this().as_raw()).unwrap();
        guard.left(std::slice::from_ref(&own));
        let check = Arc::new(check);
        for issued in [1_700_000_000, 1_700_000_001] {
            executor.start(&client, Arc::clone(&check), issued);
        }
        executor.finish().await;
        let results = results.0.lock().unwrap();
        let mut issued: Vec<_> = results.iter().filter_map(CheckResult::issued).collect();
        issued.sort_unstable();
        assert_eq!(issued, [1_700_000_000, 1_700_000_001]);
        let (first, rest) = results[0].output().split_once('\n').unwrap();
        assert!(first.starts_with("Check execution is overdue: running since 2"), "{first}");
        assert!(rest.starts_with(&format!("process {}: ", std::process::id())), "{rest}");
        assert_eq!(results[0].exit_code(), 3);
        assert_eq!(results[0].text("command"), Some("stat :::mount:::"));
        assert_eq!(executor.in_progress(), ["nfs"]);
    }
}
