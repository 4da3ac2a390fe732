//! What the form says of a silence, and what is wrong with it: field by field, all at once.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::problem::{FieldError, Problem};
use super::proposal::LABELS;
use super::target::{MOST, Target};
use super::{Draft, Plan, mark, proposal};
use crate::characters::acts;
use crate::matcher::{Labels, Matcher, Op};

/// Lengths that the form offers.
pub const LENGTHS: [&str; 6] = ["1h", "2h", "4h", "8h", "1d", "1w"];

/// The longest reason, in characters, and the longest name.
const REASON: usize = 2_000;
const NAME: usize = 200;

/// The form as it was sent, so that it can be shown again. Programs send the same as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What was chosen.
    pub targets: Vec<Target>,
    /// Labels of alerts that count; those that name them, if nothing is said.
    pub labels: Option<Vec<String>>,
    /// Matchers, in Alertmanager's words; what was chosen has to match them as well.
    pub filter: String,
    /// Clusters.
    pub clusters: Vec<String>,
    /// When it begins; now, if empty.
    pub begins: String,
    /// How long it is, as `2h`.
    pub duration: String,
    /// When it ends; goes before how long it is.
    pub ends: String,
    /// Why.
    pub comment: String,
    /// Who.
    pub author: String,
    /// Whether it ends with its alerts.
    pub until_resolved: bool,
    /// What cannot be read at all.
    pub unread: Vec<FieldError>,
}

/// What a form is read against.
#[derive(Clone, Copy, Debug)]
pub struct Rulebook<'a> {
    /// Clusters that have Alertmanagers.
    pub clusters: &'a [&'a str],
    /// The moment.
    pub now: Timestamp,
    /// The zone of times that name none.
    pub zone: &'a TimeZone,
    /// The longest silence.
    pub longest: Duration,
    /// Who asks, where that is known.
    pub user: Option<&'a str>,
}

// === impl Form ===

