//! Details that come when their alerts have gone on.
//!
//! Alertmanager tells of an alert when `group_wait` is over, so a detail that comes a few seconds late is worth a second post:
//! the next resend may be a minute away. It is posted no sooner than three seconds after the post before it, since new
//! Alertmanagers may apply two posts in quick succession in the wrong order, and only while it still says what was posted
//! last. That counts from when the senders were given that post: one that waits there is replaced, but where an Alertmanager
//! took most of the three seconds to answer it, the second one follows closely; applied in the wrong order, the detail comes
//! with the next resend. A stop drops it in silence: the alert itself has been delivered.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::waiting::Held;
use super::{Alerts, Hold, Wanted};
use crate::alert::{Alert, Fingerprint, Incident};
use crate::detail::Answer;
use crate::events::Enrichment;

/// Between two posts of an alert.
const APART: Duration = Duration::from_secs(3);

/// An alert that went on without the detail that is still awaited.
#[derive(Debug)]
pub(super) struct Late {
    /// Its newest post, which went on without it as well.
    alert: Alert,
    /// When that was given to the senders.
    posted: Instant,
    /// No answer from before is of use.
    changed: Instant,
}

// === impl Late ===

impl Late {
    pub(super) fn new(held: &Held) -> Self {
        Self { alert: held.alert.clone(), posted: Instant::now(), changed: held.changed }
    }

    /// The same, posted again as `alert`.
    pub(super) fn again(self, alert: &Alert) -> Self {
        Self { alert: alert.clone(), posted: Instant::now(), ..self }
    }
}

// === impl Hold ===

impl Hold {
    /// Remembers an answer that came too late for the post, and posts the alert again with a detail. It was `asked` for then.
    pub(super) async fn catch_up(
        &self,
        alert: &Incident,
        wanted: &Wanted,
        asked: Instant,
        answer: impl Future<Output = Option<Answer>>,
    ) {
        let Wanted { target, setup, .. } = wanted;
        let caught_up = async {
            let Some(answer) = answer.await else { return };
            let is_detail = answer.is_ok();
            self.remember(alert, self.learn(alert, target, answer, setup));
            if is_detail {
                self.post_again(alert.fingerprint, asked).await;
            }
        };
        self.stop.run_until_cancelled(caught_up).await;
        self.lock().no_longer_late(alert.fingerprint, asked);
    }

    /// Posts an alert once more, as soon as it may be, unless its detail has gone along with a resend meanwhile.
    async fn post_again(&self, fingerprint: Fingerprint, asked: Instant) {
        loop {
            let due = {
                let mut alerts = self.lock();
                let Some(late) = alerts.late.get(&fingerprint).filter(|late| late.changed <= asked) else { return };
                let due = late.posted + APART;
                if due <= Instant::now() {
                    let Some(Late { alert, .. }) = alerts.late.remove(&fingerprint) else { return };
                    let known = self.memory.known_of(&alert.incident()).filter(|known| known.is_answer());
                    if let Some(known) = known.filter(|_| alert.stale_at() > Timestamp::now()) {
                        self.send(alert, known.annotations(), Enrichment::Late);
                    }
                    return;
                }
                due
            };
            sleep_until(due).await;
        }
    }
}

// === impl Alerts ===

impl Alerts {
    /// Forgets that an alert went on without the detail that was `asked` for then.
    fn no_longer_late(&mut self, fingerprint: Fingerprint, asked: Instant) {
        if self.late.get(&fingerprint).is_some_and(|late| late.changed <= asked) {
            self.late.remove(&fingerprint);
        }
    }
}
