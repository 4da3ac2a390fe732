//! What may be told although it need not: each exemption has a cause, and holds only shortly after that.

use std::fmt;
use std::time::{Duration, Instant};

use e2e::{Member, Network, PEER_TIMEOUT};

use super::{Broken, GROUP_INTERVAL, Message, Past};
use crate::plan::{Fault, HOSTS, PUSHER};

/// How long after a fault has ended it may still show: the next post of Prometheus (5 s), the interval of groups, the wait of the second
/// Alertmanager for the first, and a busy machine.
const AFTERMATH: Duration = TOLD_BY_BOTH.saturating_add(Duration::from_secs(10));

/// How long it takes until both Alertmanagers have told what they know.
const TOLD_BY_BOTH: Duration = GROUP_INTERVAL.saturating_add(PEER_TIMEOUT);

/// How long after the first word of a change the second Alertmanager may still tell what was before: its wait for the word of the first,
/// from a moment at which what it knew was as late as scrape, evaluation (1 s each), the proxy's hold (2 s) and a busy machine make it.
const WAIT: Duration = PEER_TIMEOUT.saturating_add(Duration::from_secs(7));

/// How long after an ALERT it may be told again with the end of another alert of its check: that is sent again within 5 s.
const WITH_AN_END: Duration = TOLD_BY_BOTH.saturating_add(Duration::from_secs(7));

/// How long before a node falls silent its check may have ended, so that one Prometheus had heard of it and the other not: a run of the
/// check, a scrape (1 s each), and a busy machine.
const UNHEARD: Duration = Duration::from_secs(10);

/// What the proxy says where an Alertmanager took an alert only without its detail.
const NOT_TAKEN: &str = "Alertmanager did not take the alert";

/// What is odd about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// An ALERT of what was told as an ALERT.
    Twice,
    /// An ALERT of an incident while another of its check had not been told as over.
    Unended,
    /// A RESOLVED where the last word was one.
    EndTwice,
    /// A RESOLVED of an incident that goes on: a false all-clear.
    Early,
    /// An ALERT of an incident that was told as over, and is.
    Late,
    /// The only ALERT of a brief incident, long after it.
    Delayed,
    /// An ALERT of a check that has had no incident.
    Unplanned,
    /// A severity that its check did not have at the time.
    Severity,
}

/// Why a message is let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exemption {
    /// The second Alertmanager told what it had seen before it waited for the word of the first, and the state changed in between: of what
    /// both see at the same moment hardly ever.
    Waited,
    /// The same, since an Alertmanager was broken: the two tell of a group at different times since.
    OutOfStep,
    /// The check had failed otherwise before, whose end Prometheus sends again; Alertmanager tells again what fires when it has not told
    /// an end with it.
    Resent,
    /// The node fell silent when one Prometheus had heard of the end and the other had not; that one goes on until it hears.
    Unheard,
    /// An Alertmanager was broken: it did not hear what the other one told, or what Prometheus said.
    Alertmanager,
    /// A Prometheus was broken: it said what had been before.
    Prometheus,
    /// A proxy was stopped, or what was sent to it was: it handed on later what had been valid until a time that had passed then.
    Proxy,
    /// The store of the gateways lost everything: until the next push nothing is known.
    Emptied,
    /// What ended soon could be told only when something was whole again.
    Delayed,
    /// The machine held the check up, so that its runner said that it did not end in time.
    HeldUp,
}

// === impl Odd ===