impl Form {
    /// The form that was sent, its fields in any order.
    pub fn read(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "target" => match serde_json::from_str(&value) {
                    Ok(target) => form.targets.push(target),
                    Err(error) => form.unread.push(FieldError::new("target", Problem::Target(error.to_string()))),
                },
                "named" => drop(form.labels.get_or_insert_default()),
                "label" => form.labels.get_or_insert_default().push(value),
                "filter" => form.filter = value,
                "cluster" => form.clusters.extend(value.split(',').filter(|name| !name.is_empty()).map(str::to_owned)),
                "begins" => form.begins = value,
                "duration" => form.duration = value,
                "ends" => form.ends = value,
                "comment" => form.comment = value,
                "author" => form.author = value,
                "resolved" => form.until_resolved = !value.is_empty(),
                _ => {}
            }
        }
        form
    }

    /// The labels of alerts that count.
    pub fn names(&self) -> Vec<String> {
        self.labels.clone().unwrap_or_else(|| proposal::naming(&self.targets))
    }

    /// What is to be done.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the form.
    pub fn plan(&self, rules: &Rulebook<'_>) -> Result<Plan, Vec<FieldError>> {
        let mut errors = self.unread.clone();
        let drafts = self.drafts(rules, &mut errors);
        let (begins, ends) = self.times(rules, &mut errors);
        // Nothing fires before the work begins: it would have waited for long enough before there is anything to wait for.
        if self.until_resolved && begins.is_some() {
            errors.push(FieldError::new("resolved", Problem::Planned));
        }
        let comment = mark::read(self.comment.trim()).0;
        let author = rules.user.unwrap_or(self.author.trim());
        let wrong = [
            ("comment", wrong(comment, REASON, acts, Problem::NoReason)),
            // A name stands in one line, also where a record of it is read.
            ("author", wrong(author, NAME, |c| acts(c) || c.is_control(), Problem::NoAuthor)),
        ];
        let wrong = wrong.into_iter().filter_map(|(field, problem)| Some(FieldError::new(field, problem?)));
        errors.extend(wrong);
        match ends {
            Some(ends) if errors.is_empty() => {
                let comment = mark::written(comment, self.until_resolved);
                Ok(Plan {
                    drafts,
                    begins,
                    ends,
                    comment,
                    author: author.to_owned(),
                    until_resolved: self.until_resolved,
                })
            }
            _ => Err(errors),
        }
    }

    /// The silences, as far as they can be made out: a preview needs nothing else.
    pub fn drafts(&self, rules: &Rulebook<'_>, errors: &mut Vec<FieldError>) -> Vec<Draft> {
        let mut fail = |field, problem| errors.push(FieldError::new(field, problem));
        let mut clusters = Vec::new();
        for name in &self.clusters {
            match rules.clusters.contains(&name.as_str()) {
                false => fail("cluster", Problem::UnknownCluster(name.clone())),
                true if clusters.contains(name) => {}
                true => clusters.push(name.clone()),
            }
        }
        if self.clusters.is_empty() {
            fail("cluster", Problem::NoCluster);
        }
        let matchers = match Matcher::parse_all(&self.filter) {
            Ok(matchers) => matchers,
            Err(error) => {
                fail("filter", Problem::Filter(error));
                return Vec::new();
            }
        };
        let drafts = match (&*self.targets, &*matchers) {
            ([], []) => {
                fail("filter", Problem::Nothing);
                Vec::new()
            }
            ([], _) => vec![Draft { matchers, clusters }],
            (targets, _) if targets.len() > MOST => {
                fail("target", Problem::TooMany(MOST));
                Vec::new()
            }
            (targets, _)
                if self.names().len() > LABELS
                    || targets.iter().any(|target| target.all && target.labels.len() > LABELS) =>
            {
                fail("target", Problem::Labels(LABELS));
                Vec::new()
            }
            (targets, _) => {
                let mut drafts = proposal::drafts(targets, &self.names(), &clusters);
                // More matchers do not make up for an alert of which nothing is left.
                if drafts.iter().any(|draft| draft.matchers.is_empty()) {
                    fail("filter", Problem::Empty);
                    return Vec::new();
                }
                for draft in &mut drafts {
                    let more = matchers.iter().filter(|matcher| !draft.matchers.contains(matcher)).cloned();
                    draft.matchers = draft.matchers.iter().cloned().chain(more).collect();
                }
                drafts
            }
        };
        if drafts.iter().any(|draft| draft.matchers.iter().all(takes_nothing)) {
            fail("filter", Problem::Empty);
        }
        drafts
    }

    /// When it begins, unless at once, and when it ends.
    pub fn times(&self, rules: &Rulebook<'_>, errors: &mut Vec<FieldError>) -> (Option<Timestamp>, Option<Timestamp>) {
        let mut fail = |field, problem| errors.push(FieldError::new(field, problem));
        let begins = match self.begins.trim() {
            "" => None,
            text => time(text, rules.zone).map_err(|problem| fail("begins", problem)).ok(),
        };
        // Who reads a preview for a minute means now still.
        let begins = begins.filter(|begins| *begins > rules.now);
        let from = begins.unwrap_or(rules.now);
        let ends = match (self.ends.trim(), self.duration.trim()) {
            ("", "") => Err(("ends", Problem::NoEnd)),
            ("", text) => length(text)
                .and_then(|length| from.checked_add(SignedDuration::try_from(length).ok()?).ok())
                .ok_or_else(|| ("duration", Problem::Length(text.to_owned()))),
            (text, _) => time(text, rules.zone).map_err(|problem| ("ends", problem)),
        };
        let ends = ends.and_then(|ends| match ends {
            ends if ends <= rules.now => Err(("ends", Problem::Over)),
            ends if ends <= from => Err(("ends", Problem::Backwards)),
            ends if ends.duration_since(from)
                > SignedDuration::try_from(rules.longest).unwrap_or(SignedDuration::MAX) =>
            {
                Err(("ends", Problem::TooLong(rules.longest)))
            }
            ends => Ok(ends),
        });
        (begins, ends.map_err(|(field, problem)| fail(field, problem)).ok())
    }
}

