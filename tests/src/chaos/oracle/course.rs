//! What one sink was told of one check of one node, from the first message to the last, held against the check's incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use e2e::PEER_TIMEOUT;

use super::exemption::{Exemption, Odd};
use super::told::Told;
use super::{GROUP_INTERVAL, Message, OTHERWISE, Past, SEEN, Sink, Verdict, read};

/// How long after its end a brief incident may be told for the first time where nothing was broken: until it is seen, until its group is told
/// of, and by the second Alertmanager.
const SOON: Duration = SEEN.saturating_add(GROUP_INTERVAL).saturating_add(PEER_TIMEOUT);

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
    /// How often something was let pass that may come only so often.
    passed: BTreeMap<Passage<'a>, usize>,
}

/// What is let pass: what is odd, by which Alertmanager, about which incident, and for which fault if for any.
type Passage<'a> = (Odd, &'a str, Option<usize>, Option<usize>);

/// Judges what one sink was told of a check of a node.
pub(super) fn follow<'a>(
    sink: Sink,
    (node, check): (usize, &str),
    messages: impl Iterator<Item = &'a Message>,
    past: &'a Past,
    verdict: &mut Verdict,
) {
    let episodes = past.episodes.iter().filter(|episode| (episode.node, episode.check) == (node, check));
    let episodes = episodes.map(Told::new).collect();
    let mut course = Course { past, episodes, firing: false, about: None, last: None, passed: BTreeMap::new() };
    for message in messages {
        let odd = course.take(message);
        let of_another_severity = course.of_another_severity(message).filter(|_| odd != Some(Odd::Again));
        odd.into_iter().chain(of_another_severity).for_each(|odd| course.judge(odd, message, verdict));
        course.read(message, odd, verdict);
        course.last = Some(message);
    }
    if let Some(last) = course.last.filter(|last| last.firing) {
        verdict.failures.push(format!("its end was never told: {last}"));
    }
    let lost = course.episodes.iter().filter_map(|told| Some((told.episode.number, told.lost(course.firing)?)));
    let lost = lost.map(|(number, what)| format!("{sink:?}: [{number}] of {check} on node {node} {what}"));
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
        let changes = told.changes_by(message);
        if fired && before == Some(about) && !changes {
            return Some(if told.episode.former(message.at).is_some() { Odd::Again } else { Odd::Twice });
        }
        told.told = Some((message.at, 0));
        match (fired, is_first) {
            (true, _) => (before != Some(about)).then_some(Odd::Unended),
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
            episode.severities().any(|(of, from, until)| {
                let is_last = index == about && until == episode.ended;
                of == status && from <= message.at && (!message.firing || is_last || message.at < until + SOON)
            })
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

    /// Lets what is odd pass, or says that it must not be.
    fn judge(&mut self, odd: Odd, message: &'a Message, verdict: &mut Verdict) {
        match self.exempt(odd, message) {
            Some(exemption) => verdict.excuse(exemption, message),
            None => verdict.failures.push(format!("{}: {message}", odd.text())),
        }
    }

    /// Why what is odd is let pass.
    fn exempt(&mut self, odd: Odd, message: &'a Message) -> Option<Exemption> {
        self.outdated(odd, message)
            .or_else(|| self.resent(odd, message))
            .or_else(|| self.unheard(odd, message))
            .or_else(|| (odd.may_be_held_up() && self.past.is_held_up(message)).then_some(Exemption::HeldUp))
            .or_else(|| self.of_fault(odd, message))
            .or_else(|| self.milder(odd, message))
    }

    /// Whether an Alertmanager may do so once more, of one incident and for one fault, if for any.
    fn passes(&mut self, odd: Odd, message: &'a Message, fault: Option<usize>, most: usize) -> bool {
        let before = self.passed.entry((odd, &message.from, self.about, fault)).or_default();
        *before += 1;
        *before <= most
    }

    /// Whether something was broken that explains it.
    fn of_fault(&mut self, odd: Odd, message: &'a Message) -> Option<Exemption> {
        let past = self.past;
        past.near(message.at).find_map(|(number, broken)| {
            let exemption = odd.by(broken.fault, message.node)?;
            self.passes(odd, message, Some(number), odd.most(broken.fault)).then_some(exemption)
        })
    }

    /// Whether it says what was before the check's state changed, as one of a pair may, each once for a change.
    fn outdated(&mut self, odd: Odd, message: &'a Message) -> Option<Exemption> {
        let about = self.about?;
        let told = &self.episodes[about];
        let changed = match odd {
            Odd::Late => told.end,
            Odd::Again if message.status != Some(told.episode.status_at(message.at)) => told.otherwise,
            // An end of before has to be known, which Prometheus repeats.
            Odd::Early if self.has_ended_before(about, message) => told.alert,
            _ => None,
        }?;
        let exemption = self.past.of_change(message, changed)?;
        self.passes(odd, message, None, 1).then_some(exemption)
    }

    /// Whether it is told again because an end of before stands beside it, as once for each other alert that the check had.
    fn resent(&mut self, odd: Odd, message: &Message) -> Option<Exemption> {
        let about = self.about?;
        let (before, rest) = self.episodes.split_at_mut(about);
        let told = rest.first_mut()?;
        let status = told.episode.status_at(message.at);
        if odd != Odd::Twice && (odd != Odd::Again || message.status != Some(status)) {
            return None;
        }
        let is_resent = |of: &&Told<'_>| message.at.saturating_duration_since(of.episode.ended) < RESENT;
        let others = before.iter().filter(is_resent).flat_map(|of| of.episode.severities()).map(|(status, ..)| status);
        let others: BTreeSet<_> =
            others.chain(told.episode.former(message.at)).filter(|other| *other != status).collect();
        let (alert, more) = told.told.as_mut()?;
        *more += 1;
        // What the machine held up was an alert too, told or not.
        let others = others.len() + usize::from(self.past.was_held_up(message, RESENT));
        Exemption::of_ends(message, *alert).filter(|_| *more <= others)
    }

    /// Whether it comes of the two alerts of an incident that has just become milder, of which the end of the one is sent before the other, and
    /// by one Prometheus before the other: nothing fires for a moment, or both do, of which the worse is told. Each Alertmanager may look then.
    fn milder(&mut self, odd: Odd, message: &'a Message) -> Option<Exemption> {
        let episode = self.episodes[self.about?].episode;
        let ((status, changed), former) = (episode.then?, episode.former(message.at)?);
        let is_meant = odd == Odd::Early || odd == Odd::Again && message.status == Some(former);
        let is_near = is_meant && status < former && message.at < changed + SOON;
        (is_near && self.passes(odd, message, None, 1)).then_some(Exemption::Milder)
    }

    /// Whether one Prometheus had not heard of the end when the node fell silent.
    fn unheard(&self, odd: Odd, message: &Message) -> Option<Exemption> {
        let ended = self.episodes[self.about?].episode.ended;
        (odd == Odd::Late && self.past.is_unheard(message, ended)).then_some(Exemption::Unheard)
    }

    fn has_ended_before(&self, about: usize, message: &Message) -> bool {
        let began = self.episodes[about].episode.began;
        // What the machine held up was an alert too, told or not.
        self.past.was_held_up(message, RESENT)
            || self.episodes[..about].iter().any(|told| began.saturating_duration_since(told.episode.ended) < RESENT)
    }

    /// Looks at what a message says: the output of its incident, or a reason that something explains.
    fn read(&mut self, message: &'a Message, odd: Option<Odd>, verdict: &mut Verdict) {
        let fails = match (&message.reason, read(&message.text), self.about) {
            (Some(reason), ..) => match self.past.explains(message, reason) {
                Some(why) => return *verdict.reasoned.entry(why).or_default() += 1,
                None => "a reason, and nothing was broken that explains it",
            },
            (None, Some(said), Some(about)) => match self.fails(said, (message, odd), &self.episodes[about]) {
                None => return verdict.detailed += 1,
                Some(fails) if fails == Odd::OfBefore.text() => return self.judge(Odd::OfBefore, message, verdict),
                Some(fails) => fails,
            },
            (None, Some(_), None) => "the output of an incident, and there was none",
            (None, None, _) if !self.past.says_held_up(message) => "neither an output nor a reason",
            // What is odd was counted.
            (None, None, _) if self.past.is_held_up(message) && odd.is_some() => return,
            // The end of what was held up, which has no incident's output.
            (None, None, _) if odd == Some(Odd::Early) && self.past.was_held_up(message, RESENT) => return,
            (None, None, _) if self.past.is_held_up(message) => return verdict.excuse(Exemption::HeldUp, message),
            (None, None, _) => "that the machine held it up, which was not so then",
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
        // The alert of a severity has what was said in that severity, or since.
        let is_changed =
            about.episode.former(message.at).is_some() && message.status == Some(about.episode.status_at(message.at));
        if message.firing && goes_on && !is_later && is_changed && !message.text.contains(OTHERWISE) {
            return Some("the output of before its severity changed");
        }
        (!message.firing && goes_on && !is_later && !is_of_before).then_some(Odd::OfBefore.text())
    }

    fn has_begun(&self, number: usize, at: Instant) -> bool {
        self.episodes.iter().any(|told| told.episode.number == number && told.episode.began <= at)
    }
}
