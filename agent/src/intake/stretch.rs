//! When a log was written to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::Limits;

/// Shorter pauses are none, in seconds, whatever the limits.
const SHORTEST_PAUSE: i64 = 3600;

/// A time in which a log got results without a long pause, by its own clock. The check that had none in it while others had
/// is silent; behind a pause (the node was down) every check has to be waited for anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stretch {
    since: Timestamp,
    until: Timestamp,
}

// === impl Stretch ===

impl Stretch {
    /// The stretch that begins with a result.
    pub(super) fn new(logged: Timestamp) -> Self {
        Self { since: logged, until: logged }
    }

    /// Notes the next result. A clock that was set back begins anew.
    pub(super) fn note(&mut self, logged: Timestamp, limits: &Limits) {
        // With half of it the other half is left for a check to show in.
        let pause = SHORTEST_PAUSE.max(limits.forget_after / 2);
        if logged < self.since || seconds(self.until, logged) > pause {
            self.since = logged;
        }
        self.until = logged;
    }

    /// How long the log was written to since a check was `heard` of last, in seconds. What is later than `now` was no time.
    pub(super) fn since(&self, heard: Timestamp, now: Timestamp) -> i64 {
        seconds(self.since.max(heard), self.until.min(now))
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}
