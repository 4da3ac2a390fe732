//! The heart of the proxy: each alert is held until its detail is there or its deadline has passed, and goes on once.
//!
//! Alertmanager's behaviour decides the rules. It may notify at the first post of an alert, so the detail has to be in that
//! one. Each later post replaces all annotations, so a bare resend would wipe the output: what an alert was given is
//! remembered and given to every resend at once, from whichever Prometheus it comes. A resolved message shows the
//! annotations of the last post, so the detail is fetched anew when an alert is resolved.
//!
//! - No source matches: the alert goes on untouched.
//! - Nothing is known since its last change: it is held, for `hold` at most. A post of the same alert meanwhile takes its
//!   place and keeps its deadline. Where too many are held, it goes on at once and says so; its resend has another try.
//! - Something is known: it goes on with that, and what is old is refreshed behind its back (`hold/refresh.rs`). That a node
//!   failed a while ago, and nothing else, counts as nothing: Alertmanager may not have told of the alert yet.
//! - The detail comes when the alert has gone on without: it is posted once more (`hold/late.rs`).
//!
//! One lock orders everything that happens to one alert, so that an older post can never overtake a newer one. All of it is
//! done in the background ([`background`]), and what is posted comes there by `hold/inbox.rs`.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alert::{Alert, Fingerprint, Incident, Texts};
use crate::annotate;
use crate::background;
use crate::body;
use crate::detail::{Answer, Failure, Target, Turn};
use crate::events::{Enrichment, Events};
use crate::forward::Forwarder;
use crate::overview::Row;
use crate::setup::{Setup, Shared};

mod inbox;
mod late;
mod memory;
mod refresh;
mod waiting;

use inbox::{Batch, Inbox};
use late::Late;
use memory::{Known, Memory};
use refresh::Refreshes;
use waiting::Held;

/// Holds alerts for their details.
#[derive(Debug)]
pub struct Hold {
    setup: Shared,
    inbox: Inbox,
    alerts: Mutex<Alerts>,
    /// How many are held, for those who must not wait for the lock.
    holding: AtomicUsize,
    memory: Memory,
    refreshes: Refreshes,
    forwarder: Arc<Forwarder>,
    events: Arc<Events>,
    tracker: TaskTracker,
    /// Cancelled when only what is held still matters.
    stop: CancellationToken,
    /// Cancelled when what is held has to go on as it is.
    hurry: CancellationToken,
    zone: TimeZone,
}

/// The alerts that something is still to happen to.
#[derive(Debug, Default)]
struct Alerts {
    held: HashMap<Fingerprint, Held>,
    /// Those that have gone on without a detail which is awaited.
    late: HashMap<Fingerprint, Late>,
}

/// The detail that a held alert waits for.
#[derive(Debug)]
struct Wanted {
    fingerprint: Fingerprint,
    target: Target,
    /// What was in force when it began to wait.
    setup: Arc<Setup>,
    /// When the alert goes on without it.
    deadline: Instant,
}

// === impl Hold ===

impl Hold {
    /// A hold without alerts; needs a runtime.
    pub fn start(setup: Shared, forwarder: Arc<Forwarder>, events: Arc<Events>) -> Arc<Self> {
        let memory = Memory::new(setup.load().config.limits.memory_bytes);
        let hold = Arc::new(Self {
            setup,
            inbox: Inbox::new(),
            alerts: Mutex::default(),
            holding: AtomicUsize::new(0),
            memory,
            refreshes: Refreshes::new(),
            forwarder,
            events,
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
            zone: TimeZone::system(),
        });
        hold.spawn(Arc::clone(&hold).work_off());
        hold.spawn(Arc::clone(&hold).refresh_all());
        hold
    }

    /// Takes the alerts of a `body`; waits only where very many bodies wait already.
    pub async fn take(&self, alerts: Vec<Alert>, body: body::Held) {
        self.inbox.put(alerts, body).await;
    }

