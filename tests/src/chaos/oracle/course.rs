//! What one sink was told of one check of one node, from the first message to the last, held against the check's incidents.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use e2e::PEER_TIMEOUT;

use super::exemption::{Exemption, Odd};
use super::{Episode, GROUP_INTERVAL, Message, Past, SEEN, Sink, Verdict, read};

/// How long after its end a brief incident may be told for the first time where nothing was broken: until it is seen, until its group is told
/// of, and by the second Alertmanager.
const SOON: Duration = SEEN.saturating_add(GROUP_INTERVAL).saturating_add(PEER_TIMEOUT);

/// How long an incident that was told as over while it went on may go on before it has to be told anew.
const CORRECTED: Duration = Duration::from_secs(60);

/// What is wrong about an end that says that it goes on.
const OF_BEFORE: &str = "told as over, with the output of before";

/// For how long Prometheus sends the end of an alert again.
const RESENT: Duration = Duration::from_secs(15 * 60);

/// Where the course stands.
#[derive(Debug)]
struct Course<'a> {
    past: &'a Past,
    /// The check's incidents, in the order in which they began.
    episodes: Vec<Told<'a>>,
    /// Whether the last message was an ALERT.
    firing: bool,
    /// Which of the incidents the last ALERT was of; none where there was none.
    about: Option<usize>,
    /// The last message.
    last: Option<&'a Message>,
}

/// An incident, and what was told of it.
#[derive(Debug)]
struct Told<'a> {
    episode: &'a Episode,
    /// The first ALERT.
    alert: Option<&'a Message>,
    /// The first RESOLVED since it ended.
    end: Option<&'a Message>,
    /// How often it was told as over, ended or not.
    ends: usize,
    /// When it was last told as over while it went on, if it has not been told anew since.
    early: Option<Instant>,
    /// When it was last told as an ALERT, and how often more since.
    told: Option<(Instant, usize)>,
    /// Which Alertmanagers have told once what was before its ALERT or its end.
    outdated: BTreeSet<(bool, &'a str)>,
}

/// Judges what one sink was told of a check of a node.
pub(super) fn follow<'a>(
    sink: Sink,
    (node, check): (usize, &str),
    messages: impl Iterator<Item = &'a Message>,
    past: &'a Past,
    verdict: &mut Verdict,
) {
    let episodes = past.episodes.iter().filter(|episode| (episode.node, episode.check) == (node, check));
    let told =
        |episode| Told { episode, alert: None, end: None, ends: 0, early: None, told: None, outdated: BTreeSet::new() };
    let episodes = episodes.map(told).collect();
    let mut course = Course { past, episodes, firing: false, about: None, last: None };
    for message in messages {
        let odd = course.take(message);
        for odd in odd.into_iter().chain(course.of_another_severity(message)) {
            match course.exempt(odd, message) {
                Some(exemption) => *verdict.excused.entry(exemption).or_default() += 1,
                None => verdict.failures.push(format!("{}: {message}", odd.text())),
            }
        }
        course.read(message, odd, verdict);
        course.last = Some(message);
    }
    if let Some(last) = course.last.filter(|last| last.firing) {
        verdict.failures.push(format!("its end was never told: {last}"));
    }
    let lost = course.lost().map(|(number, what)| format!("{sink:?}: [{number}] of {check} on node {node} {what}"));
    verdict.failures.extend(lost);
}

// === impl Course ===

impl<'a> Course<'a> {
    /// Goes on by a message; what is odd about it.
    fn take(&mut self, message: &'a Message) -> Option<Odd> {
        let fired = std::mem::replace(&mut self.firing, message.firing);
        if message.firing { self.take_alert(message, fired) } else { self.take_end(message, fired) }
    }

