//! What Prometheus is asked of a silence that nothing matches any more, and which answer says that its alerts are gone.
//!
//! It is asked by the labels alone that its rules and targets give: those that are added or changed on the way to Alertmanager,
//! external ones and relabelled ones, it does not have, and an empty answer for them would mean nothing. Asked for less, it
//! can only find more. A silence with none of these labels stays until its hard end.

use std::collections::{BTreeSet, HashSet};

use crate::matcher::{Labels, Matcher};
use crate::silencing::proposal;

/// Labels by which Prometheus knows a check and its node.
const KNOWN: [&str; 4] = ["job", "instance", "check", "source"];

/// Those of them by which it knows a node.
const NODE: [&str; 2] = ["job", "instance"];

/// What Prometheus is asked, and what its answer has to be like for the alert to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The expression.
    pub expression: String,
    /// What has to be in the answer: every combination of these labels' values, and anything at all; nothing may be if it is
    /// none.
    pub wanted: Option<Vec<(&'static str, BTreeSet<String>)>>,
}

/// What Prometheus is asked of a silence that nothing matches; none where it cannot know whether an alert is gone.
pub fn questions(matchers: &[Matcher]) -> Option<Vec<Question>> {
    let of = |names: &[&str]| matchers.iter().filter(|matcher| names.contains(&&*matcher.name)).collect::<Vec<_>>();
    let names = |name: &&str| {
        let mut of_name = matchers.iter().filter(|matcher| matcher.name == **name);
        of_name.any(|matcher| !matcher.matches(&Labels::new()))
            || listed(matchers, name).iter().any(|one| !one.is_empty())
    };
    let (known, of_node) = (of(&KNOWN), of(&NODE));
    if !names(&"alertname") && !KNOWN.iter().any(names) {
        return None;
    }
    let of_rules = [of(&["alertname"]), known.clone()].concat();
    let mut questions = vec![Question { expression: selector("ALERTS", &of_rules), wanted: None }];
    if names(&"instance") {
        questions.push(Question { expression: format!("{} == 0", selector("up", &of_node)), wanted: None });
    }
    let (metric, by) = if ["check", "source"].iter().any(names) {
        (selector("checkscript_status", &known), &KNOWN[..])
    } else {
        (format!("({} or {})", selector("up", &of_node), selector("checkscript_status", &of_node)), &NODE[..])
    };
    let wanted: Vec<_> = by.iter().map(|name| (*name, listed(matchers, name))).collect();
    let wanted: Vec<_> = wanted.into_iter().filter(|(name, values)| names(name) || !values.is_empty()).collect();
    if !wanted.is_empty() {
        let by: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
        let expression = format!("count by ({}) ({metric})", by.join(", "));
        questions.push(Question { expression, wanted: Some(wanted) });
    }
    Some(questions)
}

/// The values of a label that matchers list. Checks without a source are what they are; without any of the other labels there
/// is nothing that could have a series.
fn listed(matchers: &[Matcher], name: &str) -> BTreeSet<String> {
    let of_name = || matchers.iter().filter(|matcher| matcher.name == name);
    let is_taken = |value: &String| {
        let labels = Labels::from([(name.to_owned(), value.clone())]);
        of_name().all(|matcher| matcher.matches(&labels)) && (!value.is_empty() || name == "source")
    };
    of_name().filter_map(|matcher| proposal::values(matcher.op, &matcher.value)).flatten().filter(is_taken).collect()
}

fn selector(metric: &str, matchers: &[&Matcher]) -> String {
    let matchers: Vec<_> = matchers.iter().map(ToString::to_string).collect();
    format!("{metric}{{{}}}", matchers.join(","))
}

// === impl Question ===

