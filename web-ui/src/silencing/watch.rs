//! Ends silences with their alerts: looks again and again, and asks anew before it ends one.
//!
//! Nothing is remembered but how long silences have been quiet, so that web-ui may be started anew, and several of them look at
//! the same cluster: whoever comes second finds the silence ended.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use super::resolved::{Finding, Quiet, in_view, marked, questions};
use super::write::{WriteError, expire_resolved};
use crate::access::{Action, Change, User, audit};
use crate::alertmanager::Silence;
use crate::cluster::Cluster;
use crate::load::Purpose;
use crate::matcher::{Labels, Matcher};
use crate::prometheus::Asking;
use crate::view::Silenced;

/// Silences that Prometheus is asked about in an evaluation; of more, the rest stay until their hard end.
const MOST: usize = 200;

/// Where silences are looked at and ended.
pub trait Site: Sync {
    /// The silences that end with their alerts, and how each is.
    fn look(&self) -> impl Future<Output = Vec<(Silence, Finding)>> + Send;

    /// Ends one, unless it has been changed.
    fn end(&self, silence: &Silence) -> impl Future<Output = ()> + Send;
}

/// Looks every so often and ends what has been quiet for long enough, for ever.
pub async fn watch(site: &impl Site, every: Duration) {
    let (mut ticks, mut quiet) = (interval(every), Quiet::default());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        evaluate(site, &mut quiet).await;
    }
}

/// One evaluation.
async fn evaluate(site: &impl Site, quiet: &mut Quiet) {
    for silence in quiet.evaluated(site.look().await) {
        site.end(&silence).await;
    }
}

impl Site for Arc<Cluster> {
    async fn look(&self) -> Vec<(Silence, Finding)> {
        if marked(&self.view()).next().is_none() {
            return Vec::new();
        }
        // What was known may be as old as the pause between two questions.
        self.refresh_alerts().await;
        let (view, mut found) = (self.view(), Vec::new());
        for (index, silenced) in marked(&view).enumerate() {
            let finding = match in_view(&view, silenced) {
                Finding::Quiet if index < MOST => in_prometheus(self, &silenced.matchers).await,
                _ => Finding::Busy,
            };
            found.push((silenced.silence.clone(), finding));
        }
        found
    }

    async fn end(&self, silence: &Silence) {
        let result = expire_resolved(self, silence).await;
        let failure = match &result {
            Ok(()) => None,
            // Somebody was quicker, or thinks otherwise.
            Err(error @ (WriteError::Changed(_) | WriteError::Ended(_) | WriteError::Gone)) => {
                debug!(cluster = self.name, silence = silence.id, "Silence {} is left as it is: {error}", silence.id);
                return;
            }
            Err(error) => Some(error.to_string()),
        };
        if failure.is_none() {
            self.events().resolved(&self.name);
        }
        let matchers = Silenced::from(silence.clone()).matchers.iter().map(ToString::to_string).collect::<Vec<_>>();
        let change = Change {
            action: Action::Expire,
            cluster: &self.name,
            silence: &silence.id,
            matchers: &matchers.join(","),
            ends: Some(silence.ends_at),
            failure: failure.as_deref(),
        };
        audit(self.events(), &User::program(), &change);
        self.heard_anew().await;
    }
}

/// One question after the other, each to a Prometheus that answers.
async fn in_prometheus(cluster: &Cluster, matchers: &[Matcher]) -> Finding {
    let Some(questions) = questions(matchers) else { return Finding::Busy };
    for question in questions {
        let expression = &question.expression;
        let ask = |asking: Asking| async move { asking.query::<Labels>(expression).await };
        let Ok((samples, aside)) = cluster.prometheus().ask(Purpose::Resolved, ask).await else {
            return Finding::Busy;
        };
        let found: Vec<_> = samples.into_iter().map(|sample| sample.labels).collect();
        // A server that could not look everywhere has not said that there is nothing.
        if !aside.warnings.is_empty() || !question.is_answered_well(&found) {
            return Finding::Busy;
        }
    }
    Finding::Quiet
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    /// What each look finds in turn, and what was ended after how many looks.
    struct Script {
        looks: Vec<Vec<(Silence, Finding)>>,
        looked: AtomicUsize,
        ended: Mutex<Vec<(String, usize)>>,
    }

    impl Site for Script {
        async fn look(&self) -> Vec<(Silence, Finding)> {
            self.looks[self.looked.fetch_add(1, Ordering::Relaxed)].clone()
        }

        async fn end(&self, silence: &Silence) {
            self.ended.lock().unwrap().push((silence.id.clone(), self.looked.load(Ordering::Relaxed)));
        }
    }

    fn silence(id: &str) -> Silence {
        serde_json::from_value(json!({
            "id": id, "status": {"state": "active"}, "matchers": [], "createdBy": "ann", "comment": "x [until resolved]",
            "startsAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-22T00:00:00Z", "updatedAt": "2026-11-21T00:00:00Z",
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn each_silence_ends_with_its_own_alerts() {
        use Finding::{Busy, Quiet as Calm};
        let look = |a: Finding, b: Finding| vec![(silence("a"), a), (silence("b"), b)];
        let only_b = |b: Finding| vec![(silence("b"), b)];
        let looks = vec![look(Calm, Busy), look(Calm, Calm), look(Calm, Calm), only_b(Busy), only_b(Calm), Vec::new()];
        let (script, mut quiet) =
            (Script { looks, looked: AtomicUsize::default(), ended: Mutex::default() }, Quiet::default());
        for _ in 0..script.looks.len() {
            evaluate(&script, &mut quiet).await;
        }
        assert_eq!(*script.ended.lock().unwrap(), [("a".to_owned(), 3)], "b was never quiet for long enough");
    }
}
