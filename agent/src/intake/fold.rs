//! The fold: lines that were read into the states that they change.

use std::path::Path;
use std::sync::Arc;

use check_result::log::{Line, LoggedResult, Run, Skimmed, read_line, records};
use check_result::{CheckKey, CheckState, Object};
use jiff::Timestamp;

use super::batch::{Batch, KeyRef, Pending};
use super::clients::{self, Clients};
use super::definition::read_result;
use super::gone;
use super::logs::{Logs, is_old};
use crate::events::Events;
use crate::select::Select;
use crate::store::{Limits, Store, Tracked};

/// Everything but the reading.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) store: Arc<Store>,
    pub(super) select: Select,
    pub(super) events: Events,
    pub(super) logs: Logs,
    pub(super) clients: Clients,
    pub(super) batch: Batch,
    /// Whether anything was made visible since somebody asked.
    pub(super) changed: bool,
}

/// Bytes of lines, outputs and definitions that are held back until a look is over; more are made visible before.
const MOST_HELD: usize = 8 << 20;

// === impl Fold ===

impl Fold {
    /// Takes a line that was skimmed.
    pub(super) fn take(&mut self, log: &Arc<Path>, skimmed: Skimmed<'_>, line: &[u8]) {
        match skimmed {
            Skimmed::Run(run) => self.take_run(log, run, line),
            Skimmed::NotRun { logged, check } => self.take_not_run(Some(logged), check),
            Skimmed::Other => self.events.line_other(),
            Skimmed::Unclear => records(line).for_each(|record| self.take_record(log, record)),
        }
        if self.batch.held() > MOST_HELD {
            self.flush();
        }
    }

    /// Makes the batch visible; true if anything changed since this was last asked.
    pub(super) fn publish(&mut self) -> bool {
        self.flush();
        std::mem::take(&mut self.changed)
    }

    fn flush(&mut self) {
        self.changed |= !self.batch.is_empty();
        let (limits, select) = (self.store.limits(), &self.select);
        let (mut settled, mut held) = (Vec::new(), 0);
        for (key, Pending { mut tracked, line, .. }) in self.batch.take() {
            if let Some(result) = read_result(&line, select, &self.events) {
                Arc::make_mut(&mut tracked.state).settle(result, &limits.history);
            }
            held += tracked.definition_bytes();
            settled.push((key, tracked));
            // A definition may take a hundred times the memory that its line does.
            if held > MOST_HELD {
                self.store.publish(std::mem::take(&mut settled));
                held = 0;
            }
        }
        self.store.publish(settled);
    }

    fn take_record(&mut self, log: &Arc<Path>, record: &[u8]) {
        match read_line(record) {
            Line::Result(logged) => self.take_run(log, Run::of(&logged), record),
            Line::ClientAttributes { logged, client } => self.take_client(log, logged, client),
            Line::NotRun { logged, check } => self.take_not_run(logged, &check),
            Line::Other => self.events.line_other(),
            Line::Invalid(reason) => self.events.line_invalid(&reason),
        }
    }

    fn take_run(&mut self, log: &Arc<Path>, mut run: Run<'_>, line: &[u8]) {
        let name = run.name.clone();
        let source = run.source.clone();
        let key = KeyRef { check: &name, source: source.as_deref() };
        if !self.select.takes(&name) {
            return self.events.line_excluded();
        }
        if !self.logs.take(log, run.logged) {
            return self.events.line_superseded(log);
        }
        if !run.mapped {
            run.status = self.select.status(&run.name, run.exit_map.as_ref(), run.status);
        }
        let limits = self.store.limits();
        self.clients.note_result(&run.client, log, run.logged);
        self.logs.note(log, run.logged, &limits);
        let Some(pending) = self.batch.pending(&key, &self.store) else {
            return self.take_new(key.owned(), log, &run, line);
        };
        let tracked = &mut pending.tracked;
        if pending.client != run.client && !passes_to(&run, log, tracked, (&self.logs, &limits)) {
            return self.events.line_foreign(&key.owned(), &run.client, &pending.client);
        }
        if tracked.log != *log && is_old(run.logged, tracked.state.logged()) {
            return self.events.line_superseded(log);
        }
        if !Arc::ptr_eq(&tracked.log, log) {
            tracked.log = Arc::clone(log);
        }
        tracked.alive = run.logged;
        Arc::make_mut(&mut tracked.state).advance(&run, &limits.history);
        if pending.client != run.client {
            pending.client = run.client.clone().into_owned();
        }
        let grown = pending.hold(line);
        self.batch.grew(grown);
        self.events.line_result(run.logged);
    }

    fn take_new(&mut self, key: CheckKey, log: &Arc<Path>, run: &Run<'_>, line: &[u8]) {
        let limits = self.store.limits();
        if self.store.count() + self.batch.new_checks() >= limits.checks {
            return self.events.check_over_limit(&key, limits.checks);
        }
        let result = read_result(line, &self.select, &self.events).unwrap_or_else(|| run.to_result());
        let state = CheckState::new(LoggedResult { logged: run.logged, result }, &limits.history);
        let tracked = Tracked { state: Arc::new(state), log: Arc::clone(log), alive: run.logged };
        self.batch.insert_new(key, tracked);
        self.events.line_result(run.logged);
    }

    fn take_client(&mut self, log: &Arc<Path>, logged: Option<Timestamp>, client: Object) {
        self.events.line_client();
        let Some(name) = client.get("name").and_then(|name| name.as_str()).map(str::to_owned) else { return };
        self.logs.start(log, &name);
        if let Some(silent) = self.clients.start(&name, log, logged) {
            self.store.drop_client(&silent);
            self.events.client_dropped(&silent, clients::MAX);
        }
        self.store.set_client(name, client);
    }

    fn take_not_run(&mut self, logged: Option<Timestamp>, check: &CheckKey) {
        self.events.line_other();
        let key = KeyRef { check: &check.check, source: check.source.as_deref() };
        if let (Some(logged), Some(pending)) = (logged, self.batch.pending(&key, &self.store)) {
            pending.tracked.alive = pending.tracked.alive.max(logged);
        }
    }
}

/// Whether a check passes from its client to that of `run`: its log's writer was started under that name since, or it had no
/// result for so long that it is taken for removed.
fn passes_to(run: &Run<'_>, log: &Path, tracked: &Tracked, (logs, limits): (&Logs, &Limits)) -> bool {
    let renamed = *tracked.log == *log && logs.client_of(log) == Some(&*run.client);
    renamed
        || run.logged.as_second() - tracked.state.logged().as_second() > gone::silence(limits, tracked.state.latest())
}