impl Odd {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Twice => "told twice",
            Self::Unended => "told before the end of what was before it",
            Self::EndTwice => "its end was told again",
            Self::Early => "told as over while it went on",
            Self::Late => "told again after its end",
            Self::Delayed => "told long after its end",
            Self::Unplanned => "told of a check that has had no incident",
            Self::Severity => "told in a severity that its check did not have",
        }
    }

    /// What lets it pass, if something that was broken or held up then explains it.
    pub(super) fn exempt(self, message: &Message, past: &Past) -> Option<Exemption> {
        let held_up = !matches!(self, Self::EndTwice | Self::Early | Self::Delayed);
        if held_up && past.is_held_up(message) {
            return Some(Exemption::HeldUp);
        }
        past.near(message.at).find_map(|broken| self.by(broken.fault, message.node))
    }

    /// What lets it pass, if the fault explains it.
    fn by(self, fault: Fault, node: usize) -> Option<Exemption> {
        let is_of_state = matches!(self, Self::Early | Self::Late);
        let is_of_course = !matches!(self, Self::Unplanned | Self::Severity);
        // What Prometheus asks and sends goes by other ways.
        let is_of_network = matches!(fault, Fault::Network(..));
        match fault {
            _ if self == Self::Delayed => holds_up(fault, node).then_some(Exemption::Delayed),
            Fault::Stopped(Member::Proxy(_)) | Fault::Network(Member::Proxy(_), Network::Frozen) => {
                (self == Self::Early).then_some(Exemption::Proxy)
            }
            Fault::Emptied => (self == Self::Early && HOSTS[node] == PUSHER).then_some(Exemption::Emptied),
            Fault::Killed(member) | Fault::Stopped(member) | Fault::Network(member, _) => match member {
                Member::Alertmanager(_) => is_of_course.then_some(Exemption::Alertmanager),
                Member::Prometheus(_) => (is_of_state && !is_of_network).then_some(Exemption::Prometheus),
                _ => None,
            },
            _ => None,
        }
    }
}

// === impl Exemption ===

impl Exemption {
    /// Whether a pair does so while nothing was ever broken.
    pub(super) fn is_of_pair(self) -> bool {
        matches!(self, Self::Waited | Self::Resent)
    }

    /// What lets pass that an ALERT comes once more after one at that time, where ends of other alerts are sent again.
    pub(super) fn of_ends(message: &Message, alert: Instant) -> Option<Self> {
        (message.at.saturating_duration_since(alert) < WITH_AN_END).then_some(Self::Resent)
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waited => "an Alertmanager told what it had seen before it waited for the other",
            Self::OutOfStep => "the same, out of step since one was broken",
            Self::Resent => "Prometheus sent the end of another alert of the check again",
            Self::Unheard => "the node fell silent when one Prometheus had not heard of the end",
            Self::Alertmanager => "an Alertmanager was broken",
            Self::Prometheus => "a Prometheus was broken",
            Self::Proxy => "a proxy handed on what had run out while it was stopped",
            Self::Emptied => "the gateways' store was emptied",
            Self::Delayed => "something was broken until then",
            Self::HeldUp => "the machine held the check up",
        })
    }
}

// === impl Past ===

impl Past {
    /// What was broken at the time or shortly before.
    fn near(&self, at: Instant) -> impl Iterator<Item = &Broken> {
        self.broken.iter().filter(move |broken| is_near(at, broken.begun, broken.ended))
    }

    /// What lets pass that an Alertmanager says what was before the first word of a change, which the other one has told.
    pub(super) fn of_change(&self, message: &Message, change: &Message) -> Option<Exemption> {
        let is_near = message.at.saturating_duration_since(change.at) < WAIT;
        let before = self.broken.iter().filter(|broken| broken.begun <= message.at);
        let are_out_of_step = before.map(|broken| broken.fault).any(is_of_alertmanager);
        let exemption = if are_out_of_step { Exemption::OutOfStep } else { Exemption::Waited };
        (is_near && message.from != change.from).then_some(exemption)
    }

    /// Whether the machine held its check up at the time or shortly before.
    pub(super) fn is_held_up(&self, message: &Message) -> bool {
        self.was_held_up(message, AFTERMATH)
    }

    /// Whether the machine held its check up at the time or so long before.
    pub(super) fn was_held_up(&self, message: &Message, within: Duration) -> bool {
        let mut ours = self.held_up.iter().filter(|run| run.node == message.node && run.check == message.check);
        ours.any(|run| message.at >= run.from && message.at.saturating_duration_since(run.to) < within)
    }