    /// Looks at what is taken, until nothing more is.
    async fn work_off(self: Arc<Self>) {
        while let Some(Batch { alerts, posted, .. }) = self.inbox.next(&self.stop).await {
            alerts.into_iter().for_each(|alert| self.accept(alert, posted));
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn_on(work, &background::handle());
    }

    /// Lets an alert go on or holds it. When it was posted is the same for all of a batch: one answer serves them.
    fn accept(self: &Arc<Self>, alert: Alert, now: Instant) {
        let setup = self.setup.load_full();
        let source = setup.config.source_for(alert.labels());
        let (fingerprint, mut alerts) = (alert.fingerprint(), self.lock());
        if let Some(waiting) = alerts.held.get_mut(&fingerprint) {
            return waiting.replace(alert, now);
        }
        let late = alerts.late.remove(&fingerprint);
        let Some(source) = source else { return self.send(alert, Arc::default(), Enrichment::None) };
        let incident = alert.incident();
        if let Some(known) = self.memory.known_of(&incident).filter(|known| !known.is_vain(&setup.config.fetch)) {
            if let Some(late) = late.filter(|_| !known.is_answer()) {
                alerts.late.insert(fingerprint, late.again(&alert));
            }
            self.refresh(fingerprint, &known, &setup);
            return self.send(alert, known.annotations(), Enrichment::Remembered);
        }
        // Not before: most of what is posted is posted again, and a URL is a good part of what that takes.
        match Target::at(source, alert.labels()) {
            Err(error) => {
                let known = Known::failure(&incident, &Failure::from(error), None, Timestamp::now());
                self.pass(alert, known, Enrichment::Failed);
            }
            Ok(target) if alerts.held.len() >= setup.config.limits.held_alerts => {
                let known = self.learn(&incident, &target, Err(Failure::crowded()), &setup);
                self.send(alert, known.annotations(), Enrichment::Crowded);
            }
            Ok(target) => {
                let deadline = now + setup.config.hold;
                alerts.held.insert(fingerprint, Held::new(alert, target.url().authority(), now));
                self.holding.store(alerts.held.len(), Ordering::Relaxed);
                self.spawn(Arc::clone(self).wait(Wanted { fingerprint, target, setup, deadline }));
            }
        }
    }

    /// Whether more alerts wait for their details than can be asked for at a time.
    pub fn is_crowded(&self) -> bool {
        let (taken, _) = self.inbox.waiting();
        taken + self.holding.load(Ordering::Relaxed) > self.setup.load().config.fetch.concurrency
    }

    /// How many alerts are held, and for how long the oldest has been.
    pub fn held_alerts(&self) -> (usize, Duration) {
        let (taken, first) = self.inbox.waiting();
        let alerts = self.lock();
        let oldest = alerts.held.values().map(|held| held.since).chain(first).min();
        (taken + alerts.held.len(), oldest.map(|since| since.elapsed()).unwrap_or_default())
    }

    /// How many alerts went on without a detail that is still awaited.
    pub fn late_alerts(&self) -> usize {
        self.lock().late.len()
    }

    /// The alerts that wait, and those that were sent within the last 20 minutes and that a source matches.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.lock().held.values().map(Held::row).collect();
        let waiting: HashSet<_> = rows.iter().map(|row| row.fingerprint).collect();
        rows.extend(self.memory.rows().into_iter().filter(|row| !waiting.contains(&row.fingerprint)));
        rows
    }

    /// Waits until every held alert has gone on, at `deadline` without its detail. None is accepted any more.
    pub async fn drain(&self, deadline: Instant) {
        self.stop.cancel();
        self.tracker.close();
        if timeout_at(deadline, self.tracker.wait()).await.is_err() {
            self.hurry.cancel();
            self.tracker.wait().await;
        }
    }

    /// Waits for the detail of a held alert, and lets the alert go on.
    async fn wait(self: Arc<Self>, wanted: Wanted) {
        let details = &wanted.setup.details;
        loop {
            // What comes behind the turn takes several kilobytes, which those that wait for theirs do without.
            let turn = self.in_time(&wanted, details.turn()).await;
            let Some((alert, changed)) = self.held(wanted.fingerprint) else { return };
            let turn = match turn {
                Ok(turn) => turn,
                Err(late) => {
                    self.give_up(&alert, &wanted, late, changed);
                    // Now behind those that can still be in time.
                    let answer = details.get_late(&wanted.target, changed.into_std());
                    return Box::pin(self.catch_up(&alert, &wanted, changed, answer)).await;
                }
            };
            if Box::pin(self.ask(&wanted, changed, turn)).await.is_break() {
                return;
            }
        }
    }

    /// Asks for the detail of a held alert and lets the alert go on, unless it has to be asked for anew: what was asked before
    /// the alert was resolved may not know that.
    async fn ask(&self, wanted: &Wanted, not_before: Instant, turn: Turn<'_>) -> ControlFlow<()> {
        let Wanted { fingerprint, target, setup, deadline } = wanted;
        let mut fetch = pin!(setup.details.get(target, not_before.into_std(), turn));
        let answer = self.in_time(wanted, fetch.as_mut()).await;
        let Some((alert, changed)) = self.held(*fingerprint) else { return ControlFlow::Break(()) };
        match answer {
            Err(late) => {
                self.give_up(&alert, wanted, late, not_before);
                self.catch_up(&alert, wanted, not_before, setup.details.verdict(fetch)).await;
            }
            Ok(_) if changed > not_before && Instant::now() < *deadline => return ControlFlow::Continue(()),
            Ok(answer) => {
                let enrichment = if answer.is_ok() { Enrichment::Fetched } else { Enrichment::Failed };
                self.release(*fingerprint, self.learn(&alert, target, answer, setup), enrichment);
            }
        }
        ControlFlow::Break(())
    }

