//! The sender of one Alertmanager: it delivers what waits, batch after batch, and tries again what it could not.
//!
//! An alert that Alertmanager refuses is found by halving its batch, or by its names where those are refused. So is one on
//! which Alertmanager, or what stands before it, hangs, hangs up or answers anything else, but only when its batch has failed so
//! several times in a row. A server in trouble does that to every alert, and many bad ones may come in a row: what is tried
//! after one that is not taken is from elsewhere in the batch, and only when several of those fail as well is it the server's
//! fault. Each such suspect goes to the end of the queue, and is posted apart from the others until it is taken, one at a time.
//! Who has to wait for it to fail should not wait often.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::peer::Peer;
use super::post::{PostError, post};
use super::waits::Waits;
use crate::alert::{Fingerprint, Outgoing};
use crate::annotate;
use crate::events::{Events, Loss};
use crate::setup::Shared;

/// Failures in a row of an Alertmanager that was reached, after which an alert of the batch is suspected.
const PATIENCE: u32 = 3;

/// Alerts from all over a batch that are not taken alone, while no other is: then it is the server's fault.
const ALONE: usize = 5;

/// How long suspects are not tried after one for which Alertmanager hung, while it takes others.
const REST: Duration = Duration::from_secs(60);

/// What a sender needs beside its Alertmanager.
pub(super) struct Parts {
    pub(super) setup: Shared,
    pub(super) events: Arc<Events>,
}

/// Delivers what is pending until it is told to stop and nothing is left.
pub(super) async fn run(peer: Arc<Peer>, parts: Parts) {
    let target = peer.at("/api/v2/alerts");
    let mut sender =
        Sender { peer, target, parts, waits: Waits::new(false), failures: 0, suspects: HashSet::default(), rest: None };
    while sender.goes_on().await {
        sender.deliver_next().await;
    }
}

type Batch = Vec<Arc<Outgoing>>;

struct Sender {
    peer: Arc<Peer>,
    target: Url,
    parts: Parts,
    waits: Waits,
    /// How often in a row it failed though it was reached.
    failures: u32,
    /// Of what waits.
    suspects: HashSet<Fingerprint>,
    /// Until when none of those is tried.
    rest: Option<Instant>,
}

/// What became of a batch.
#[derive(Default)]
struct Round {
    /// Whether any alert was taken.
    taken: bool,
    /// Alerts that were not taken alone.
    suspects: Batch,
    /// Whether it hung for one of those.
    hung: bool,
    /// Those that were not tried to the end, and why.
    left: Option<(Batch, PostError)>,
    /// Those that were not tried because others came first.
    later: Batch,
}

// === impl Sender ===

impl Sender {
    /// Waits for something to deliver; false when the sender ends.
    async fn goes_on(&self) -> bool {
        tokio::select! {
            biased;
            () = self.peer.life.over() => {}
            () = self.peer.pending.filled() => return true,
            () = self.peer.life.ending() => {}
        }
        !self.peer.end(&self.parts.events)
    }

    async fn deliver_next(&mut self) {
        let batch = self.peer.take(&self.parts.events);
        let round = tokio::select! {
            biased;
            () = self.peer.life.over() => {
                let late = PostError::Failed("there is no time left".to_owned());
                Round { left: Some((batch.clone(), late)), ..Round::default() }
            }
            round = self.deliver(batch.clone()) => round,
        };
        self.settle(round).await;
    }

    /// Puts back what was not taken, and waits where trying again at once is no use.
    async fn settle(&mut self, round: Round) {
        let Round { taken, suspects, hung, left, later } = round;
        let (pending, events, name) = (&self.peer.pending, &self.parts.events, self.peer.name());
        if taken {
            self.waits = self.waits.anew();
            self.rest = if hung { Some(Instant::now() + REST) } else { self.rest };
        }
        if let Some((rest, error)) = left {
            // Where it is the alerts' fault after all, a run of them is longer than the batch: others come first next time.
            let has_tried_alone = self.halves() && error.may_be_an_alert();
            let (front, mut end) = if has_tried_alone { (Batch::new(), rest) } else { (rest, Batch::new()) };
            self.failures = if error.may_be_an_alert() { self.failures + 1 } else { 0 };
            self.suspects.extend(suspects.iter().map(|alert| alert.fingerprint));
            end.extend(suspects);
            pending.put_back(front, end);
            self.peer.set_down(true);
            events.retried(name, &error.to_string());
            self.waits.next(&self.peer).await;
            return self.forget_suspects();
        }
        self.failures = 0;
        if suspects.is_empty() {
            pending.delivered();
            return self.forget_suspects();
        }
        let count = suspects.len();
        // Those that were suspects before say nothing about the Alertmanager: it took the others.
        let is_down = !taken && suspects.iter().any(|alert| !self.suspects.contains(&alert.fingerprint));
        self.suspects.extend(suspects.iter().map(|alert| alert.fingerprint));
        pending.put_back(Vec::new(), [later, suspects].concat());
        if is_down {
            self.peer.set_down(true);
            events.retried(name, "it does not take the alerts that wait for it");
            self.waits.next(&self.peer).await;
        } else {
            events.suspected(name, count);
            // Others need not wait because these must.
            tokio::select! {
                () = self.waits.next(&self.peer), if !taken => {}
                () = pending.others_than(&self.suspects), if !taken => {}
                else => {}
            }
        }
        self.forget_suspects();
    }

