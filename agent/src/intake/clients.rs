//! What the logs say of the clients that write them, by the logs' own clock; and so, which checks they have no more.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use check_result::Object;
use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::pause;
use crate::state_file::SavedClient;
use crate::store::Tracked;

/// How long after its second time a check has to show after its client's restart, in seconds.
const GRACE: f64 = 60.0;

/// Clients whose times are kept, as the store keeps their attributes.
pub(super) const MAX: usize = 100;

/// Clients by their names.
#[derive(Debug)]
pub(super) struct Clients(HashMap<String, Times, RandomState>);

#[derive(Clone, Debug)]
struct Times {
    started: Option<Timestamp>,
    /// The log that said so; not known of one that was saved.
    log: Option<Arc<Path>>,
    /// The newest result.
    newest: Option<Timestamp>,
}

// === impl Clients ===

impl Clients {
    pub(super) fn from_saved(clients: Vec<SavedClient>) -> Self {
        let times = |SavedClient { name, started, newest, .. }| (name, Times { started, log: None, newest });
        Self(clients.into_iter().map(times).collect())
    }

    /// To be saved, with the attributes that `attributes` knows by name.
    pub(super) fn saved(&self, attributes: impl Fn(&str) -> Option<Arc<Object>>) -> impl Iterator<Item = SavedClient> {
        self.0.iter().map(move |(name, times)| SavedClient {
            name: name.clone(),
            started: times.started,
            newest: times.newest,
            attributes: attributes(name),
        })
    }

    /// Notes a client's (re)start, of which `log` tells. Where there would be too many, the one that was silent longest is dropped: its name.
    pub(super) fn start(&mut self, name: &str, log: &Arc<Path>, started: Option<Timestamp>) -> Option<String> {
        let full = self.0.len() >= MAX && !self.0.contains_key(name);
        let heard = |(_, times): &(&String, &Times)| times.started.max(times.newest);
        let silent = self.0.iter().filter(|_| full).min_by_key(heard).map(|(name, _)| name.clone());
        if let Some(silent) = &silent {
            self.0.remove(silent);
        }
        self.0.insert(name.to_owned(), Times { started, log: Some(Arc::clone(log)), newest: None });
        silent
    }

    /// Notes that a client has logged a result. One from before the start that stands behind it in the same log tells that the clock was set
    /// back: the start was when that clock says.
    pub(super) fn note_result(&mut self, name: &str, log: &Arc<Path>, logged: Timestamp) {
        let Some(times) = self.0.get_mut(name) else { return };
        times.newest = times.newest.max(Some(logged));
        if times.started.is_some_and(|started| logged < started) && times.log.as_ref() == Some(log) {
            times.started = Some(logged);
        }
    }

    /// Whether the check's definition must be gone: it is a standalone check, and since its client's (re)start at T neither a
    /// result of it nor a line that says why it did not run was logged until T + 2 intervals + [`GRACE`], while the client
    /// went on to log results of others. A writer that is away, or silent, removes nothing; nor does a clock that is ahead or set back.
    pub(super) fn have_dropped(&self, tracked: &Tracked, now: Timestamp) -> bool {
        let check = tracked.state.latest();
        let Some(Times { started: Some(started), newest: Some(newest), .. }) = self.0.get(check.client()) else {
            return false;
        };
        let standalone = check.check().get("standalone").is_some_and(|value| value == true);
        let Some(pause) = pause::longest(check).filter(|_| standalone) else { return false };
        let written = newest.min(&now).duration_since(*started).as_secs_f64();
        tracked.alive < *started && written > 2.0 * pause + GRACE
    }
}
