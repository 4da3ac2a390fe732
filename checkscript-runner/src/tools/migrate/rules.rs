//! Prometheus rules for what the rules that come with the program do not know of an installation.

use std::collections::BTreeMap;

use serde::Serialize;

use super::alertmanager::selector;
use super::checks::Checks;

#[derive(Debug, Serialize)]
pub(super) struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
struct Group {
    name: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Default, Serialize)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<&'static str>,
    expr: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, &'static str>,
}

/// The recorded counts of aggregates.
pub(super) const AGGREGATE: &str = "aggregate_severity:checkscript_status:count";

/// The rules; `None` if none are needed.
pub(super) fn rules(checks: &Checks) -> Option<Rules> {
    let rules: Vec<_> = stale(checks).into_iter().chain(aggregates(checks)).collect();
    (!rules.is_empty()).then(|| Rules { groups: vec![Group { name: "sensu", rules }] })
}

/// `ttl_status`: the rules that come with the program make a stale check a WARNING.
fn stale(checks: &Checks) -> Vec<Rule> {
    let mut by_severity: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for check in &checks.all {
        if let Some(severity) = check.ttl_status.and_then(severity_of_ttl) {
            by_severity.entry(severity).or_default().push(&check.label);
        }
    }
    let rule = |(severity, labels): (&str, Vec<&str>)| {
        let stale = "check:checkscript_last_execution_timestamp_seconds:stale";
        Rule {
            alert: Some("CheckStale"),
            expr: format!("time() - {stale}{{{}}}", selector("check", labels)),
            labels: BTreeMap::from([("severity", severity.to_owned())]),
            annotations: BTreeMap::from([(
                "summary",
                "Last check execution was {{ $value | printf \"%.0f\" }} seconds ago",
            )]),
            ..Rule::default()
        }
    };
    by_severity.into_iter().map(rule).collect()
}

/// The severity of a `ttl_status` that is not what is so anyway.
pub(super) fn severity_of_ttl(status: i64) -> Option<&'static str> {
    match status {
        0 | 1 => None,
        2 => Some("critical"),
        _ => Some("unknown"),
    }
}

/// The counts that Sensu's API answered for an aggregate: how many of its results are at which severity.
fn aggregates(checks: &Checks) -> Vec<Rule> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for check in &checks.all {
        check.aggregates.iter().for_each(|name| by_name.entry(name).or_default().push(&check.label));
    }
    let severities = [("ok", "== 0"), ("warning", "== 1"), ("critical", "== 2"), ("unknown", "> 2")];
    let mut rules = Vec::new();
    for (name, labels) in by_name {
        let series = format!("checkscript_status{{{}}}", selector("check", labels));
        for (severity, is) in severities {
            rules.push(Rule {
                record: Some(AGGREGATE),
                // The second part is 0 where there are results, but none of this severity.
                expr: format!("count({series} {is}) or count({series}) * 0"),
                labels: BTreeMap::from([("aggregate", name.to_owned()), ("severity", severity.to_owned())]),
                ..Rule::default()
            });
        }
    }
    rules
}
