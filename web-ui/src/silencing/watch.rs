//! Ends silences with their alerts: looks again and again, and asks anew before it ends one.
//!
//! Nothing is remembered but how long silences have been quiet, so that web-ui may be started anew, and several of them look at
//! the same cluster: whoever comes second finds the silence ended.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::resolved::{Doubt, Finding, Quiet, marked, questions, turn};
use super::write::{WriteError, expire_resolved};
use crate::access::{Action, Change, User, audit};
use crate::alertmanager::Silence;
use crate::cluster::Cluster;
use crate::load::Purpose;
use crate::matcher::{Labels, Matcher};
use crate::prometheus::Asking;
use crate::view::Silenced;

/// Silences that Prometheus is asked about at a time.
const AT_ONCE: usize = 4;

/// Where silences are looked at and ended.
pub trait Site: Sync {
    /// The silences that end with their alerts, and how each is; evaluations are numbered.
    fn look(&self, evaluation: usize) -> impl Future<Output = Vec<(Silence, Finding)>> + Send;

    /// Of so many silences it is not known how they are, and was known in the evaluation before if it `is_new`.
    fn doubt(&self, doubt: Doubt, silences: usize, is_new: bool);

    /// Ends one, unless it has been changed.
    fn end(&self, silence: &Silence) -> impl Future<Output = ()> + Send;
}

/// What is remembered from one evaluation to the next.
#[derive(Default)]
struct Memory {
    evaluation: usize,
    quiet: Quiet,
    doubts: BTreeMap<Doubt, usize>,
}

/// Looks every so often and ends what has been quiet for long enough, until `stop`; what is being ended then is recorded still.
pub async fn watch(site: &impl Site, every: Duration, stop: &CancellationToken) {
    let (mut ticks, mut memory) = (interval(every), Memory::default());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        evaluate(site, &mut memory, stop).await;
    }
}

/// One evaluation.
async fn evaluate(site: &impl Site, memory: &mut Memory, stop: &CancellationToken) {
    let Some(found) = stop.run_until_cancelled(site.look(memory.evaluation)).await else { return };
    memory.evaluation = memory.evaluation.wrapping_add(1);
    let mut doubts = BTreeMap::new();
    for (_, finding) in &found {
        if let Finding::Doubtful(doubt) = finding {
            *doubts.entry(*doubt).or_default() += 1;
        }
    }
    for (doubt, silences) in &doubts {
        site.doubt(*doubt, *silences, !memory.doubts.contains_key(doubt));
    }
    memory.doubts = doubts;
    for silence in memory.quiet.evaluated(found) {
        if stop.is_cancelled() {
            return;
        }
        site.end(&silence).await;
    }
}

impl Site for Arc<Cluster> {
    async fn look(&self, evaluation: usize) -> Vec<(Silence, Finding)> {
        if marked(&self.view()).next().is_none() {
            return Vec::new();
        }
        // What was known may be as old as the pause between two questions.
        self.refresh_alerts().await;
        let view = self.view();
        let (asked, mut found) = turn(&view, evaluation);
        let ask = |silenced: Silenced| async move {
            let finding = in_prometheus(self, &silenced.matchers).await;
            (silenced.silence, finding)
        };
        let asked: Vec<_> = asked.into_iter().cloned().map(ask).collect();
        found.extend(stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
        found
    }

    fn doubt(&self, doubt: Doubt, silences: usize, is_new: bool) {
        self.tally().doubted(doubt.word(), silences);
        if is_new {
            let (cluster, why) = (&self.name, doubt.why());
            warn!(cluster, silences, "{silences} silences of {cluster} that end with their alerts stay for now: {why}");
        }
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
            self.tally().resolved();
        }
        let matchers = silence.matchers.iter().map(ToString::to_string).collect::<Vec<_>>();
        let change = Change {
            action: Action::Expire,
            cluster: &self.name,
            silence: &silence.id,
            author: "",
            matchers: &matchers.join(","),
            ends: Some(silence.ends_at),
            failure: failure.as_deref(),
        };
        audit(self.tally().events(), &User::program(), &change);
        self.heard_anew().await;
    }
}

/// One question after the other, each to a Prometheus that answers.
async fn in_prometheus(cluster: &Cluster, matchers: &[Matcher]) -> Finding {
    let Some(questions) = questions(matchers) else { return Finding::Doubtful(Doubt::Labels) };
    for question in questions {
        let expression = &question.expression;
        let ask = |asking: Asking| async move { asking.query::<Labels>(expression).await };
        let Ok((samples, aside)) = cluster.prometheus().ask(Purpose::Resolved, ask).await else {
            return Finding::Doubtful(Doubt::Unanswered);
        };
        let found: Vec<_> = samples.into_iter().map(|sample| sample.labels).collect();
        // A server that could not look everywhere has not said that there is nothing.
        if !aside.warnings.is_empty() {
            return Finding::Doubtful(Doubt::Unanswered);
        }
        if !question.is_answered_well(&found) {
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
        doubts: Mutex<Vec<(Doubt, usize, bool)>>,
    }

    impl Script {
        fn new(looks: Vec<Vec<(Silence, Finding)>>) -> Self {
            Self { looks, looked: AtomicUsize::default(), ended: Mutex::default(), doubts: Mutex::default() }
        }

        async fn play(&self) {
            let mut memory = Memory::default();
            for _ in 0..self.looks.len() {
                evaluate(self, &mut memory, &CancellationToken::new()).await;
            }
        }
    }

    impl Site for Script {
        async fn look(&self, evaluation: usize) -> Vec<(Silence, Finding)> {
            assert_eq!(self.looked.fetch_add(1, Ordering::Relaxed), evaluation);
            self.looks[evaluation].clone()
        }

        fn doubt(&self, doubt: Doubt, silences: usize, is_new: bool) {
            self.doubts.lock().unwrap().push((doubt, silences, is_new));
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
        let script = Script::new(looks);
        script.play().await;
        assert_eq!(*script.ended.lock().unwrap(), [("a".to_owned(), 3)], "b was never quiet for long enough");
    }

    #[tokio::test]
    async fn each_doubt_is_counted_and_told_where_it_begins() {
        use Doubt::{Stale, Unanswered};
        let look =
            |a: Doubt, b: Doubt| vec![(silence("a"), Finding::Doubtful(a)), (silence("b"), Finding::Doubtful(b))];
        let script = Script::new(vec![look(Stale, Stale), look(Stale, Unanswered), Vec::new(), look(Stale, Stale)]);
        script.play().await;
        let told = [(Stale, 2, true), (Stale, 1, false), (Unanswered, 1, true), (Stale, 2, true)];
        assert_eq!(*script.doubts.lock().unwrap(), told);
    }
}