    fn forget_suspects(&mut self) {
        self.suspects.retain(|suspect| self.peer.pending.has(*suspect));
    }

    /// Delivers `batch`. Alertmanager has kept the good alerts of a batch that it refuses with 400, but of one that it refuses
    /// with 422 none, so both halves are posted again. What is refused alone is posted with the reason in the place of
    /// what the proxy added, and at last as it came: what was added shall not cost the alert.
    async fn deliver(&self, batch: Batch) -> Round {
        let halving = self.halves();
        let (mut known, others): (Batch, Batch) =
            batch.into_iter().partition(|alert| self.suspects.contains(&alert.fingerprint));
        let mut untried = known.split_off(known.len().min(if self.rests() { 0 } else { 1 }));
        let (mut round, mut work) = (Round::default(), vec![known, others]);
        while let Some(batch) = work.pop() {
            // The posts before may have taken minutes.
            let batch = self.peer.fresh(batch, &self.parts.events);
            let Some(first) = batch.first() else { continue };
            let error = match self.post(&batch).await {
                Ok(()) => {
                    // What hung before may have been the Alertmanager's own trouble.
                    round.hung &= round.taken;
                    round.taken = true;
                    continue;
                }
                Err(error) => error,
            };
            let is_refusal = matches!(error, PostError::Refused { .. });
            let may_be_the_alert = halving && error.may_be_an_alert();
            if batch.len() > 1 && (is_refusal || may_be_the_alert) {
                let mut parts = split(batch, &error);
                if !round.suspects.is_empty() {
                    // The good ones in front of a bad one have gone, those behind it come first now.
                    parts.reverse();
                }
                work.extend(parts);
            } else if is_refusal {
                self.peer.set_down(false);
                round.taken = true;
                work.extend(self.refused(first, &error));
            } else if may_be_the_alert {
                if self.takes_reduced(first, &error).await {
                    round.taken = true;
                    continue;
                }
                round.hung |= matches!(error, PostError::Hung(_));
                round.suspects.push(Arc::clone(first));
                if round.is_of_no_use() && work.iter().any(|part| !part.is_empty()) {
                    round.left = Some((in_order(work), error));
                    break;
                }
                if round.hung && round.taken {
                    // Each of the kind takes the whole timeout, again and again: those that have come meanwhile are not to wait.
                    round.later = in_order(work);
                    break;
                }
                go_elsewhere(&mut work, !round.taken);
            } else {
                work.push(batch);
                round.left = Some((in_order(work), error));
                break;
            }
        }
        untried.append(&mut round.suspects);
        Round { suspects: untried, ..round }
    }

    /// Whether an alert of a batch is suspected when that fails.
    fn halves(&self) -> bool {
        self.failures >= PATIENCE || !self.suspects.is_empty()
    }

    /// Whether suspects are not tried now.
    fn rests(&self) -> bool {
        self.rest.is_some_and(|rest| Instant::now() < rest) && !self.peer.life.is_ending()
    }

    async fn post(&self, batch: &[Arc<Outgoing>]) -> Result<(), PostError> {
        let timeout = self.parts.setup.load().config.forward.timeout;
        post(&self.peer.way().client, &self.target, batch, timeout).await?;
        self.peer.set_down(false);
        self.parts.events.forwarded(self.peer.name(), batch.len());
        Ok(())
    }

    /// What is still to be posted of an alert that was refused alone.
    fn refused(&self, alert: &Outgoing, error: &PostError) -> Option<Batch> {
        let (events, name) = (&self.parts.events, self.peer.name());
        let Some(reduced) = reduced(alert, error) else {
            events.dropped(Loss::Rejected, name, 1, &error.to_string());
            return None;
        };
        events.stripped(name, &error.to_string());
        Some(vec![Arc::new(reduced)])
    }

