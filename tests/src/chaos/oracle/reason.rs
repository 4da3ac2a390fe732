//! Why a message has a reason instead of an output: what that says, held against what was broken.

use e2e::Member;

use super::Message;
use super::exemption::deafens;
use crate::plan::{Fault, HOSTS, PUSHER};

/// What a reason says was the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matter {
    /// An Alertmanager took the alert only without its detail.
    NotTaken,
    /// The node's name could not be looked up.
    NoName,
    /// The node, or the gateway, does not know the check.
    Unknown,
    /// It said that it cannot answer.
    Trouble,
    /// It did not answer in time.
    Silent,
    /// It could not be connected to, or hung up.
    HungUp,
    /// Its result is from long before the alert.
    Old,
}

/// The proxy's words for each. The first that are found count, since a reason may quote others.
const WORDS: [(&str, Matter); 8] = [
    ("Alertmanager did not take the alert", Matter::NotTaken),
    ("cannot look up ", Matter::NoName),
    (" has no result of this check", Matter::Unknown),
    (" answered 5", Matter::Trouble),
    (" did not answer ", Matter::Silent),
    ("cannot connect to ", Matter::HungUp),
    (" broke off its answer", Matter::HungUp),
    (" old", Matter::Old),
];

/// What is said where a process or a network is away.
const AWAY: &[Matter] = &[Matter::Silent, Matter::HungUp];

/// The same of gateways, which say so where only their store is; and of those whose store came back empty.
const STORE: &[Matter] = &[Matter::Silent, Matter::HungUp, Matter::Trouble];
const EMPTIED: &[Matter] = &[Matter::Silent, Matter::HungUp, Matter::Trouble, Matter::Unknown];

/// What is said where the time for asking is over before a name is found.
const UNNAMED: &[Matter] = &[Matter::NoName, Matter::Silent];

// === impl Matter ===

impl Matter {
    fn of(reason: &str) -> Option<Self> {
        WORDS.iter().find(|(words, _)| reason.contains(words)).map(|(_, matter)| *matter)
    }
}

/// What explains that the message has this reason, if the fault does.
pub(super) fn explained(fault: Fault, message: &Message, reason: &str) -> Option<&'static str> {
    let (matters, why) = hides(fault, message.node)?;
    matters.contains(&Matter::of(reason)?).then_some(why)
}

/// What is said where the fault keeps the outputs of a node's checks from a proxy, or makes them old, and what it comes from.
fn hides(fault: Fault, node: usize) -> Option<(&'static [Matter], &'static str)> {
    let pushes = HOSTS[node] == PUSHER;
    let (matters, why, is_meant) = match fault {
        // One that was stopped finds that the time for asking is over.
        Fault::Stopped(Member::Proxy(_)) => (UNNAMED, "a proxy was stopped", true),
        Fault::Killed(member) | Fault::Stopped(member) | Fault::Network(member, _) => match member {
            Member::Agent(of) => (AWAY, "its node was broken", of == node),
            Member::Gateway(_) | Member::Redis => (STORE, "its gateways were broken", pushes),
            Member::Alertmanager(_) => {
                (&[Matter::NotTaken][..], "an Alertmanager did not take the alert with it", deafens(fault))
            }
            // An agent and a gateway answer with what they have, whether or not a runner runs.
            Member::Runner(_) | Member::Proxy(_) | Member::Prometheus(_) | Member::WebUi => return None,
        },
        Fault::NoNames => (UNNAMED, "no name server answered", !pushes),
        Fault::Emptied => (EMPTIED, "its gateways were broken", pushes),
        Fault::Corrupt(of, _) => (AWAY, "its node was broken", of == node && !pushes),
        Fault::Clock(of, _) => (&[Matter::Old][..], "its node's clock was wrong", of == node),
        Fault::Rotated(..) | Fault::DiskFull(_) => return None,
    };
    is_meant.then_some((matters, why))
}