    /// What comes of `work` before the alert has to go on; why nothing does, otherwise.
    fn in_time<T>(&self, wanted: &Wanted, work: impl Future<Output = T>) -> impl Future<Output = Result<T, Failure>> {
        let Wanted { target, setup, deadline, .. } = wanted;
        // No `async fn`, which would have room for `work` twice.
        self.hurry.run_until_cancelled(timeout_at(*deadline, work)).map(|done| match done {
            Some(Ok(done)) => Ok(done),
            Some(Err(_)) => Err(Failure::late(target, setup.config.hold)),
            None => Err(Failure::stopping(target)),
        })
    }

    /// Lets a held alert go on whose detail is not there, but was `asked` for then. Why the try before came to nothing is more
    /// exact than that this one takes long as well.
    fn give_up(&self, alert: &Incident, wanted: &Wanted, late: Failure, asked: Instant) {
        let Wanted { fingerprint, target, setup, .. } = wanted;
        let before = self.memory.known_of(alert);
        let known = before.unwrap_or_else(|| self.learn(alert, target, Err(late), setup));
        let mut alerts = self.lock();
        let Some(held) = self.no_longer_held(&mut alerts, *fingerprint) else { return };
        if held.changed <= asked {
            alerts.late.insert(*fingerprint, Late::new(&held));
        }
        self.pass(held.alert, known, Enrichment::Failed);
    }

    /// Lets the newest post of a held alert go on with what is known.
    fn release(&self, fingerprint: Fingerprint, known: Known, enrichment: Enrichment) {
        let mut alerts = self.lock();
        let Some(held) = self.no_longer_held(&mut alerts, fingerprint) else { return };
        self.pass(held.alert, known, enrichment);
    }

    fn no_longer_held(&self, alerts: &mut Alerts, fingerprint: Fingerprint) -> Option<Held> {
        let held = alerts.held.remove(&fingerprint)?;
        self.holding.store(alerts.held.len(), Ordering::Relaxed);
        self.events.waited(held.since.elapsed());
        Some(held)
    }

    /// Sends an alert with what is known of it now.
    fn pass(&self, alert: Alert, known: Known, enrichment: Enrichment) {
        let annotations = known.annotations();
        self.memory.put(alert.fingerprint(), known);
        self.send(alert, annotations, enrichment);
    }

    /// What `answer` tells of the alert. Takes a while for a long output, so the lock is not held.
    fn learn(&self, alert: &Incident, target: &Target, answer: Answer, setup: &Setup) -> Known {
        let (now, before) = (Timestamp::now(), self.memory.any_of(alert.fingerprint));
        let known = match answer {
            Ok(fetched) => {
                let context = annotate::Context {
                    url: target.url(),
                    zone: &self.zone,
                    labels: &alert.labels,
                    last_change: alert.changed,
                    now,
                };
                let annotated = target.source(&setup.config).annotations.apply(&fetched.detail, &context);
                if let Some(error) = &annotated.error {
                    self.events.template_failed(error);
                }
                Known::detail(alert, &fetched, annotated)
            }
            Err(failure) => Known::failure(alert, &failure, before.clone(), now),
        };
        known.of(target.url().authority(), before.as_ref())
    }

    /// Remembers what is known of an alert that has gone on, unless it has changed since.
    fn remember(&self, alert: &Incident, known: Known) {
        let _ordered = self.lock();
        if self.memory.known_of(alert).is_some() {
            self.memory.put(alert.fingerprint, known);
        }
    }

    fn send(&self, alert: Alert, annotations: Arc<Texts>, enrichment: Enrichment) {
        self.events.enriched(enrichment);
        self.forwarder.send(alert.into_outgoing(annotations));
    }

    /// A held alert, and when it changed.
    fn held(&self, fingerprint: Fingerprint) -> Option<(Incident, Instant)> {
        self.lock().held.get(&fingerprint).map(|held| (held.alert.incident(), held.changed))
    }

    fn lock(&self) -> MutexGuard<'_, Alerts> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwap;
    use prometheus_client::registry::Registry;
    use service::http::ClientOptions;

    use super::*;
    use crate::Config;

    #[tokio::test]
    async fn an_alert_that_waits_for_its_turn_takes_little_memory() {
        let config = "alertmanagers: [{url: \"http://127.0.0.1:1\"}]\nsources: [{match: {}, url: \"http://a\", allow: [10.0.0.1]}]";
        let (config, events) = (Config::parse(config).unwrap(), Arc::new(Events::new(&mut Registry::default())));
        let target = Target::find(&config, &Texts::default()).unwrap().unwrap();
        let setup = Setup::new(config, &ClientOptions::new(service::build_info!()), Arc::clone(&events)).unwrap();
        let shared = Arc::new(ArcSwap::from_pointee(setup));
        let (setup, forwarder) = (shared.load_full(), Forwarder::start(Arc::clone(&shared), Arc::clone(&events)));
        let fingerprint = Fingerprint::of(&Texts::default());
        let waiting = Hold::start(shared, forwarder, events).wait(Wanted {
            fingerprint,
            target,
            setup,
            deadline: Instant::now(),
        });
        assert!(size_of_val(&waiting) <= 1_024, "{}", size_of_val(&waiting));
    }
}