impl Question {
    /// Whether an answer with these labels says that the alert is gone.
    pub fn is_answered_well(&self, found: &[Labels]) -> bool {
        let Some(wanted) = &self.wanted else { return found.is_empty() };
        let listed: Vec<_> = wanted.iter().filter(|(_, values)| !values.is_empty()).collect();
        let combination = |labels: &Labels| -> Option<Vec<String>> {
            let value = |name: &str| labels.get(name).cloned().unwrap_or_default();
            listed.iter().map(|(name, values)| Some(value(name)).filter(|value| values.contains(value))).collect()
        };
        let there: HashSet<_> = found.iter().filter_map(combination).collect();
        let all = listed.iter().try_fold(1_usize, |all, (_, values)| all.checked_mul(values.len()));
        all == Some(there.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_is_asked_what_the_silence_names() {
        let asked = |text: &str| -> Vec<String> {
            let questions = questions(&Matcher::parse_all(text).unwrap()).unwrap_or_default();
            questions.into_iter().map(|question| question.expression).collect()
        };
        assert_eq!(asked("alertname=\"a\\\"b\""), [r#"ALERTS{alertname="a\"b"}"#]);
        assert_eq!(
            asked("job=j,instance=a,check=x,alertname=C"),
            [
                r#"ALERTS{alertname="C",job="j",instance="a",check="x"}"#,
                r#"up{job="j",instance="a"} == 0"#,
                r#"count by (job, instance, check) (checkscript_status{job="j",instance="a",check="x"})"#,
            ]
        );
        assert_eq!(asked("check=x")[1..], [r#"count by (check) (checkscript_status{check="x"})"#]);
        assert_eq!(
            asked("instance=a")[2],
            r#"count by (instance) ((up{instance="a"} or checkscript_status{instance="a"}))"#
        );
    }

    #[test]
    fn each_that_is_named_has_to_be_there() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect::<Labels>()
        };
        let questions = questions(&Matcher::parse_all("instance=~\"a|b\",check=x").unwrap()).unwrap();
        let (fires, down, there) = (&questions[0], &questions[1], &questions[2]);
        assert!(fires.is_answered_well(&[]) && !fires.is_answered_well(&[labels(&[("alertname", "C")])]));
        assert!(down.is_answered_well(&[]) && !down.is_answered_well(&[labels(&[("instance", "a")])]));
        let (a, b) = (labels(&[("instance", "a"), ("check", "x")]), labels(&[("instance", "b"), ("check", "x")]));
        assert!(there.is_answered_well(&[a.clone(), b]));
        assert!(!there.is_answered_well(&[a]) && !there.is_answered_well(&[]));
    }

    #[test]
    fn each_combination_has_to_be_there() {
        let text = "instance=~\"a|b\",instance!=c,check=~\"x|y\",source=~\"|db\",job=~\"j.*\"";
        let questions = questions(&Matcher::parse_all(text).unwrap()).unwrap();
        let there = questions.last().unwrap();
        assert!(
            there.expression.starts_with("count by (job, instance, check, source) (checkscript_status{"),
            "{there:?}"
        );
        let labels = |(instance, check, source): (&str, &str, &str)| -> Labels {
            let pairs = [("job", "j1"), ("instance", instance), ("check", check), ("source", source)];
            let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let all: Vec<_> = ["a", "b"]
            .into_iter()
            .flat_map(|instance| ["x", "y"].map(|check| (instance, check)))
            .flat_map(|(instance, check)| ["", "db"].map(|source| labels((instance, check, source))))
            .collect();
        assert!(there.is_answered_well(&all));
        for missing in 0..all.len() {
            let rest: Vec<_> =
                all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, one)| one.clone()).collect();
            assert!(!there.is_answered_well(&rest), "without {:?}", all[missing]);
        }
    }

    #[test]
    fn labels_that_prometheus_does_not_have_are_not_asked_for() {
        let asked = |text: &str| questions(&Matcher::parse_all(text).unwrap()).map(|questions| questions[0].clone());
        let question = asked("check=x,region=\"eu\",\"team.name\"=\"a\",severity=critical").unwrap();
        assert_eq!(question.expression, r#"ALERTS{check="x"}"#);
        assert_eq!(asked("region=eu,source=\"\""), None, "no answer would say that it is gone");
    }
}