    fn take_alert(&mut self, message: &'a Message, fired: bool) -> Option<Odd> {
        let meant = self.meant(message);
        let before = std::mem::replace(&mut self.about, meant);
        let Some(about) = self.about else { return Some(Odd::Unplanned) };
        let told = &mut self.episodes[about];
        // Told anew: that it was told as over was odd, and this is what has to follow, soon after its end too.
        let is_anew = told.early.take().is_some() && message.at <= told.episode.ended + SOON;
        let is_first = told.alert.is_none();
        told.alert.get_or_insert(message);
        if fired && before == Some(about) {
            return Some(Odd::Twice);
        }
        told.told = Some((message.at, 0));
        match (fired, is_first) {
            (true, _) => Some(Odd::Unended),
            (false, true) => (message.at > told.episode.ended + SOON).then_some(Odd::Delayed),
            (false, false) => (message.at > told.episode.ended && !is_anew).then_some(Odd::Late),
        }
    }

    fn take_end(&mut self, message: &'a Message, fired: bool) -> Option<Odd> {
        let told = self.about.map(|about| &mut self.episodes[about]);
        if !fired {
            return Some(Odd::EndTwice);
        }
        // Where there was no incident it was the ALERT that was odd.
        let told = told?;
        told.ends += 1;
        if message.at < told.episode.ended {
            told.early = Some(message.at);
            return Some(Odd::Early);
        }
        told.end.get_or_insert(message);
        None
    }

    /// Whether it has a severity that its check did not have at the time. An alert that has just ended may stand beside the one that fires;
    /// which one an end is of nobody is told.
    fn of_another_severity(&self, message: &Message) -> Option<Odd> {
        let (status, about) = (message.status?, self.about?);
        // What the machine held up was an alert too, told or not.
        if !message.firing && self.past.was_held_up(message, RESENT) {
            return None;
        }
        let had = |(index, Told { episode, .. }): (usize, &Told<'_>)| {
            let is_of_then = !message.firing || index == about || message.at < episode.ended + SOON;
            episode.status == status && episode.began <= message.at && is_of_then
        };
        (!self.episodes.iter().enumerate().any(had)).then_some(Odd::Severity)
    }

    /// Which incident an ALERT is of: that whose number it has, or else the last one that had begun.
    fn meant(&self, message: &Message) -> Option<usize> {
        let begun = |told: &Told<'_>| told.episode.began <= message.at;
        let number = read(&message.text).map(|(number, _)| number);
        let named = self.episodes.iter().position(|told| begun(told) && Some(told.episode.number) == number);
        named.or_else(|| self.episodes.iter().rposition(begun))
    }

    /// Why what is odd is let pass.
    fn exempt(&mut self, odd: Odd, message: &'a Message) -> Option<Exemption> {
        let by_pair = self.outdated(odd, message).or_else(|| self.resent(odd, message));
        let ended = self.about.map(|about| self.episodes[about].episode.ended);
        let is_unheard = ended.is_some_and(|ended| odd == Odd::Late && self.past.is_unheard(message, ended));
        let unheard = is_unheard.then_some(Exemption::Unheard);
        by_pair.or(unheard).or_else(|| odd.exempt(message, self.past))
    }

    /// Whether it says what was before the check's state changed, as one of a pair may, each once for a change.
    fn outdated(&mut self, odd: Odd, message: &'a Message) -> Option<Exemption> {
        let about = self.about?;
        let changed = match odd {
            Odd::Late => self.episodes[about].end,
            // An end of before has to be known, which Prometheus repeats.
            Odd::Early if self.has_ended_before(about, message) => self.episodes[about].alert,
            _ => None,
        }?;
        let exemption = self.past.of_change(message, changed)?;
        self.episodes[about].outdated.insert((message.firing, &message.from)).then_some(exemption)
    }

    /// Whether it is told again because an end of before stands beside it, as once for each other alert that the check had.
    fn resent(&mut self, odd: Odd, message: &Message) -> Option<Exemption> {
        let about = self.about.filter(|_| odd == Odd::Twice)?;
        let (before, rest) = self.episodes.split_at_mut(about);
        let told = rest.first_mut()?;
        let is_resent = |of: &Told<'_>| message.at.saturating_duration_since(of.episode.ended) < RESENT;
        let others = before.iter().filter(|of| is_resent(of)).map(|of| of.episode.status);
        let others: BTreeSet<_> = others.filter(|status| *status != told.episode.status).collect();
        let (alert, more) = told.told.as_mut()?;
        *more += 1;
        // What the machine held up was an alert too, told or not.
        let others = others.len() + usize::from(self.past.was_held_up(message, RESENT));
        Exemption::of_ends(message, *alert).filter(|_| *more <= others)
    }

