//! A circuit breaker for each node: one that does not answer is left alone for a while.
//!
//! Each failure in a row that says something of the node, not of a check, is counted. At the limit the circuit opens:
//! what is asked of the node fails at once, with the last reason, instead of after a wait. After the rest one request
//! is let through. What it comes to closes the circuit, or opens it for another rest.
//!
//! Only nodes that failed of late are kept, and a bounded number of those; the others are asked as if nothing were
//! known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::config::Breaker;

/// Nodes that are kept; some hundred bytes each.
const MOST_NODES: usize = 1 << 16;

/// How long a node is kept that nobody asks any more.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// A node that is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCircuit {
    /// Its host and port.
    pub node: String,
    /// Since when.
    pub since: Timestamp,
    /// How often it failed in a row.
    pub failures: usize,
    /// The last failure.
    pub reason: Arc<str>,
}

/// The breakers of all nodes.
#[derive(Debug)]
pub(super) struct Breakers {
    settings: Breaker,
    most: usize,
    circuits: Mutex<HashMap<String, Circuit>>,
}

/// A node that failed the last time that it was asked.
#[derive(Debug)]
struct Circuit {
    failures: usize,
    reason: Arc<str>,
    /// When it was last asked, or would have been.
    used: Instant,
    open: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    since: Timestamp,
    until: Instant,
    /// Whether a request is under way to see if it answers again.
    probed: bool,
}

/// Leave to ask a node. Dropped without a verdict, it says nothing of the node.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    breakers: &'a Breakers,
    node: &'a str,
    probe: bool,
}

/// What a failure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// The circuit opened.
    Opened,
    /// Too many nodes failed of late to keep this one.
    Untracked,
}

// === impl Breakers ===

impl Breakers {
    pub(super) fn new(settings: Breaker) -> Self {
        Self { settings, most: MOST_NODES, circuits: Mutex::default() }
    }

    /// Fails where the node is left alone. Says nothing of what comes next: see [`Self::enter`].
    pub(super) fn check(&self, node: &str, now: Instant) -> Result<(), OpenCircuit> {
        match self.lock().get_mut(node).and_then(|circuit| circuit.refusal(node, now)) {
            Some(open) => Err(open),
            None => Ok(()),
        }
    }

    /// Leave to ask the node now.
    pub(super) fn enter<'a>(&'a self, node: &'a str, now: Instant) -> Result<Leave<'a>, OpenCircuit> {
        let mut circuits = self.lock();
        let Some(circuit) = circuits.get_mut(node) else { return Ok(Leave { breakers: self, node, probe: false }) };
        if let Some(open) = circuit.refusal(node, now) {
            return Err(open);
        }
        let rest = circuit.open.as_mut().map(|rest| rest.probed = true);
        Ok(Leave { breakers: self, node, probe: rest.is_some() })
    }

    /// The nodes that are left alone, or would be if they were asked once more in vain.
    pub(super) fn open(&self, now: Instant) -> Vec<OpenCircuit> {
        let mut circuits = self.lock();
        circuits.retain(|_, circuit| circuit.is_used(now));
        circuits.iter().filter_map(|(node, circuit)| circuit.told(node)).collect()
    }

