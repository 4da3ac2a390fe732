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
//! - Something is known: it goes on with that, and what is old is refreshed behind its back.
//!
//! One lock orders everything that happens to one alert, so that an older post can never overtake a newer one. All of it is
//! done in the background ([`background`]), and what is posted comes there by `hold/inbox.rs`.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alert::{Alert, Fingerprint, Texts};
use crate::annotate;
use crate::background;
use crate::body;
use crate::detail::{Answer, Failure, Target};
use crate::events::{Enrichment, Events};
use crate::forward::Forwarder;
use crate::overview::{Row, State};
use crate::setup::{Setup, Shared};

mod inbox;
mod memory;

use inbox::{Batch, Inbox};
use memory::{Known, Memory};

/// Details that are refreshed at a time for alerts which went on already; beyond it the old ones serve longer.
const REFRESHES: usize = 64;

/// Holds alerts for their details.
#[derive(Debug)]
pub struct Hold {
    setup: Shared,
    inbox: Inbox,
    held: Mutex<HashMap<Fingerprint, Held>>,
    /// How many that are, for those who must not wait for the lock.
    holding: AtomicUsize,
    memory: Memory,
    refreshes: Arc<Semaphore>,
    forwarder: Arc<Forwarder>,
    events: Arc<Events>,
    tracker: TaskTracker,
    /// Cancelled when only what is held still matters.
    stop: CancellationToken,
    /// Cancelled when what is held has to go on as it is.
    hurry: CancellationToken,
    zone: TimeZone,
}

/// An alert that waits.
#[derive(Debug)]
struct Held {
    alert: Alert,
    /// Host and port that are asked.
    node: Arc<str>,
    /// When it began to wait.
    since: Instant,
    /// When it was first posted as what it is now, firing or resolved; no answer from before is of use.
    changed: Instant,
}

// === impl Hold ===

impl Hold {
    /// A hold without alerts; needs a runtime.
    pub fn start(setup: Shared, forwarder: Arc<Forwarder>, events: Arc<Events>) -> Arc<Self> {
        let memory = Memory::new(setup.load().config.limits.memory_bytes);
        let hold = Arc::new(Self {
            setup,
            inbox: Inbox::new(),
            held: Mutex::default(),
            holding: AtomicUsize::new(0),
            memory,
            refreshes: Arc::new(Semaphore::new(REFRESHES)),
            forwarder,
            events,
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
            zone: TimeZone::system(),
        });
        hold.spawn(Arc::clone(&hold).work_off());
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
        let target = Target::find(&setup.config, alert.labels());
        let mut held = self.lock();
        if let Some(waiting) = held.get_mut(&alert.fingerprint()) {
            return waiting.replace(alert, now);
        }
        match target {
            None => self.send(alert, Arc::default(), Enrichment::None),
            Some(Err(error)) => {
                let known = Known::failure(&alert, &Failure::from(error), None, Timestamp::now());
                let annotations = known.annotations();
                self.memory.put(alert.fingerprint(), known);
                self.send(alert, annotations, Enrichment::Failed);
            }
            Some(Ok(target)) => match self.memory.known_of(&alert) {
                Some(known) => {
                    self.refresh(&alert, &known, target, setup);
                    self.send(alert, known.annotations(), Enrichment::Remembered);
                }
                None if held.len() >= setup.config.limits.held_alerts => {
                    let known = self.learn(&alert, &target, Err(Failure::crowded()), &setup);
                    self.send(alert, known.annotations(), Enrichment::Crowded);
                }
                None => {
                    let fingerprint = alert.fingerprint();
                    held.insert(fingerprint, Held::new(alert, target.url().authority(), now));
                    self.holding.store(held.len(), Ordering::Relaxed);
                    let hold = Arc::clone(self);
                    self.spawn(async move { hold.wait(fingerprint, &target, &setup).await });
                }
            },
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
        let held = self.lock();
        let oldest = held.values().map(|held| held.since).chain(first).min();
        (taken + held.len(), oldest.map(|since| since.elapsed()).unwrap_or_default())
    }

    /// The alerts that wait, and those that were sent within the last 20 minutes and that a source matches.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.lock().values().map(Held::row).collect();
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
    async fn wait(&self, fingerprint: Fingerprint, target: &Target, setup: &Setup) {
        let Some((_, mut not_before)) = self.held(fingerprint) else { return };
        let deadline = not_before + setup.config.hold;
        loop {
            let mut fetch = pin!(setup.details.get(target, not_before.into_std()));
            let in_time = self.hurry.run_until_cancelled(timeout_at(deadline, fetch.as_mut())).await;
            let Some((alert, changed)) = self.held(fingerprint) else { return };
            let Some(Ok(answer)) = in_time else {
                let late = match in_time {
                    Some(_) => Failure::late(target, setup.config.hold),
                    None => Failure::stopping(target),
                };
                self.release(&alert, self.learn(&alert, target, Err(late), setup), Enrichment::Failed);
                // The next resend takes along what comes too late for this post.
                let rest = timeout(setup.config.fetch.timeout, fetch);
                if let Some(Ok(answer)) = self.stop.run_until_cancelled(rest).await {
                    self.remember(&alert, self.learn(&alert, target, answer, setup));
                }
                return;
            };
            if changed > not_before && Instant::now() < deadline {
                // What was asked before it was resolved may not know that.
                not_before = changed;
                continue;
            }
            let enrichment = if answer.is_ok() { Enrichment::Fetched } else { Enrichment::Failed };
            return self.release(&alert, self.learn(&alert, target, answer, setup), enrichment);
        }
    }

    /// Lets the newest post of a held alert go on with what is known.
    fn release(&self, alert: &Alert, known: Known, enrichment: Enrichment) {
        let mut held = self.lock();
        let Some(Held { alert, since, .. }) = held.remove(&alert.fingerprint()) else { return };
        self.holding.store(held.len(), Ordering::Relaxed);
        self.events.waited(since.elapsed());
        let annotations = known.annotations();
        self.memory.put(alert.fingerprint(), known);
        self.send(alert, annotations, enrichment);
    }

    /// Asks anew for what an alert was given, if that is old and not too many others are being refreshed.
    fn refresh(self: &Arc<Self>, alert: &Alert, known: &Known, target: Target, setup: Arc<Setup>) {
        let fetch = setup.config.fetch;
        // Nor would a resolved message be right with what the check says when it fails the next time.
        if known.age() < fetch.cache || known.is_final() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.refreshes).try_acquire_owned() else { return };
        self.memory.put(alert.fingerprint(), known.clone().renewed());
        let (hold, alert) = (Arc::clone(self), alert.clone());
        self.spawn(async move {
            let _permit = permit;
            let not_before = Instant::now().checked_sub(fetch.cache).unwrap_or_else(Instant::now);
            let answer = timeout(fetch.timeout, setup.details.get(&target, not_before.into_std()));
            if let Some(Ok(answer)) = hold.stop.run_until_cancelled(answer).await {
                hold.remember(&alert, hold.learn(&alert, &target, answer, &setup));
            }
        });
    }