    fn has_ended_before(&self, about: usize, message: &Message) -> bool {
        let began = self.episodes[about].episode.began;
        // What the machine held up was an alert too, told or not.
        self.past.was_held_up(message, RESENT)
            || self.episodes[..about].iter().any(|told| began.saturating_duration_since(told.episode.ended) < RESENT)
    }

    /// Looks at what a message says: the output of its incident, or a reason that something explains.
    fn read(&self, message: &Message, odd: Option<Odd>, verdict: &mut Verdict) {
        let fails = if message.reason {
            match self.past.explains(message) {
                Some(why) => return *verdict.reasoned.entry(why).or_default() += 1,
                None => "a reason, and nothing was broken that explains it",
            }
        } else {
            match (read(&message.text), self.about) {
                (Some(said), Some(about)) => {
                    match (self.fails(said, (message, odd), &self.episodes[about]), self.past.outdates(message)) {
                        (None, _) => return verdict.detailed += 1,
                        (Some(OF_BEFORE), Some(why)) => return *verdict.excused.entry(why).or_default() += 1,
                        (Some(fails), _) => fails,
                    }
                }
                (Some(_), None) => "the output of an incident, and there was none",
                // What is odd was counted.
                (None, _) if self.past.is_held_up(message) && odd.is_some() => return,
                // The end of what was held up, which has no incident's output.
                (None, _) if odd == Some(Odd::Early) && self.past.was_held_up(message, RESENT) => return,
                (None, _) if self.past.is_held_up(message) => {
                    return *verdict.excused.entry(Exemption::HeldUp).or_default() += 1;
                }
                (None, _) => "neither an output nor a reason",
            }
        };
        verdict.failures.push(format!("{fails}: {message}"));
    }

    /// What is wrong about the output of an incident in a message about this one.
    fn fails(&self, said: (usize, bool), of: (&Message, Option<Odd>), about: &Told<'_>) -> Option<&'static str> {
        let ((number, goes_on), (message, odd)) = (said, of);
        let own = about.episode.number;
        // It may be of one that came later: the output is of now.
        let is_later = number > own && self.has_begun(number, message.at);
        // What is told as over while it goes on is that which was over before. And Alertmanager leaves an end out once it has told of it: where
        // it has to tell once more that nothing fires, what it still has of the check is an end of before, with the output of then or,
        // as that is sent again, of now.
        let is_of_before = !message.firing && (odd == Some(Odd::Early) || about.ends > 1);
        let is_before = is_of_before && number < own && self.has_begun(number, message.at);
        if number != own && !is_later && !is_before {
            return Some("the output of another incident");
        }
        (!message.firing && goes_on && !is_later && !is_of_before).then_some(OF_BEFORE)
    }

    fn has_begun(&self, number: usize, at: Instant) -> bool {
        self.episodes.iter().any(|told| told.episode.number == number && told.episode.began <= at)
    }

    /// What was not told: of which incident, and what.
    fn lost(&self) -> impl Iterator<Item = (usize, &'static str)> {
        self.episodes.iter().filter_map(|Told { episode, alert, end, early, .. }| {
            let anew = early.is_some_and(|early| episode.ended.saturating_duration_since(early) > CORRECTED);
            let what = match (alert, end) {
                _ if anew => "was told as over while it went on, and not anew",
                (None, _) if !episode.brief => "was never told",
                // Where the last word is an ALERT, that is told of it.
                (Some(_), None) if early.is_none() && !self.firing => "has no end that was told",
                _ => return None,
            };
            Some((episode.number, what))
        })
    }
}
