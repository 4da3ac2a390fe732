//! What had to be told, held against what was told: a function of the messages and of what happened, which says of each message whether it
//! had to come, may have come, or must not have come.

mod course;
mod exemption;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use crate::plan::{Fault, Incident};

pub(crate) use exemption::Exemption;

/// How often an Alertmanager tells of a group in which something changes: longer than the second waits for the first, as is advised.
pub(crate) const GROUP_INTERVAL: Duration = Duration::from_secs(10);

/// The longest that a change which anybody has to be told of may take otherwise where nothing is broken: a run of the check, scrape and evaluation
/// (1 s each), the proxy's hold (2 s), and a busy machine.
const SEEN: Duration = Duration::from_secs(10);

/// One message in so many may be let pass though nothing was broken.
const SHARE: usize = 50;

/// The same where two Alertmanagers look at a group at different times since one was broken.
const SHARE_OUT_OF_STEP: usize = 12;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sink {
    Webhook,
    Mail,
    Slack,
}

impl Sink {
    pub(crate) const ALL: [Self; 3] = [Self::Webhook, Self::Mail, Self::Slack];
}

/// One message about one check of one node.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// When it came.
    pub(crate) at: Instant,
    pub(crate) sink: Sink,
    /// Which Alertmanager says so, as it names itself.
    pub(crate) from: String,
    pub(crate) node: usize,
    pub(crate) check: String,
    pub(crate) firing: bool,
    /// Which exit status of the check its severity stands for; none where it says OK.
    pub(crate) status: Option<u8>,
    /// The output, or why there is none.
    pub(crate) text: String,
    /// Whether it says why there is no fresh output.
    pub(crate) reason: bool,
}

/// An incident as it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Episode {
    pub(crate) number: usize,
    pub(crate) node: usize,
    pub(crate) check: &'static str,
    /// As which its check exits: each is an alert of its own.
    pub(crate) status: u8,
    /// Whether it ended before anybody had to be told.
    pub(crate) brief: bool,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// What was broken, and from when until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    pub(crate) fault: Fault,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
}

/// A run of a check that did not end in time, on a machine with too much to do.
#[derive(Clone, Debug)]
pub(crate) struct HeldUp {
    pub(crate) node: usize,
    pub(crate) check: String,
    /// When it began, and when its runner said so.
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// In the order in which they began.
    pub(crate) episodes: Vec<Episode>,
    pub(crate) broken: Vec<Broken>,
    pub(crate) held_up: Vec<HeldUp>,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// All messages.
    pub(crate) messages: usize,
    /// Messages with the output of their incident.
    pub(crate) detailed: usize,
    /// Messages with a reason instead, by what explains that.
    pub(crate) reasoned: BTreeMap<&'static str, usize>,
    /// Messages that nobody would have got if nothing was broken and the machine had been quick, by why they were let pass.
    pub(crate) excused: BTreeMap<Exemption, usize>,
    /// What must not be.
    pub(crate) failures: Vec<String>,
}

/// How many messages were let pass, and how many may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    count: usize,
    most: usize,
}

/// The output of a check while an incident lasts.
pub(crate) fn failing(number: usize) -> String {
    format!("incident [{number}] goes on")
}

/// Its output after that.
pub(crate) fn over(number: usize) -> String {
    format!("incident [{number}] is over")
}

/// Which incident a text is about, and whether it goes on.
fn read(text: &str) -> Option<(usize, bool)> {
    let (number, rest) = text.split_once("incident [")?.1.split_once(']')?;
    Some((number.parse().ok()?, rest.starts_with(" goes on")))
}

/// Whether a message about its check tells of this incident.
pub(crate) fn tells(message: &Message, number: usize) -> bool {
    message.firing && read(&message.text).map_or(message.reason, |(of, _)| of == number)
}

impl Incident {
    /// Whether the message is about its check.
    pub(crate) fn is_of(&self, message: &Message) -> bool {
        message.node == self.node && message.check == self.check
    }

    /// Whether both are of one check.
    pub(crate) fn is_of_check_of(&self, other: &Self) -> bool {
        (self.node, self.check) == (other.node, other.check)
    }
}

/// Whether a runner says of a check that it does not end in time, which on a machine with too much to do any may not.
pub(crate) fn is_held_up(output: &str) -> bool {
    output.starts_with("Check execution hangs") || output.starts_with("Execution timed out")
}

/// Judges the messages, which are in the order in which each sink got them, by what happened.
pub(crate) fn judge(messages: &[Message], past: &Past) -> Verdict {
    let mut verdict = Verdict { messages: messages.len(), ..Verdict::default() };
    let checks = past.episodes.iter().map(|episode| (episode.node, episode.check));
    let checks: BTreeSet<_> =
        checks.chain(messages.iter().map(|message| (message.node, message.check.as_str()))).collect();
    for (sink, (node, check)) in Sink::ALL.into_iter().flat_map(|sink| checks.iter().map(move |check| (sink, *check))) {
        let ours = |message: &&Message| (message.sink, message.node, &*message.check) == (sink, node, check);
        course::follow(sink, (node, check), messages.iter().filter(ours), past, &mut verdict);
    }
    verdict
}

impl Verdict {
    /// Adds what another run was judged.
    pub(crate) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.detailed += other.detailed;
        other.reasoned.into_iter().for_each(|(why, count)| *self.reasoned.entry(why).or_default() += count);
        other.excused.into_iter().for_each(|(why, count)| *self.excused.entry(why).or_default() += count);
        self.failures.extend(other.failures);
    }

    /// What was let pass though nothing was broken: of one change an Alertmanager may tell once more to each sink, and a small share of all.
    pub(crate) fn of_pair(&self) -> Passed {
        self.passed(Exemption::is_of_pair, Sink::ALL.len() + self.messages / SHARE)
    }

    /// What was let pass long after an Alertmanager had been broken, since the two look at a group at different times from then on: of two
    /// changes, and a larger share.
    pub(crate) fn out_of_step(&self) -> Passed {
        self.passed(
            |exemption| exemption == Exemption::OutOfStep,
            2 * Sink::ALL.len() + self.messages / SHARE_OUT_OF_STEP,
        )
    }

    fn passed(&self, is_meant: impl Fn(Exemption) -> bool, most: usize) -> Passed {
        let meant = self.excused.iter().filter(|(exemption, _)| is_meant(**exemption));
        Passed { count: meant.map(|(_, count)| count).sum(), most }
    }

    /// How many messages have a reason instead of an output.
    pub(crate) fn reasons(&self) -> usize {
        self.reasoned.values().sum()
    }
}

impl Passed {
    pub(crate) fn is_too_much(self) -> bool {
        self.count > self.most
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at most {} may be", self.count, self.most)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sink, from, node, check, firing, text, .. } = self;
        let word = if *firing { "ALERT" } else { "RESOLVED" };
        write!(f, "{sink:?} by {from}: {word} of {check} on node {node}: {}", text.lines().next().unwrap_or_default())
    }
}
