//! When the last result of each log was logged.
//!
//! Within a log order is trusted, whatever the clock did. After a gap (the place up to which the log was read is gone)
//! a result counts only if it was logged later than the last one before, until the log is read to its end: what comes
//! then is new.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::stretch::Stretch;
use crate::state_file::SavedLog;
use crate::store::{Limits, Tracked};

/// What is stamped that much later than now comes from a clock that was ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// The times of all logs. They are few: looking one after the other over is quicker than hashing paths.
#[derive(Debug)]
pub(super) struct Logs(Vec<(Arc<Path>, Times)>);

#[derive(Debug, Default)]
struct Times {
    /// When the last result taken was logged.
    last: Option<Timestamp>,
    /// Whether results up to then may come again.
    gap: bool,
    /// Who writes it, by the last start-up line.
    client: Option<String>,
    /// When it was written to.
    stretch: Option<Stretch>,
}

// === impl Logs ===

impl Logs {
    pub(super) fn from_saved(logs: Vec<SavedLog>) -> Self {
        let times = |log: SavedLog| {
            let SavedLog { path, last, client, stretch, .. } = log;
            (Arc::from(Path::new(&path)), Times { last, gap: false, client, stretch })
        };
        Self(logs.into_iter().map(times).collect())
    }

    /// When the last result of `log` was logged.
    pub(super) fn last_of(&self, log: &Path) -> Option<Timestamp> {
        self.0.iter().find(|(known, _)| **known == *log)?.1.last
    }

    /// Results of `log` that were taken before may come again.
    pub(super) fn gap(&mut self, log: &Arc<Path>) {
        self.times(log).gap = true;
    }

    /// Notes a result of `log`; false if it is one from before a gap.
    pub(super) fn take(&mut self, log: &Arc<Path>, logged: Timestamp) -> bool {
        let times = self.times(log);
        if times.gap && times.last.is_some_and(|last| is_old(logged, last)) {
            return false;
        }
        (times.last, times.gap) = (Some(logged), false);
        true
    }

    /// `log` is read to its end: none of what comes now was read before.
    pub(super) fn caught_up(&mut self, log: &Arc<Path>) {
        self.times(log).gap = false;
    }

    /// Notes that `log` was written to.
    pub(super) fn note(&mut self, log: &Arc<Path>, logged: Timestamp, limits: &Limits) {
        self.times(log).stretch.get_or_insert_with(|| Stretch::new(logged)).note(logged, limits);
    }

    /// When `log` was written to.
    pub(super) fn stretch_of(&self, log: &Path) -> Option<Stretch> {
        self.0.iter().find(|(known, _)| **known == *log)?.1.stretch
    }

    /// When the logs were written to in which the check's results are to be expected: the one that its last was in, and those
    /// that its client writes now.
    pub(super) fn stretches(&self, tracked: &Tracked) -> impl Iterator<Item = Stretch> {
        let client = tracked.state.latest().client();
        let of =
            move |(log, times): &&(Arc<Path>, Times)| *log == tracked.log || times.client.as_deref() == Some(client);
        self.0.iter().filter(of).filter_map(|(_, times)| times.stretch)
    }

    /// Who writes `log`, by its last start-up line.
    pub(super) fn client_of(&self, log: &Path) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *log)?.1.client.as_deref()
    }

    /// Notes a start-up line in `log`.
    pub(super) fn start(&mut self, log: &Arc<Path>, client: &str) {
        self.times(log).client = Some(client.to_owned());
    }

    fn times(&mut self, log: &Arc<Path>) -> &mut Times {
        let known = self.0.iter().position(|(known, _)| Arc::ptr_eq(known, log) || known == log);
        let index = known.unwrap_or_else(|| {
            self.0.push((Arc::clone(log), Times::default()));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }
}

/// Whether a result logged at `logged` is no newer than one that was logged at `last`. From a clock that was ahead,
/// `last` says nothing of results that are not: they would be taken for old ones for as long as it was ahead.
pub(super) fn is_old(logged: Timestamp, last: Timestamp) -> bool {
    let is_ahead = |time: Timestamp| time.duration_since(Timestamp::now()) > AHEAD;
    logged <= last && (is_ahead(logged) || !is_ahead(last))
}
