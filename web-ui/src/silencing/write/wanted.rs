//! What is to be of a silence, and whether it is so already: for forms that are sent twice, and answers that are lost.

use jiff::{SignedDuration, Timestamp};

use crate::alertmanager::{self, Postable, RawMatcher, Silence, SilenceState};
use crate::upstream::{AskError, Upstream};

/// By how much the times of one silence that was sent twice may differ: people mean another one by another minute.
const TWICE: SignedDuration = SignedDuration::from_secs(10);

/// And by how much those of one that was changed, as Alertmanager writes them.
const MOVED: SignedDuration = SignedDuration::from_secs(1);

/// What is to be.
#[derive(Debug)]
pub(super) enum Wanted<'a> {
    /// Another silence.
    New(&'a Postable),
    /// The one that there is, so.
    Changed(&'a Postable, &'a Silence),
    /// Its end.
    Over(&'a Silence),
}

// === impl Wanted ===

impl Wanted<'_> {
    /// Tells a server, which says what the silence is called then.
    pub(super) async fn tell(&self, server: &Upstream) -> Result<String, AskError> {
        match self {
            Self::New(silence) | Self::Changed(silence, _) => alertmanager::post(server, silence).await,
            Self::Over(silence) => alertmanager::expire(server, &silence.id).await.map(|()| silence.id.clone()),
        }
    }

    /// Whether it is so.
    pub(super) fn found(&self, known: &[Silence]) -> Option<String> {
        let found = match self {
            Self::New(wanted) => known.iter().find(|silence| {
                let begins = silence.starts_at.duration_since(wanted.starts_at);
                // For one that is to begin now it does not matter since when the other mutes the same.
                let begins_so = begins < TWICE && (begins > -TWICE || wanted.starts_at <= Timestamp::now());
                begins_so && says(silence, wanted, TWICE)
            }),
            Self::Changed(wanted, before) => {
                // Other matchers make another silence, and end this one.
                let edited = known.iter().find(|silence| silence.id == before.id);
                match edited.filter(|edited| edited.status.state != SilenceState::Expired) {
                    Some(edited) => Some(edited)
                        .filter(|edited| edited.updated_at != before.updated_at && says(edited, wanted, MOVED)),
                    None => known.iter().find(|silence| silence.id != before.id && says(silence, wanted, MOVED)),
                }
            }
            Self::Over(before) => {
                let is_over = |one: &&Silence| one.id == before.id && one.status.state == SilenceState::Expired;
                known.iter().find(is_over)
            }
        };
        found.map(|silence| silence.id.clone())
    }
}

/// Whether a silence is as it was to become, whoever has changed it so.
pub(super) fn is_as(silence: &Silence, wanted: &Postable) -> bool {
    let begins_so = silence.starts_at.duration_since(wanted.starts_at).abs() < MOVED;
    // One that has begun keeps its beginning.
    (begins_so || wanted.starts_at <= Timestamp::now()) && says(silence, wanted, MOVED)
}

/// Whether a silence that is not over says what is wanted, and ends then.
fn says(silence: &Silence, wanted: &Postable, within: SignedDuration) -> bool {
    let written = |matchers: &[RawMatcher]| {
        let mut texts: Vec<_> = matchers.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    silence.status.state != SilenceState::Expired
        && (&silence.created_by, &silence.comment) == (&wanted.created_by, &wanted.comment)
        && silence.ends_at.duration_since(wanted.ends_at).abs() < within
        && written(&silence.matchers) == written(&wanted.matchers)
}
