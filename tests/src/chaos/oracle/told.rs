//! An incident, and what one sink was told of it.

use std::time::{Duration, Instant};

use super::{Episode, Message};

/// How long an incident that was told as over while it went on may go on before it has to be told anew.
const CORRECTED: Duration = Duration::from_secs(60);

/// An incident, and what was told of it.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) episode: &'a Episode,
    /// The first ALERT.
    pub(super) alert: Option<&'a Message>,
    /// The first ALERT in the severity that it has had since it changed.
    pub(super) otherwise: Option<&'a Message>,
    /// The first RESOLVED since it ended.
    pub(super) end: Option<&'a Message>,
    /// How often it was told as over, ended or not.
    pub(super) ends: usize,
    /// When it was last told as over while it went on, if it has not been told anew since.
    pub(super) early: Option<Instant>,
    /// When it was last told as an ALERT, and how often more since.
    pub(super) told: Option<(Instant, usize)>,
    /// In which severity that was.
    said: Option<u8>,
}

// === impl Told ===

impl<'a> Told<'a> {
    pub(super) fn new(episode: &'a Episode) -> Self {
        Self { episode, alert: None, otherwise: None, end: None, ends: 0, early: None, told: None, said: None }
    }

    /// Goes on by an ALERT: whether it tells a change of the severity, in which it has not been told last.
    pub(super) fn changes_by(&mut self, alert: &'a Message) -> bool {
        self.alert.get_or_insert(alert);
        let said = std::mem::replace(&mut self.said, alert.status);
        let is_other =
            self.episode.former(alert.at).is_some() && alert.status == Some(self.episode.status_at(alert.at));
        if is_other {
            self.otherwise.get_or_insert(alert);
        }
        is_other && said != alert.status
    }

    /// What was not told of it; `goes_on` where the last word about its check was an ALERT.
    pub(super) fn lost(&self, goes_on: bool) -> Option<&'static str> {
        let Self { episode, alert, otherwise, end, early, .. } = self;
        let anew = early.is_some_and(|early| episode.ended.saturating_duration_since(early) > CORRECTED);
        match (alert, end) {
            _ if anew => Some("was told as over while it went on, and not anew"),
            (None, _) if !episode.brief => Some("was never told"),
            (Some(_), _) if episode.then.is_some() && otherwise.is_none() => {
                Some("was never told in the severity that it had then")
            }
            // Where the last word is an ALERT, that is told of it.
            (Some(_), None) if early.is_none() && !goes_on => Some("has no end that was told"),
            _ => None,
        }
    }
}
