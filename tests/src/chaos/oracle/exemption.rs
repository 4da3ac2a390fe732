//! What may be told although it need not: each exemption has a cause, and holds only shortly after that.

use std::fmt;
use std::time::{Duration, Instant};

use e2e::{Member, Network, PEER_TIMEOUT, fine};

use super::reason::explained;
use super::{Broken, GROUP_INTERVAL, HeldUp, Message, Past, is_held_up};
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

/// How late each piece has to be at least for a network that is slow to keep anybody from hearing: a scrape has a second, in which its request
/// and its answer are late, and a busy machine takes the other half.
const FELT: Duration = Duration::from_millis(250);

/// What is odd about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Odd {
    /// An ALERT of what was told as an ALERT.
    Twice,
    /// The same since the severity changed, without telling that.
    Again,
    /// An ALERT of an incident while another of its check had not been told as over.
    Unended,
    /// A RESOLVED where the last word was one.
    EndTwice,
    /// A RESOLVED of an incident that goes on: a false all-clear.
    Early,
    /// A RESOLVED of an incident that has ended, with the output of before.
    OfBefore,
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
    /// An incident became milder: Prometheus sends the end of the one alert and then the other alert, and one Prometheus later than the other.
    Milder,
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
            Self::Again => "told again after its severity had changed",
            Self::Unended => "told before the end of what was before it",
            Self::EndTwice => "its end was told again",
            Self::Early => "told as over while it went on",
            Self::OfBefore => "told as over, with the output of before",
            Self::Late => "told again after its end",
            Self::Delayed => "told long after its end",
            Self::Unplanned => "told of a check that has had no incident",
            Self::Severity => "told in a severity that its check did not have",
        }
    }

    /// Whether it may come of a check that the machine held up.
    pub(super) fn may_be_held_up(self) -> bool {
        !matches!(self, Self::EndTwice | Self::Early | Self::OfBefore | Self::Delayed)
    }

    /// What lets it pass, if the fault explains it. Networks that are slow make an Alertmanager hear of a change later than the other one, by no more
    /// than that one waits: a post of two pieces, and the one before with its answer, are late by five times a second and a half at most. That
    /// is out of step, and nothing else.
    pub(super) fn by(self, fault: Fault, node: usize) -> Option<Exemption> {
        let is_of_state = matches!(self, Self::Again | Self::Early | Self::Late);
        let is_of_course = !matches!(self, Self::Unplanned | Self::Severity);
        match fault {
            _ if self == Self::Delayed => holds_up(fault, node).then_some(Exemption::Delayed),
            _ if deafens(fault) => is_of_course.then_some(Exemption::Alertmanager),
            Fault::Stopped(Member::Proxy(_)) | Fault::Network(Member::Proxy(_), Network::Frozen) => {
                (self == Self::Early).then_some(Exemption::Proxy)
            }
            Fault::Emptied => (self == Self::Early && HOSTS[node] == PUSHER).then_some(Exemption::Emptied),
            // What it asks and sends goes by other ways than its network, which is web-ui's.
            Fault::Killed(Member::Prometheus(_)) | Fault::Stopped(Member::Prometheus(_)) => {
                is_of_state.then_some(Exemption::Prometheus)
            }
            _ => None,
        }
    }

    /// How often one Alertmanager may do so in one incident, for one such fault.
    pub(super) fn most(self, fault: Fault) -> usize {
        match (self, fault) {
            // What nobody repeats to it holds for two intervals of groups: at each of them it says so against the other one.
            (Self::Late, Fault::Network(..)) => 2,
            // It runs out while nothing arrives; and what then arrives has run out.
            (Self::Early, Fault::Network(_, Network::Frozen)) => 2,
            _ => 1,
        }
    }
}

// === impl Exemption ===

impl Exemption {
    /// Whether a pair does so while nothing was ever broken.
    pub(super) fn is_of_pair(self) -> bool {
        matches!(self, Self::Waited | Self::Resent | Self::Milder)
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
            Self::Milder => "the alerts of two severities changed one after the other",
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
    /// What was broken at the time or shortly before, so that it can show, each with its number.
    pub(super) fn near(&self, at: Instant) -> impl Iterator<Item = (usize, &Broken)> {
        let is_near = move |(_, broken): &(usize, &Broken)| is_near(at, broken.begun, broken.ended);
        self.broken.iter().enumerate().filter(is_near).filter(|(_, broken)| is_felt(broken.fault))
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
        let mut ours = self.of_check(message);
        ours.any(|run| message.at >= run.from && message.at.saturating_duration_since(run.to) < within)
    }

    /// Whether it says that the machine held its check up: by the runner's words, or as what came of the run, which says nothing of an incident.
    pub(super) fn says_held_up(&self, message: &Message) -> bool {
        let had_ended = self.of_check(message).any(|run| run.to <= message.at);
        is_held_up(&message.text) || had_ended && message.text.contains(&fine(&message.check))
    }

    /// The runs of its check that were held up.
    fn of_check(&self, message: &Message) -> impl Iterator<Item = &HeldUp> {
        self.held_up.iter().filter(|run| run.node == message.node && run.check == message.check)
    }

    /// Whether what the message is about fell silent when its check had just ended at `ended`, at the time or shortly before.
    pub(super) fn is_unheard(&self, message: &Message, ended: Instant) -> bool {
        let had_ended = |broken: &&Broken| ended <= broken.begun && broken.begun < ended + UNHEARD;
        let near = self.near(message.at).map(|(_, broken)| broken);
        near.filter(had_ended).any(|broken| silences(broken.fault, message.node))
    }

    /// Why a message may have this reason instead of an output, if something explains that.
    pub(super) fn explains(&self, message: &Message, reason: &str) -> Option<&'static str> {
        self.near(message.at).find_map(|(_, broken)| explained(broken.fault, message, reason))
    }
}

/// Whether an Alertmanager, for the fault, does not hear what the other one tells, or what Prometheus says.
pub(super) fn deafens(fault: Fault) -> bool {
    !matches!(fault, Fault::Network(_, Network::Slow(_))) && is_of_alertmanager(fault)
}

fn is_of_alertmanager(fault: Fault) -> bool {
    match fault {
        Fault::Killed(member) | Fault::Stopped(member) | Fault::Network(member, _) => {
            matches!(member, Member::Alertmanager(_))
        }
        _ => false,
    }
}

/// Whether a fault can keep anybody from hearing.
fn is_felt(fault: Fault) -> bool {
    !matches!(fault, Fault::Network(_, Network::Slow(late)) if late < FELT)
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