    /// Whether what the message is about fell silent when its check had just ended at `ended`, at the time or shortly before.
    pub(super) fn is_unheard(&self, message: &Message, ended: Instant) -> bool {
        let had_ended = |broken: &&Broken| ended <= broken.begun && broken.begun < ended + UNHEARD;
        self.near(message.at).filter(had_ended).any(|broken| silences(broken.fault, message.node))
    }

    /// Why the end of an incident may be told with the output of before it: an Alertmanager that hears nothing takes an alert for over by
    /// itself when Prometheus has not repeated it for long enough, and has what came last.
    pub(super) fn outdates(&self, message: &Message) -> Option<Exemption> {
        self.near(message.at).any(|broken| is_of_alertmanager(broken.fault)).then_some(Exemption::Alertmanager)
    }

    /// Why a message may have a reason instead of an output, if something explains that.
    pub(super) fn explains(&self, message: &Message) -> Option<&'static str> {
        self.near(message.at).find_map(|broken| hides(broken.fault, message))
    }
}

fn is_of_alertmanager(fault: Fault) -> bool {
    match fault {
        Fault::Killed(member) | Fault::Stopped(member) | Fault::Network(member, _) => {
            matches!(member, Member::Alertmanager(_))
        }
        _ => false,
    }
}

fn is_near(at: Instant, begun: Instant, ended: Instant) -> bool {
    at >= begun && at.saturating_duration_since(ended) < AFTERMATH
}

/// Whether Prometheus hears nothing of a node's checks for the fault.
fn silences(fault: Fault, node: usize) -> bool {
    let pushes = HOSTS[node] == PUSHER;
    match fault {
        Fault::Killed(member) | Fault::Stopped(member) | Fault::Network(member, _) => match member {
            Member::Agent(of) => of == node,
            Member::Gateway(_) | Member::Redis => pushes,
            _ => false,
        },
        Fault::Corrupt(of, _) => of == node && !pushes,
        Fault::Emptied => pushes,
        _ => false,
    }
}

/// Whether what a node's checks say is told late for the fault: the node's own, or that of something which tells of all nodes.
fn holds_up(fault: Fault, node: usize) -> bool {
    match fault {
        Fault::Killed(member) | Fault::Stopped(member) | Fault::Network(member, _) => match member {
            Member::Alertmanager(_) | Member::Proxy(_) => true,
            Member::Prometheus(_) => !matches!(fault, Fault::Network(..)),
            Member::Runner(of) => of == node,
            _ => silences(fault, node),
        },
        Fault::Corrupt(of, _) | Fault::DiskFull(of) | Fault::Clock(of, _) => of == node,
        _ => silences(fault, node),
    }
}

/// What keeps the outputs of a node's checks from a proxy, or makes them old, if the fault does.
fn hides(fault: Fault, Message { node, text, .. }: &Message) -> Option<&'static str> {
    let pushes = HOSTS[*node] == PUSHER;
    match fault {
        // One that was stopped finds that the time for asking is over.
        Fault::Stopped(Member::Proxy(_)) => Some("a proxy was stopped"),
        Fault::Killed(member) | Fault::Stopped(member) | Fault::Network(member, _) => match member {
            Member::Agent(of) | Member::Runner(of) => (of == *node).then_some("its node was broken"),
            Member::Gateway(_) | Member::Redis => pushes.then_some("its gateways were broken"),
            Member::Alertmanager(_) => {
                text.contains(NOT_TAKEN).then_some("an Alertmanager did not take the alert with it")
            }
            Member::Proxy(_) | Member::Prometheus(_) | Member::WebUi => None,
        },
        Fault::NoNames => (!pushes).then_some("no name server answered"),
        Fault::Emptied => pushes.then_some("its gateways were broken"),
        Fault::Corrupt(of, _) | Fault::DiskFull(of) => (of == *node).then_some("its node was broken"),
        Fault::Clock(of, _) => (of == *node).then_some("its node's clock was wrong"),
        Fault::Rotated(..) => None,
    }
}