    /// Posts a suspect without what was added to it, if anything was.
    async fn takes_reduced(&self, alert: &Outgoing, error: &PostError) -> bool {
        let Some(reduced) = reduced(alert, error) else { return false };
        let taken = self.post(&[Arc::new(reduced)]).await.is_ok();
        if taken {
            self.parts.events.stripped(self.peer.name(), &error.to_string());
        }
        taken
    }
}

/// The alert without what was added to it, which says why; none where that cannot be what was refused.
fn reduced(alert: &Outgoing, error: &PostError) -> Option<Outgoing> {
    // What is added has names that every Alertmanager takes.
    let is_own = error.is_of_names() && !alert.has_plain_names;
    let reason = annotate::explain(&format!("Alertmanager did not take the alert with it: {error}"));
    alert.reduced((annotate::ERROR, &reason)).filter(|_| !is_own)
}

/// The parts of a batch that are posted in its place, the last one first. Where Alertmanager refuses a name, those with names
/// that not every Alertmanager takes are posted alone, and all others at once; otherwise it is halved.
fn split(mut batch: Batch, error: &PostError) -> Vec<Batch> {
    let of_names = error.is_of_names() && batch.iter().any(|alert| !alert.has_plain_names);
    if !of_names {
        let half = batch.split_off(batch.len() / 2);
        return vec![half, batch];
    }
    let (plain, odd): (Batch, Batch) = batch.into_iter().partition(|alert| alert.has_plain_names);
    odd.into_iter().rev().map(|alert| vec![alert]).chain([plain]).collect()
}

/// Goes on with the largest part, since what stands beside a bad alert may be bad as well; `alone` with its last alert.
fn go_elsewhere(work: &mut Vec<Batch>, alone: bool) {
    work.sort_by_key(Vec::len);
    if alone && let Some(mut part) = work.pop() {
        let mut half = part.split_off(part.len() / 2);
        let last = half.pop().into_iter().collect();
        work.extend([part, half, last]);
    }
}

/// All that is still to be done, what would be next first.
fn in_order(work: Vec<Batch>) -> Batch {
    work.into_iter().rev().flatten().collect()
}

// === impl Round ===

