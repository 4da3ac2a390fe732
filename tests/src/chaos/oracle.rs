//! What had to be told, held against what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use crate::plan::{Fault, Incident};

/// How long after a fault has ended a message may still come twice because of it, in seconds: Alertmanager's wait for the word of the
/// other, and a resend of Prometheus.
const AFTERMATH: f64 = 20.0;

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
    /// The output, or why there is none.
    pub(crate) text: String,
    /// Whether it says why there is no fresh output.
    pub(crate) reason: bool,
}

/// What was broken, and from when until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    pub(crate) fault: Fault,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Messages with the output of their incident.
    pub(crate) detailed: usize,
    /// Messages with a reason instead.
    pub(crate) reasoned: usize,
    /// Messages on a check that the machine held up, which nobody planned.
    pub(crate) held_up: usize,
    /// Messages that came once more, and why.
    pub(crate) doubled: BTreeMap<&'static str, usize>,
    /// What must not be.
    pub(crate) failures: Vec<String>,
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

/// Judges the messages, which are in the order in which each sink got them. That each lasting incident was told was waited for before.
/// `held_up` are the checks, each with its node, that a runner once said this of.
pub(crate) fn judge(messages: &[Message], broken: &[Broken], held_up: &BTreeSet<(usize, String)>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut courses: BTreeMap<_, Vec<&Message>> = BTreeMap::new();
    for message in messages {
        verdict.count(message, held_up);
        courses.entry((message.sink, message.node, &message.check)).or_default().push(message);
    }
    for course in courses.values() {
        verdict.follow(course, broken);
    }
    verdict
}

impl Verdict {
    fn count(&mut self, message: &Message, held_up: &BTreeSet<(usize, String)>) {
        match read(&message.text) {
            _ if message.reason => self.reasoned += 1,
            // It may say that the incident is over, where that ended since the alert began: the output is of now.
            Some(_) => self.detailed += 1,
            None if held_up.contains(&(message.node, message.check.clone())) => self.held_up += 1,
            None => self.failures.push(format!("neither an output nor a reason: {message}")),
        }
    }

    /// One check of one node at one sink: each incident is told once, and its end once.
    fn follow(&mut self, course: &[&Message], broken: &[Broken]) {
        let mut last: Option<&Message> = None;
        for message in course {
            if message.firing == last.is_some_and(|last| last.firing) {
                match excuse(message, last, broken) {
                    Some(why) => *self.doubled.entry(why).or_default() += 1,
                    None => self.failures.push(format!("told twice: {message}")),
                }
            }
            last = Some(message);
        }
        if let Some(last) = course.last().filter(|last| last.firing) {
            self.failures.push(format!("its end was never told: {last}"));
        }
    }
}

/// Why the message may be like the last one: who tells it had waited for the word of the other, or something was broken.
fn excuse(message: &Message, last: Option<&Message>, broken: &[Broken]) -> Option<&'static str> {
    if last.is_some_and(|last| last.from != message.from && seconds(last.at, message.at) < AFTERMATH) {
        return Some("an Alertmanager told what it had seen before it waited for the other");
    }
    let near =
        broken.iter().filter(|broken| message.at >= broken.begun && seconds(broken.ended, message.at) < AFTERMATH);
    near.filter_map(|broken| broken.fault.doubles()).next()
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sink, from, node, check, firing, text, .. } = self;
        let word = if *firing { "ALERT" } else { "RESOLVED" };
        write!(f, "{sink:?} by {from}: {word} of {check} on node {node}: {}", text.lines().next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use e2e::Member;

    use super::*;

    fn message(at: Instant, firing: bool, text: &str) -> Message {
        let (sink, from, check) = (Sink::Mail, "0".to_owned(), "disk".to_owned());
        Message { at, sink, from, node: 0, check, firing, text: text.to_owned(), reason: false }
    }

    #[test]
    fn what_is_lost_doubled_or_empty_is_found_and_what_a_fault_explains_is_counted() {
        let now = Instant::now();
        let (alert, resolved) = (message(now, true, &failing(3)), message(now, false, &over(3)));
        let none = BTreeSet::new();
        assert!(judge(&[alert.clone(), resolved.clone()], &[], &none).failures.is_empty());
        let judged = |messages: &[&Message], broken: &[Broken]| {
            judge(&messages.iter().map(|message| (*message).clone()).collect::<Vec<_>>(), broken, &none)
        };
        assert!(judged(&[&alert, &alert, &resolved], &[]).failures[0].starts_with("told twice"));
        assert!(judged(&[&alert], &[]).failures[0].starts_with("its end was never told"));
        assert!(judged(&[&resolved], &[]).failures[0].starts_with("told twice"));
        let empty = message(now, true, "fails");
        assert!(judged(&[&empty, &resolved], &[]).failures[0].starts_with("neither an output"));
        let held_up = BTreeSet::from([(0, "disk".to_owned())]);
        let verdict = judge(&[empty.clone(), resolved.clone()], &[], &held_up);
        assert!(verdict.failures.is_empty() && verdict.held_up == 1, "{verdict:?}");
        assert!(is_held_up("Check execution hangs: running since then") && !is_held_up("disk OK: fine"));

        let of = |fault, begun, ended| Broken { fault, begun, ended };
        let killed = of(Fault::Killed(Member::Alertmanager(1)), now, now);
        let verdict = judged(&[&alert, &alert, &resolved], &[killed]);
        assert!(verdict.failures.is_empty() && verdict.doubled.values().sum::<usize>() == 1, "{verdict:?}");
        let agent = of(Fault::Killed(Member::Agent(1)), now, now);
        assert_eq!(judged(&[&alert, &alert, &resolved], &[agent]).failures.len(), 1);
        let other = Message { from: "1".to_owned(), ..alert.clone() };
        assert!(judged(&[&alert, &other, &resolved], &[]).failures.is_empty());
        let late = message(now + Duration::from_secs(60), true, &failing(3));
        assert_eq!(judged(&[&alert, &late, &resolved], &[killed]).failures.len(), 1);
    }
}
