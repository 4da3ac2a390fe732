//! A silence in a sentence.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Plan, mark, proposal};
use crate::alertmanager::RawMatcher;
use crate::matcher::Op;
use crate::texts::{Texts, fill};

/// Values of a label that are named; of more it is said how many they are.
const NAMED: usize = 3;

/// Characters of a matcher in a list.
const WIDTH: usize = 160;

/// A moment, and how people read it.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The zone of times.
    pub zone: &'a TimeZone,
    /// The language.
    pub t: &'static Texts,
}

impl Now<'_> {
    /// A sentence for each silence of a plan.
    pub fn plan(&self, plan: &Plan) -> Vec<String> {
        let begins = plan.begins.filter(|begins| *begins > self.now);
        let times = (begins, plan.ends);
        plan.drafts.iter().map(|draft| self.say(&draft.raw(), &draft.clusters, times, &plan.comment)).collect()
    }

    /// What is muted, where, from when (now, if nothing is said) until when, and why.
    pub fn say(
        &self,
        matchers: &[RawMatcher],
        clusters: &[String],
        (begins, ends): (Option<Timestamp>, Timestamp),
        comment: &str,
    ) -> String {
        let t = self.t;
        let (reason, is_marked) = mark::read(comment);
        let length = t.duration((ends.as_second() - begins.unwrap_or(self.now).as_second()).max(0));
        let begin = begins.map_or_else(|| t.now.to_owned(), |begins| self.exact(begins));
        let pattern = if is_marked { t.sentence_resolved } else { t.sentence };
        fill(pattern, &[&what(matchers, t), &listed(clusters, t.and), &length, &begin, &self.exact(ends), &reason])
    }

    fn exact(&self, time: Timestamp) -> String {
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %z").to_string()
    }
}

/// What matchers are about, as people say it: `check_disk on web-1`. That needs no understanding of regular expressions.
pub fn what(matchers: &[RawMatcher], t: &Texts) -> String {
    let mut rest: Vec<&RawMatcher> = matchers.iter().collect();
    let mut take = |name: &str| {
        let at = rest
            .iter()
            .position(|matcher| matcher.name == name && values(matcher).is_some_and(|values| values != [""]))?;
        values(rest.remove(at)).map(|values| named(&values, t))
    };
    let (node, check, alert) = (take("instance"), take("check"), take("alertname"));
    if node.is_some() {
        // Who reads a node's name knows what it is.
        rest.retain(|matcher| !(matcher.name == "job" && matcher.op() == Op::Equal));
    }
    let subject = match (check, alert) {
        (Some(check), Some(alert)) => Some(format!("{check} ({alert})")),
        (one, other) => one.or(other),
    };
    let main = match (subject, node) {
        (Some(subject), Some(node)) => fill(t.subject_on, &[&subject, &node]),
        (Some(subject), None) => fill(t.subject_everywhere, &[&subject]),
        (None, Some(node)) => fill(t.everything_on, &[&node]),
        (None, None) => t.every_alert.to_owned(),
    };
    let rest: Vec<_> = rest.iter().map(ToString::to_string).collect();
    if rest.is_empty() { main } else { fill(t.subject_where, &[&main, &rest.join(", ")]) }
}

fn values(matcher: &RawMatcher) -> Option<Vec<String>> {
    proposal::values(matcher.op(), &matcher.value)
}

/// A matcher in a list: one of hundreds of nodes is longer than a page. The silence's own page has the whole.
pub fn brief(matcher: &impl std::fmt::Display) -> String {
    let whole = matcher.to_string();
    match whole.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

fn named(values: &[String], t: &Texts) -> String {
    let shown: Vec<_> =
        values.iter().map(|value| if value.is_empty() { "\"\"".to_owned() } else { value.clone() }).collect();
    match shown.len() {
        ..=NAMED => listed(&shown, t.and),
        count => fill(t.and_more, &[&shown[..NAMED].join(", "), &(count - NAMED)]),
    }
}

fn listed(words: &[String], and: &str) -> String {
    match words {
        [first @ .., before, last] => [first.to_vec(), vec![format!("{before}{and}{last}")]].concat().join(", "),
        words => words.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::Matcher;

    fn raw(matchers: &str) -> Vec<RawMatcher> {
        Matcher::parse_all(matchers).unwrap().iter().map(RawMatcher::from).collect()
    }

    fn said(matchers: &str, clusters: &[&str], begins: Option<&str>, comment: &str, code: &str) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let now = Now { now: "2026-11-21T03:00:00Z".parse().unwrap(), zone: &zone, t: Texts::in_language(code) };
        let clusters: Vec<_> = clusters.iter().map(|name| (*name).to_owned()).collect();
        let times = (begins.map(|text| text.parse().unwrap()), "2026-11-21T05:00:00Z".parse().unwrap());
        now.say(&raw(matchers), &clusters, times, comment)
    }

    #[test]
    fn a_silence_is_said_as_people_say_it() {
        assert_eq!(
            said("job=j,instance=web-1,check=check_disk", &["tokyo", "osaka"], None, "new disk", "en"),
            "Mute check_disk on web-1 in tokyo and osaka for 2 h, from now until 2026-11-21 14:00 +0900, because: new disk"
        );
        assert_eq!(
            said("instance=web-1", &["tokyo"], Some("2026-11-21T04:00:00Z"), "x [until resolved]", "en"),
            "Mute everything on web-1 in tokyo for 1 h, from 2026-11-21 13:00 +0900 until it is resolved, at the latest 2026-11-21 14:00 +0900, because: x"
        );
        assert_eq!(
            said("check=check_disk,instance=web-1", &["tokyo", "osaka"], None, "交換", "ja"),
            "tokyoとosakaでweb-1のcheck_diskを今から2026-11-21 14:00 +0900まで（2時間）ミュートします。理由: 交換"
        );
    }

    #[test]
    fn nothing_that_narrows_it_is_left_out() {
        let t = Texts::in_language("en");
        for (matchers, want) in [
            ("check=disk", "disk on every node"),
            ("check=~\"a|b|c|d|e\"", "a, b, c and 2 more on every node"),
            ("alertname=NodeDown,instance=a", "NodeDown on a"),
            ("alertname=CheckCritical,check=x,instance=~\"a|b\"", "x (CheckCritical) on a and b"),
            ("env=prod", "every alert where env=\"prod\""),
            ("instance=~\"web.*\",check=x", "x on every node where instance=~\"web.*\""),
            ("instance!=a,job=j", "every alert where instance!=\"a\", job=\"j\""),
            ("check=x,source=\"\"", "x on every node where source=\"\""),
        ] {
            assert_eq!(what(&raw(matchers), t), want);
        }
    }

    #[test]
    fn a_long_matcher_is_cut_in_a_list() {
        let of = |length| brief(&Matcher::new("a", Op::Equal, "ü".repeat(length)).unwrap());
        assert_eq!(of(3), "a=\"üüü\"");
        assert_eq!((of(500).chars().count(), of(500).ends_with("ü…")), (WIDTH + 1, true));
    }
}
