//! What had to be told, held against what was told: a function of the messages and of what happened, which says of each message whether it
//! had to come, may have come, or must not have come.

mod course;
mod exemption;
mod reason;
#[cfg(test)]
mod tests;
mod told;

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

/// The same where something was broken that explains it, or the machine held a check up.
const SHARE_OF_CAUSES: usize = 20;

/// What a runner says of a check that does not end in time, or is not begun.
const HELD_UP: [&str; 3] = ["Check execution hangs", "Check execution is overdue", "Execution timed out"];

/// Stands in the output of a check whose incident has changed its severity.
const OTHERWISE: &str = "otherwise than before";

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
    /// Why there is no fresh output, or how old it is, where it says so.
    pub(crate) reason: Option<String>,
}

/// An incident as it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Episode {
    pub(crate) number: usize,
    pub(crate) node: usize,
    pub(crate) check: &'static str,
    /// As which its check exits: each is an alert of its own.
    pub(crate) status: u8,
    /// As which it exits from when on, if that changed while it went on.
    pub(crate) then: Option<(u8, Instant)>,
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
    /// Which those are.
    pub(crate) let_pass: Vec<String>,
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

/// The same when its severity has changed.
pub(crate) fn failing_otherwise(number: usize) -> String {
    format!("{}, {OTHERWISE}", failing(number))
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
    message.firing && read(&message.text).map_or(message.reason.is_some(), |(of, _)| of == number)
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
pub(crate) fn is_held_up(text: &str) -> bool {
    HELD_UP.iter().any(|words| text.contains(words))
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

impl Episode {
    /// Each severity that it had, with its beginning and its end.
    fn severities(&self) -> impl Iterator<Item = (u8, Instant, Instant)> {
        let until = self.then.map_or(self.ended, |(_, changed)| changed);
        let then = self.then.map(|(status, changed)| (status, changed, self.ended));
        [(self.status, self.began, until)].into_iter().chain(then)
    }

    /// The one that it had at first, if it had another by then.
    fn former(&self, at: Instant) -> Option<u8> {
        self.then.filter(|(_, changed)| *changed <= at).map(|_| self.status)
    }

    /// The one that it had at the time.
    fn status_at(&self, at: Instant) -> u8 {
        self.then.filter(|(_, changed)| *changed <= at).map_or(self.status, |(status, _)| status)
    }
}

impl Verdict {
    /// Adds what another run was judged.
    pub(crate) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.detailed += other.detailed;
        other.reasoned.into_iter().for_each(|(why, count)| *self.reasoned.entry(why).or_default() += count);
        other.excused.into_iter().for_each(|(why, count)| *self.excused.entry(why).or_default() += count);
        self.let_pass.extend(other.let_pass);
        self.failures.extend(other.failures);
    }

    /// Lets a message pass, and counts it.
    fn excuse(&mut self, exemption: Exemption, message: &Message) {
        *self.excused.entry(exemption).or_default() += 1;
        self.let_pass.push(format!("{exemption}: {message}"));
    }

    /// What was let pass of each kind that may be only a share of all.
    pub(crate) fn ceilings(&self) -> [(&'static str, Passed); 3] {
        [
            ("though nothing was broken", self.of_pair()),
            ("out of step", self.out_of_step()),
            ("for what was broken or held up", self.of_causes()),
        ]
    }

    /// Of which kinds more was let pass than may be, which no single message says.
    pub(crate) fn too_much(&self) -> Vec<String> {
        let ceilings = self.ceilings().into_iter().filter(|(_, passed)| passed.is_too_much());
        ceilings.map(|(what, passed)| format!("too much was let pass {what}: {passed}")).collect()
    }

    /// What was let pass though nothing was broken: of two changes an Alertmanager may tell once more to each sink, as one seed may have an
    /// incident that becomes worse and one that comes shortly after another; and a small share of all.
    fn of_pair(&self) -> Passed {
        self.passed(Exemption::is_of_pair, 2 * Sink::ALL.len() + self.messages / SHARE)
    }

    /// What was let pass long after an Alertmanager had been broken, since the two look at a group at different times from then on: of two
    /// changes, and a larger share.
    fn out_of_step(&self) -> Passed {
        self.passed(
            |exemption| exemption == Exemption::OutOfStep,
            2 * Sink::ALL.len() + self.messages / SHARE_OUT_OF_STEP,
        )
    }

    /// What was let pass for anything else: of four changes, and a share.
    fn of_causes(&self) -> Passed {
        let is_meant = |exemption: Exemption| !exemption.is_of_pair() && exemption != Exemption::OutOfStep;
        self.passed(is_meant, 4 * Sink::ALL.len() + self.messages / SHARE_OF_CAUSES)
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
    fn is_too_much(self) -> bool {
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
        let Self { sink, from, node, check, firing, status, text, reason, .. } = self;
        let word = if *firing { "ALERT" } else { "RESOLVED" };
        let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
        let text = text.lines().next().unwrap_or_default();
        write!(f, "{sink:?} by {from}: {word}{status} of {check} on node {node}: {text}")?;
        reason.as_ref().map_or(Ok(()), |reason| write!(f, " [{reason}]"))
    }
}
