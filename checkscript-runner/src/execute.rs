//! Execution: runs checks, each in a process of its own, and turns what they did into results.
//!
//! [`Executor::start`] never waits and never queues a check twice: at most one run of a check is under way, so the
//! number of tasks is bounded by the number of checks. Runs beyond the limit of processes wait in the order of their
//! start; their `duration` and timeout begin when the process does.

mod capture;
mod children;
mod family;
mod hook;
mod leftover;
mod overdue;
mod process;
mod published;
pub(crate) use published::key as published_key;
pub(crate) mod record;
mod run;
mod running;
pub(crate) mod slots;
pub(crate) mod tokens;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use check_result::log::Level;
use check_result::{CheckResult, Object};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::children::Children;
use self::leftover::Leftover;
use self::record::Record;
use self::run::Run;
use self::running::{Place, Running, Taken};
use self::slots::Slots;
use crate::definitions::{Check, Client};
use crate::events;
use crate::notice::Sink;

/// How long processes that were told to terminate may take before they are killed, in sensu-client.
const TERM_GRACE: Duration = Duration::from_secs(3);

/// Runs checks. Clones share everything.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

struct Shared {
    sink: Arc<dyn Sink>,
    running: Running,
    /// The record's file. Where the record is not believed it is locked all the same, which keeps other runners off.
    locked: OnceLock<Arc<File>>,
    slots: Slots,
    children: Arc<Children>,
    exports: Mutex<Vec<(OsString, OsString)>>,
    tasks: TaskTracker,
    term_grace: Duration,
    kill: CancellationToken,
    /// What cannot be ended is not waited for any more.
    ending: CancellationToken,
}

// === impl Executor ===

impl Executor {
    /// Runs at most `limit` processes at once and hands results to `sink`.
    pub fn new(limit: usize, sink: Arc<dyn Sink>) -> Self {
        Self::with_term_grace(limit, TERM_GRACE, sink)
    }

    /// The same, whose processes may take this long between TERM and KILL at a timeout; sensu-client's have three seconds.
    pub fn with_term_grace(limit: usize, term_grace: Duration, sink: Arc<dyn Sink>) -> Self {
        let kill = CancellationToken::new();
        Self(Arc::new(Shared {
            sink,
            running: Running::default(),
            locked: OnceLock::new(),
            slots: Slots::new(limit),
            children: Arc::default(),
            exports: Mutex::default(),
            tasks: TaskTracker::new(),
            term_grace,
            ending: kill.child_token(),
            kill,
        }))
    }

    /// Makes this process the parent of all that its checks leave behind, so that it is followed and no zombie stays.
    /// From then on every child that this executor has not started is taken for such: only for a program that starts no
    /// others. Must be called within a tokio runtime, and lasts as long as that.
    pub fn adopt_orphans(&self) -> std::io::Result<()> {
        children::adopt(Arc::clone(&self.0.children))
    }

    /// Records in `file` what runs, so that a crash leaves nothing unnoticed, and ends what the one before has left: its
    /// checks are under way until it is gone. To be called before anything is started, within a tokio runtime. Fails
    /// with [`io::ErrorKind::ResourceBusy`] if another process uses the file: it runs the same checks. Whatever else it fails
    /// with, others that use the file are refused as long as this executor lives, if it can be opened at all.
    pub fn recover(&self, file: &Path) -> io::Result<()> {
        let locked = Arc::new(record::lock(file)?);
        let locked = self.0.locked.get_or_init(|| locked);
        let (record, left) = Record::take_over(Arc::clone(locked), file, Arc::clone(&self.0.sink))?;
        let mut guards = HashMap::new();
        for (recorded, mut entry) in left {
            entry.keep();
            let hold = || Arc::new(self.0.running.hold(&recorded.key, recorded.since));
            let guard = Arc::clone(guards.entry(recorded.key.clone()).or_insert_with(hold));
            let (leftover, shared) = (Leftover { recorded, entry, guard }, Arc::clone(&self.0));
            self.0.tasks.spawn(async move {
                tokio::select! {
                    () = leftover.end(&*shared.sink, shared.term_grace) => (),
                    () = shared.ending.cancelled() => (),
                }
            });
        }
        self.0.running.record(record);
        Ok(())
    }

    /// Changes the limit, also for runs that wait already; those under way count towards the new one.
    pub fn set_limit(&self, limit: usize) {
        self.0.slots.set_limit(limit);
    }

    /// Gives a variable to every command from now on, besides what this process inherited.
    pub fn export(&self, variable: impl Into<OsString>, value: impl Into<OsString>) {
        let (variable, value) = (variable.into(), value.into());
        let mut exports = self.0.exports.lock().unwrap_or_else(PoisonError::into_inner);
        exports.retain(|(name, _)| *name != variable);
        exports.push((variable, value));
    }

    /// Starts a run of the check, unless its previous one is not done: then a notice says so, and a result if it should
    /// be done by now. Must be called within a tokio runtime.
    pub fn start(&self, client: &Arc<Client>, check: Arc<Check>, issued: i64) {
        let sink = &self.0.sink;
        if sink.wants(Level::Debug) {
            sink.notice(&events::processing(&check, issued));
            sink.notice(&events::executing(&check, issued));
        }
        match self.0.running.begin(&check, Instant::now()) {
            Place::Free(guard) => {
                let run = Run { client: Arc::clone(client), check, issued, guard };
                self.0.tasks.spawn(run.execute(Arc::clone(&self.0)));
            }
            Place::Taken(Taken { is_waiting, doubt }) => {
                let dropped = if is_waiting { events::waiting } else { events::in_progress };
                sink.notice(&dropped(&check, issued));
                if let Some(doubt) = doubt {
                    let (shared, client) = (Arc::clone(&self.0), Arc::clone(client));
                    self.0.tasks.spawn(async move {
                        let kill = shared.kill.clone();
                        kill.run_until_cancelled_owned(doubt.settle(shared, client, check, issued)).await;
                    });
                }
            }
        }
    }

    /// Says that a slot of the check has come in which it is not to run.
    pub(crate) fn subdued(&self, check: &Check) {
        self.0.sink.notice(&events::subdued(check));
    }

    /// Says that the checks' slots went by without a run.
    pub(crate) fn missed(&self, checks: &[Arc<Check>]) {
        self.0.sink.notice(&events::missed(checks));
    }

    /// Says that slots are being computed.
    pub(crate) fn scheduling(&self) {
        self.0.sink.notice(&events::scheduling());
    }

    /// The keys of the checks under way, in the order of their start, without what a crash has left.
    pub fn in_progress(&self) -> Vec<String> {
        self.0.running.keys()
    }

    /// Waits until no check is under way; nothing may be started any more. What a crash has left, and processes that KILL
    /// does not end, are not waited for: they stay in the record.
    pub async fn finish(&self) {
        self.0.ending.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.slots.tell_waits(&*self.0.sink);
    }

    /// Kills the processes of all checks under way, without results.
    pub fn kill(&self) {
        self.0.kill.cancel();
    }
}

// === impl Shared ===

impl Shared {
    fn publish(&self, client: &Client, mut check: Object) {
        if check.get("source").and_then(serde_json::Value::as_str) == Some("") {
            check.shift_remove("source");
        }
        let name = check.get("name").cloned();
        match CheckResult::new(client.name.as_str(), check) {
            Ok(result) => self.sink.publish(&result.with_signature(client.signature())),
            Err(error) => self.sink.notice(&events::unpublishable(name.unwrap_or_default(), &error)),
        }
    }

    fn exports(&self) -> Vec<(OsString, OsString)> {
        self.exports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