impl Round {
    /// Whether so many alerts failed alone, and nothing else was taken, that it is not their fault.
    fn is_of_no_use(&self) -> bool {
        !self.taken && self.suspects.len() >= ALONE
    }
}

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwap;
    use futures_util::FutureExt as _;
    use jiff::Timestamp;
    use prometheus_client::registry::Registry;
    use service::http::ClientOptions;

    use super::*;
    use crate::alert::tests::outgoing;
    use crate::forward::peer::tests::peer;

    fn parts(registry: &mut Registry) -> Parts {
        let events = Arc::new(Events::new(registry));
        let config = crate::Config::parse("alertmanagers: [{url: \"http://127.0.0.1:1\"}]").unwrap();
        let options = ClientOptions::new(service::build_info!());
        let setup = crate::setup::Setup::new(config, &options, Arc::clone(&events)).unwrap();
        Parts { setup: Arc::new(ArcSwap::from_pointee(setup)), events }
    }

    #[tokio::test]
    async fn who_takes_others_and_hangs_on_a_suspect_is_not_asked_for_that_again_at_once() {
        let (suspect, target) = (Arc::new(outgoing("a", "{}", Timestamp::MAX)), "http://127.0.0.1:1".parse().unwrap());
        let (parts, waits) = (parts(&mut Registry::default()), Waits::new(false));
        let suspects = HashSet::from([suspect.fingerprint]);
        let mut sender = Sender { peer: Arc::new(peer()), target, parts, waits, failures: 0, suspects, rest: None };
        assert!(sender.deliver(vec![Arc::clone(&suspect)]).await.left.is_some(), "it was tried, where nobody listens");
        let suspects = vec![Arc::clone(&suspect)];
        sender.settle(Round { taken: true, hung: true, suspects, ..Round::default() }).await;
        let round = sender.deliver(vec![suspect]).await;
        assert!(round.left.is_none() && round.suspects.len() == 1, "it was not tried");
        sender.peer.life.retire(REST);
        assert!(sender.rest.is_some() && !sender.rests(), "it has to be tried now");
    }

    #[tokio::test]
    async fn more_suspects_than_a_batch_has_are_no_reason_to_try_again_at_once() {
        let (peer, target) = (Arc::new(peer()), "http://127.0.0.1:1".parse().unwrap());
        let alerts: Vec<_> = (0..257).map(|name| Arc::new(outgoing(&name.to_string(), "{}", Timestamp::MAX))).collect();
        alerts.iter().for_each(|alert| assert!(!peer.push(Arc::clone(alert), 999)));
        let suspects = alerts.iter().map(|alert| alert.fingerprint).collect();
        let (parts, waits) = (parts(&mut Registry::default()), Waits::new(false));
        let mut sender = Sender { peer, target, parts, waits, failures: 0, suspects, rest: None };
        let none_taken = |peer: &Peer, parts: &Parts| Round { suspects: peer.take(&parts.events), ..Round::default() };
        let round = none_taken(&sender.peer, &sender.parts);
        assert!(sender.settle(round).now_or_never().is_none(), "all that waits is suspected");
        let round = none_taken(&sender.peer, &sender.parts);
        sender.peer.push(Arc::new(outgoing("new", "{}", Timestamp::MAX)), 999);
        assert!(sender.settle(round).now_or_never().is_some(), "another one does not wait for them");
    }

    #[tokio::test]
    async fn what_is_behind_a_batch_comes_first_when_alerts_of_it_failed_alone() {
        let (peer, target) = (Arc::new(peer()), "http://127.0.0.1:1".parse().unwrap());
        let alerts: Vec<_> = (0..257).map(|name| Arc::new(outgoing(&name.to_string(), "{}", Timestamp::MAX))).collect();
        alerts.iter().for_each(|alert| assert!(!peer.push(Arc::clone(alert), 999)));
        let (parts, waits, suspects) = (parts(&mut Registry::default()), Waits::new(false), HashSet::default());
        let mut sender = Sender { peer, target, parts, waits, failures: 0, suspects, rest: None };
        for first in [0, 0, 0, 256] {
            let batch = sender.peer.take(&sender.parts.events);
            let error = PostError::Unwilling("answered 403 Forbidden".to_owned());
            assert!(sender.settle(Round { left: Some((batch, error)), ..Round::default() }).now_or_never().is_none());
            let next = sender.peer.take(&sender.parts.events);
            assert_eq!(next[0].fingerprint, alerts[first].fingerprint);
            sender.peer.pending.put_back(next, Vec::new());
        }
    }

    #[tokio::test]
    async fn what_a_hanging_alert_kept_from_being_tried_comes_behind_what_waits_and_before_that_alert() {
        let (peer, target) = (Arc::new(peer()), "http://127.0.0.1:1".parse().unwrap());
        let alerts: Vec<_> = (0..257).map(|name| Arc::new(outgoing(&name.to_string(), "{}", Timestamp::MAX))).collect();
        alerts.iter().for_each(|alert| assert!(!peer.push(Arc::clone(alert), 999)));
        let (parts, waits, suspects) = (parts(&mut Registry::default()), Waits::new(false), HashSet::default());
        let mut sender = Sender { peer, target, parts, waits, failures: 0, suspects, rest: None };
        let mut suspects = sender.peer.take(&sender.parts.events);
        let later = suspects.split_off(1);
        let round = Round { taken: true, hung: true, suspects, later, ..Round::default() };
        assert!(sender.settle(round).now_or_never().is_some(), "nobody waits for it");
        let next: Vec<_> = sender.peer.take(&sender.parts.events).iter().map(|alert| alert.fingerprint).collect();
        let want: Vec<_> = [256].into_iter().chain(1..256).map(|index: usize| alerts[index].fingerprint).collect();
        assert_eq!(next, want);
    }

    #[tokio::test]
    async fn what_has_become_stale_in_a_round_is_not_posted() {
        let (mut registry, target) = (Registry::default(), "http://127.0.0.1:1".parse().unwrap());
        let (parts, waits, suspects) = (parts(&mut registry), Waits::new(false), HashSet::default());
        let sender = Sender { peer: Arc::new(peer()), target, parts, waits, failures: 0, suspects, rest: None };
        let round = sender.deliver(vec![Arc::new(outgoing("a", "{}", Timestamp::UNIX_EPOCH))]).await;
        assert!(round.left.is_none() && !round.taken, "nobody listens there");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("alerts_dropped_total{reason=\"stale\",alertmanager=\"http://am:9093\"} 1\n"), "{text}");
    }

    #[tokio::test]
    async fn what_a_removed_alertmanager_does_not_take_in_time_is_counted() {
        let mut registry = Registry::default();
        let (peer, parts) = (Arc::new(peer()), parts(&mut registry));
        peer.push(Arc::new(outgoing("a", "{}", Timestamp::MAX)), 9);
        peer.life.retire(Duration::from_millis(1));
        run(Arc::clone(&peer), parts).await;
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let series = "alerts_dropped_total{reason=\"removed\",alertmanager=\"http://am:9093\"} 1\n";
        assert!(text.contains(series), "{text}");
    }
}