    fn fail(&self, node: &str, reason: &str, probe: bool, now: Instant) -> Change {
        let mut circuits = self.lock();
        if circuits.len() >= self.most && !circuits.contains_key(node) {
            circuits.retain(|_, circuit| circuit.is_used(now));
            if circuits.len() >= self.most {
                return Change::Untracked;
            }
        }
        let circuit = circuits.entry(node.to_owned()).or_insert_with(|| Circuit::new(now));
        circuit.failures += 1;
        (circuit.reason, circuit.used) = (reason.into(), now);
        let until = now + self.settings.rest;
        match &mut circuit.open {
            Some(rest) => {
                // Requests from before it opened fail one by one; only the probe begins another rest.
                if probe {
                    (rest.until, rest.probed) = (until, false);
                }
                Change::None
            }
            None if circuit.failures >= self.settings.failures => {
                circuit.open = Some(Rest { since: Timestamp::now(), until, probed: false });
                Change::Opened
            }
            None => Change::None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Leave ===

impl Leave<'_> {
    /// The node answered.
    pub(super) fn answered(mut self) {
        self.probe = false;
        self.breakers.lock().remove(self.node);
    }

    /// It did not.
    pub(super) fn failed(mut self, reason: &str, now: Instant) -> Change {
        let probe = std::mem::take(&mut self.probe);
        self.breakers.fail(self.node, reason, probe, now)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.probe
            && let Some(rest) = self.breakers.lock().get_mut(self.node).and_then(|circuit| circuit.open.as_mut())
        {
            rest.probed = false;
        }
    }
}

// === impl Circuit ===

impl Circuit {
    fn new(now: Instant) -> Self {
        Self { failures: 0, reason: "".into(), used: now, open: None }
    }

    /// Why nobody may ask now.
    fn refusal(&mut self, node: &str, now: Instant) -> Option<OpenCircuit> {
        self.used = now;
        let rests = self.open.as_ref().is_some_and(|rest| rest.probed || self.used < rest.until);
        if rests { self.told(node) } else { None }
    }

    fn is_used(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < IDLE
    }

    fn told(&self, node: &str) -> Option<OpenCircuit> {
        let since = self.open.as_ref()?.since;
        Some(OpenCircuit { node: node.to_owned(), since, failures: self.failures, reason: Arc::clone(&self.reason) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);

    fn breakers() -> Breakers {
        Breakers::new(Breaker { failures: 3, rest: REST })
    }

    fn fail(breakers: &Breakers, node: &str, times: usize, now: Instant) -> Change {
        (0..times).map(|_| breakers.enter(node, now).unwrap().failed("hung", now)).last().unwrap()
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_closes_it() {
        let (breakers, now) = (breakers(), Instant::now());
        assert_eq!(fail(&breakers, "a", 2, now), Change::None);
        breakers.enter("a", now).unwrap().answered();
        assert_eq!(fail(&breakers, "a", 2, now), Change::None, "counted anew");
        assert_eq!(fail(&breakers, "a", 1, now), Change::Opened);
        let told = breakers.check("a", now).unwrap_err();
        assert_eq!((&*told.node, told.failures, &*told.reason), ("a", 3, "hung"));
        assert_eq!(breakers.open(now), [told]);
        assert!(breakers.check("b", now).is_ok(), "another node is asked");
    }

    #[test]
    fn after_the_rest_one_request_is_let_through() {
        let (breakers, now) = (breakers(), Instant::now());
        fail(&breakers, "a", 3, now);
        assert!(breakers.enter("a", now + REST - Duration::from_millis(1)).is_err());
        let later = now + REST;
        let probe = breakers.enter("a", later).unwrap();
        assert!(breakers.enter("a", later).is_err(), "one alone");
        assert_eq!(probe.failed("hung", later), Change::None);
        assert!(breakers.enter("a", later).is_err(), "another rest");
        breakers.enter("a", later + REST).unwrap().answered();
        assert!(breakers.enter("a", later + REST).is_ok() && breakers.open(later).is_empty());
    }

    #[test]
    fn a_probe_that_is_given_up_leaves_its_place_to_the_next() {
        let (breakers, now) = (breakers(), Instant::now());
        fail(&breakers, "a", 3, now);
        drop(breakers.enter("a", now + REST).unwrap());
        assert!(breakers.enter("a", now + REST).is_ok());
    }

    #[test]
    fn requests_from_before_it_opened_lengthen_no_rest() {
        let (breakers, now) = (breakers(), Instant::now());
        let early = [(); 2].map(|()| breakers.enter("a", now).unwrap());
        fail(&breakers, "a", 3, now);
        let late = now + REST - Duration::from_secs(1);
        assert!(early.into_iter().all(|leave| leave.failed("hung", late) == Change::None));
        assert!(breakers.enter("a", now + REST).is_ok());
    }

    #[test]
    fn a_bounded_number_of_nodes_is_kept_and_none_for_ever() {
        let (breakers, now) = (Breakers { most: 2, ..breakers() }, Instant::now());
        fail(&breakers, "a", 3, now);
        fail(&breakers, "b", 1, now);
        assert_eq!(fail(&breakers, "c", 1, now), Change::Untracked);
        assert!(breakers.check("c", now).is_ok() && breakers.check("a", now).is_err());
        let later = now + IDLE;
        assert!(breakers.check("a", later).is_ok(), "which is a use of it");
        assert_eq!(fail(&breakers, "c", 1, later), Change::None, "in the place of b");
        assert_eq!(breakers.open(later).len(), 1);
        assert_eq!(breakers.open(later + IDLE), []);
    }
}