    /// What `answer` tells of the alert. Takes a while for a long output, so the lock is not held.
    fn learn(&self, alert: &Alert, target: &Target, answer: Answer, setup: &Setup) -> Known {
        let (now, before) = (Timestamp::now(), self.memory.any_of(alert));
        let known = match answer {
            Ok(fetched) => {
                let context = annotate::Context {
                    url: target.url(),
                    zone: &self.zone,
                    labels: alert.labels(),
                    last_change: alert.last_change(),
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
    fn remember(&self, alert: &Alert, known: Known) {
        let _ordered = self.lock();
        if self.memory.known_of(alert).is_some() {
            self.memory.put(alert.fingerprint(), known);
        }
    }

    fn send(&self, alert: Alert, annotations: Arc<Texts>, enrichment: Enrichment) {
        self.events.enriched(enrichment);
        self.forwarder.send(alert.into_outgoing(annotations));
    }

    /// A held alert, and when it changed.
    fn held(&self, fingerprint: Fingerprint) -> Option<(Alert, Instant)> {
        self.lock().get(&fingerprint).map(|held| (held.alert.clone(), held.changed))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Held ===

impl Held {
    fn new(alert: Alert, node: &str, now: Instant) -> Self {
        Self { alert, node: node.into(), since: now, changed: now }
    }

    /// As the overview shows it.
    fn row(&self) -> Row {
        Row {
            fingerprint: self.alert.fingerprint(),
            labels: Arc::clone(self.alert.labels()),
            node: Arc::clone(&self.node),
            state: State::Waiting,
            error: None,
            output: None,
            resolved: self.alert.is_resolved(),
            changed: self.alert.last_change(),
            asked: None,
            attempts: 0,
        }
    }

    /// The newest post wins.
    fn replace(&mut self, alert: Alert, now: Instant) {
        if alert.is_resolved() != self.alert.is_resolved() {
            self.changed = now;
        }
        self.alert = alert;
    }
}