/// Whether a matcher takes a label that is not there, in Alertmanager's sense: it refuses a silence of which all do.
fn takes_nothing(matcher: &Matcher) -> bool {
    matches!(matcher.op, Op::Equal | Op::Match) && matcher.matches(&Labels::new())
}

/// A time with its zone, or one as a browser's field has it, which is in `zone`.
///
/// # Errors
/// When it is none.
pub fn time(text: &str, zone: &TimeZone) -> Result<Timestamp, Problem> {
    let bad = || Problem::Time(text.to_owned());
    text.parse().or_else(|_| {
        let civil: DateTime = text.parse().map_err(|_| bad())?;
        Ok(civil.to_zoned(zone.clone()).map_err(|_| bad())?.timestamp())
    })
}

/// What is wrong with a text that is needed, of so many characters at most, and none that `is_unfit`.
fn wrong(text: &str, most: usize, is_unfit: impl Fn(char) -> bool, missing: Problem) -> Option<Problem> {
    match text.chars().count() {
        0 => Some(missing),
        length if length > most => Some(Problem::Wordy(most)),
        _ => text.chars().find(|c| is_unfit(*c)).map(Problem::Unfit),
    }
}

/// `90s`, `30m`, `2h`, `1d`, `1w`, or several of them.
pub fn length(text: &str) -> Option<Duration> {
    let (mut seconds, mut number) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    (number.is_empty() && seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use crate::matcher::BadMatcher;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    fn planned(text: &str) -> Result<Plan, Vec<FieldError>> {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let rules = Rulebook {
            clusters: &["tokyo", "osaka"],
            now: "2026-11-21T03:00:00Z".parse().unwrap(),
            zone: &zone,
            longest: Duration::from_secs(30 * 86_400),
            user: None,
        };
        Form::read(pairs(text)).plan(&rules)
    }

    const GOOD: &str = "filter=check%3Ddisk&cluster=tokyo&duration=2h&comment=new+disk&author=ann";

    #[test]
    fn a_form_becomes_a_plan() {
        let plan = planned(GOOD).unwrap();
        assert_eq!((plan.begins, plan.ends.to_string()), (None, "2026-11-21T05:00:00Z".to_owned()));
        assert_eq!((plan.comment.as_str(), plan.author.as_str()), ("new disk", "ann"));
        assert_eq!(planned(&format!("{GOOD}&comment=a%0D%0A%09b")).unwrap().comment, "a\r\n\tb", "lines may break");
        let later = planned(&format!("{GOOD}&begins=2026-11-21T13:00")).unwrap();
        assert_eq!(later.begins.unwrap().to_string(), "2026-11-21T04:00:00Z", "in the zone of the server");
        assert_eq!(later.ends.to_string(), "2026-11-21T06:00:00Z", "as long as was said");
        let marked = planned(&format!("{GOOD}&begins=2026-11-21T11:59&resolved=on")).unwrap();
        assert_eq!(marked.comment, "new disk [until resolved]", "it begins now");
        let exact = planned(&format!("{GOOD}&ends=2026-11-22T00:00:00Z&begins=2026-11-21T11:59")).unwrap();
        assert_eq!((exact.begins, exact.ends.to_string()), (None, "2026-11-22T00:00:00Z".to_owned()));
    }

    #[test]
    fn every_mistake_is_told_with_its_field() {
        for (text, field, problem) in [
            ("filter=", "filter", Problem::Nothing),
            ("filter=a%3D%22", "filter", Problem::Filter(BadMatcher::Quote("\"".into()))),
            ("filter=a%3D~%22.*%22", "filter", Problem::Empty),
            ("filter=a%3D%22%22,b%3D~%22x%7C%22", "filter", Problem::Empty),
            ("cluster=kyoto", "cluster", Problem::UnknownCluster("kyoto".into())),
            ("duration=", "ends", Problem::NoEnd),
            ("duration=2", "duration", Problem::Length("2".into())),
            ("duration=99999999999999w", "duration", Problem::Length("99999999999999w".into())),
            ("ends=soon", "ends", Problem::Time("soon".into())),
            ("ends=2026-11-21T11:00", "ends", Problem::Over),
            ("begins=2026-11-22T00:00&ends=2026-11-21T23:00", "ends", Problem::Backwards),
            ("duration=31d", "ends", Problem::TooLong(Duration::from_secs(30 * 86_400))),
            ("begins=2026-11-21T12:01&resolved=on", "resolved", Problem::Planned),
            ("begins=x", "begins", Problem::Time("x".into())),
            ("comment=+", "comment", Problem::NoReason),
            ("comment=%5Buntil+resolved%5D", "comment", Problem::NoReason),
            ("author=", "author", Problem::NoAuthor),
            ("author=a%0Ab+level%3Derror", "author", Problem::Unfit('\n')),
            ("author=a%E2%80%AEb", "author", Problem::Unfit('\u{202e}')),
            ("comment=a%1B[31mb", "comment", Problem::Unfit('\u{1b}')),
            ("comment=a%E2%80%AEb", "comment", Problem::Unfit('\u{202e}')),
        ] {
            let errors = planned(&format!("{GOOD}&{text}")).unwrap_err();
            assert_eq!(errors, [FieldError::new(field, problem)], "{text}");
        }
        let all: Vec<_> = planned("target=x").unwrap_err().into_iter().map(|error| error.field).collect();
        assert_eq!(all, ["target", "cluster", "filter", "ends", "comment", "author"]);
        let many = "&target=%7B%22labels%22%3A%7B%7D%7D".repeat(MOST + 1);
        assert!(
            planned(&format!("{GOOD}{many}")).unwrap_err().contains(&FieldError::new("target", Problem::TooMany(MOST)))
        );
    }

    #[test]
    fn labels_that_count_are_as_many_as_can_be_read() {
        let target = |labels: usize, all: bool| {
            let labels: Labels = (0..labels).map(|index| (format!("l{index}"), "x".to_owned())).collect();
            let target = serde_json::to_string(&Target { cluster: String::new(), labels, all }).unwrap();
            let target: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
            planned(&format!("{GOOD}&target={target}"))
        };
        for all in [true, false] {
            assert_eq!(target(LABELS, all).unwrap().drafts.len(), 1);
            assert_eq!(target(LABELS + 1, all).unwrap_err(), [FieldError::new("target", Problem::Labels(LABELS))]);
        }
    }

    #[test]
    fn a_cluster_that_is_named_twice_is_told_once() {
        assert_eq!(planned(&format!("{GOOD}&cluster=osaka,tokyo")).unwrap().drafts[0].clusters, ["tokyo", "osaka"]);
    }

    #[test]
    fn a_negative_matcher_may_stand_alone_as_in_alertmanager() {
        assert!(planned(&format!("{GOOD}&filter=severity!%3Dcritical")).is_ok());
    }

    #[test]
    fn labels_can_be_switched_off() {
        let target = "target=%7B%22cluster%22%3A%22tokyo%22%2C%22labels%22%3A%7B%22instance%22%3A%22a%22%2C%22check%22%3A%22x%22%7D%7D";
        let matchers = |more: &str| {
            let plan = planned(&format!("{target}&cluster=tokyo&duration=1h&comment=c&author=a{more}")).unwrap();
            plan.drafts[0].matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        assert_eq!(matchers(""), r#"instance="a",check="x""#);
        assert_eq!(matchers("&named=1&label=check"), r#"check="x""#);
        assert_eq!(matchers("&filter=env%3Dprod"), r#"instance="a",check="x",env="prod""#);
        let nothing =
            planned(&format!("{target}&cluster=tokyo&duration=1h&comment=c&author=a&named=1&filter=env%3Dprod"));
        assert_eq!(nothing.unwrap_err(), [FieldError::new("filter", Problem::Empty)], "not everything in prod");
    }
}
