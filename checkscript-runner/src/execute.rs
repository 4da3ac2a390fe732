//! Execution: runs checks, each in a process of its own, and turns what they did into results.
//!
//! [`Executor::start`] never waits and never queues a check twice: at most one run of a check is under way, so the
//! number of tasks is bounded by the number of checks. Runs beyond the limit of processes wait in the order of their
//! start; their `duration` and timeout begin when the process does.

mod capture;
mod group;
mod process;
mod running;
pub(crate) mod tokens;

use std::sync::{Arc, Mutex, PoisonError};

use check_result::log::Level;
use check_result::{CheckResult, Object};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::process::Job;
use self::running::{Guard, Running};
use self::tokens::Substituted;
use crate::definitions::{Check, Client};
use crate::events;
use crate::notice::Sink;

/// sensu-client's status of a check whose tokens have no value: UNKNOWN.
const UNMATCHED_TOKENS: i32 = 3;

/// Runs checks. Clones share everything.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

struct Shared {
    sink: Arc<dyn Sink>,
    running: Running,
    /// First come, first served: tokio's semaphore is fair.
    slots: Mutex<Arc<Semaphore>>,
    tasks: TaskTracker,
    kill: CancellationToken,
}

/// One run of one check.
struct Run {
    client: Arc<Client>,
    check: Arc<Check>,
    /// When it was asked for, in epoch seconds.
    issued: i64,
    guard: Guard,
}

// === impl Executor ===

impl Executor {
    /// Runs at most `limit` processes at once and hands results to `sink`.
    pub fn new(limit: usize, sink: Arc<dyn Sink>) -> Self {
        Self(Arc::new(Shared {
            sink,
            running: Running::default(),
            slots: Mutex::new(slots(limit)),
            tasks: TaskTracker::new(),
            kill: CancellationToken::new(),
        }))
    }

    /// Changes the limit for runs that start from now on; those under way do not count towards the new one.
    pub fn set_limit(&self, limit: usize) {
        *self.0.slots.lock().unwrap_or_else(PoisonError::into_inner) = slots(limit);
    }

    /// Starts a run of the check, unless its previous one is not done: then a notice says so. Must be called within a
    /// tokio runtime.
    pub fn start(&self, client: &Arc<Client>, check: Arc<Check>, issued: i64) {
        let sink = &self.0.sink;
        if sink.wants(Level::Debug) {
            sink.notice(&events::processing(&check, issued));
            sink.notice(&events::executing(&check, issued));
        }
        let Some(guard) = self.0.running.begin(&check.key) else {
            return self.0.sink.notice(&events::in_progress(&check, issued));
        };
        let run = Run { client: Arc::clone(client), check, issued, guard };
        self.0.tasks.spawn(run.execute(Arc::clone(&self.0)));
    }

    /// Says that the checks' slots went by without a run.
    pub(crate) fn missed(&self, checks: &[Arc<Check>]) {
        self.0.sink.notice(&events::missed(checks));
    }

    /// The keys of the checks under way, in the order of their start.
    pub fn in_progress(&self) -> Vec<String> {
        self.0.running.keys()
    }

    /// Waits until no check is under way; nothing may be started any more.
    pub async fn finish(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Kills the process groups of all checks under way, without results.
    pub fn kill(&self) {
        self.0.kill.cancel();
    }
}

fn slots(limit: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)))
}

// === impl Run ===

impl Run {
    async fn execute(self, shared: Arc<Shared>) {
        let executed = Timestamp::now().as_second();
        let Substituted { mut definition, unmatched } =
            tokens::substitute(&self.check.definition, &self.client.attributes);
        let command = definition.get("command").and_then(Value::as_str).unwrap_or_default().to_owned();
        // Published with its tokens: what they stand for may be secret.
        definition.insert("command".to_owned(), self.check.command.as_str().into());
        definition.entry("issued").or_insert(self.issued.into());
        definition.insert("executed".to_owned(), executed.into());
        if !unmatched.is_empty() {
            let output = format!("Unmatched client token(s): {}", unmatched.join(", "));
            let ending = json!({"output": output, "status": UNMATCHED_TOKENS, "handle": false});
            return self.publish(&shared, definition, &ending);
        }
        let slots = Arc::clone(&shared.slots.lock().unwrap_or_else(PoisonError::into_inner));
        let slot = tokio::select! {
            slot = slots.acquire() => slot,
            () = shared.kill.cancelled() => return,
        };
        let stdin = self.check.stdin.then(|| self.input(&definition));
        let job = Job { command, stdin, timeout: self.check.timeout };
        let Some(ended) = process::run(job, &shared.kill).await else { return };
        drop(slot);
        let duration = (ended.duration.as_secs_f64() * 1000.0).round() / 1000.0;
        let ending = json!({"duration": duration, "output": ended.output, "status": ended.status});
        self.publish(&shared, definition, &ending);
        // The check counts as under way until the system has let go of its process.
        if let Some(mut process) = ended.remains {
            tokio::select! {
                () = process.wait() => (),
                () = shared.kill.cancelled() => (),
            }
        }
    }

    /// What a check with `stdin` reads.
    fn input(&self, definition: &Object) -> Vec<u8> {
        json!({"client": self.client.attributes, "check": definition}).to_string().into_bytes()
    }

    fn publish(&self, shared: &Shared, mut check: Object, ending: &Value) {
        check.extend(ending.as_object().cloned().unwrap_or_default());
        if check.get("source").and_then(Value::as_str) == Some("") {
            check.shift_remove("source");
        }
        match CheckResult::new(self.client.name.as_str(), check) {
            Ok(result) => shared.sink.publish(&result),
            Err(error) => shared.sink.notice(&events::unpublishable(self.guard.key(), &error)),
        }
    }
}
