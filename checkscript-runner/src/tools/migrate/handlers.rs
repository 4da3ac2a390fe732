//! Handlers: which of them mail and Slack, whom sets mean, and what none of Alertmanager's receivers can do.

use std::collections::{BTreeMap, BTreeSet};

use check_result::Object;
use serde_json::Value;

use super::alertmanager::handled_by;
use super::filters::Filter;
use super::installation::Installation;

/// How deep sets may be nested (sensu `lib/sensu/server/filter.rb`: deeper ones are left out).
const DEEPEST_SET: usize = 2;

/// A handler that does something itself.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    pub(super) name: String,
    pub(super) means: Means,
    /// The handlers that a check may name to get here: itself, and sets with it.
    pub(super) names: BTreeSet<String>,
    /// Its filters by name; one that is defined nowhere has no effect in Sensu either.
    pub(super) filters: Vec<(String, Filter)>,
    /// The severities that it is for; empty is all.
    pub(super) severities: Vec<String>,
    /// `handle_flapping`: it is told of checks that flap as of others.
    pub(super) is_told_flapping: bool,
}

/// By which means it tells somebody.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Means {
    /// sensu-plugins-mailer, and the section that it is set in.
    Mail(String),
    /// sensu-plugins-slack, and the section that it is set in.
    Slack(String),
    /// Something that Alertmanager does otherwise or not at all, in words.
    Other(String),
}

/// All handlers of an installation, without the sets.
pub(super) fn handlers(installation: &Installation) -> Vec<Handler> {
    let all: BTreeMap<&str, &Object> = installation.objects("handlers").collect();
    let filters: BTreeMap<&str, Filter> =
        installation.objects("filters").map(|(name, filter)| (name, Filter::of(filter))).collect();
    let doers = all.iter().filter(|(_, handler)| handler.get("type").and_then(Value::as_str) != Some("set"));
    doers
        .map(|(&name, &handler)| Handler {
            name: name.to_owned(),
            means: Means::of(handler),
            names: all
                .keys()
                .filter(|other| reaches(&all, other, name, DEEPEST_SET))
                .map(|&name| name.to_owned())
                .collect(),
            filters: filter_names(handler)
                .filter_map(|name| {
                    let filter = filters.get(name).cloned().or_else(|| Filter::built_in(name))?;
                    Some((name.to_owned(), filter))
                })
                .collect(),
            severities: texts(handler.get("severities")).map(str::to_owned).collect(),
            is_told_flapping: handler.get("handle_flapping") == Some(&Value::Bool(true)),
        })
        .collect()
}

/// The names of a handler's filters.
pub(super) fn filter_names(handler: &Object) -> impl Iterator<Item = &str> {
    let single = handler.get("filter").and_then(Value::as_str);
    // As sensu-server: the list comes first, and then the single one does not count.
    let list = handler.get("filters").filter(|list| list.is_array());
    texts(list).chain(single.filter(|_| list.is_none()))
}

/// The texts of an array.
pub(super) fn texts(array: Option<&Value>) -> impl Iterator<Item = &str> {
    array.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a check that names `from` is handled by `to`.
fn reaches(all: &BTreeMap<&str, &Object>, from: &str, to: &str, depth: usize) -> bool {
    let Some(handler) = all.get(from).filter(|_| from != to) else { return from == to };
    depth > 0 && texts(handler.get("handlers")).any(|member| reaches(all, member, to, depth - 1))
}

// === impl Handler ===

impl Handler {
    /// What alerts are its own; those of checks that name no handler are of `default`.
    pub(super) fn matcher(&self) -> String {
        handled_by(self.names.iter().map(String::as_str), self.names.contains("default"))
    }

    /// What alerts are not its own.
    pub(super) fn others_matcher(&self) -> String {
        self.matcher().replacen("=~", "!~", 1)
    }
}

// === impl Means ===

impl Means {
    fn of(handler: &Object) -> Self {
        let kind = handler.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind != "pipe" {
            return Self::Other(format!(
                "a {kind} handler hands events to another program: let a webhook receiver of Alertmanager's do so"
            ));
        }
        let command = handler.get("command").and_then(Value::as_str).unwrap_or_default();
        let words: Vec<_> = command.split_whitespace().collect();
        let has = |program: &str| {
            words.iter().any(|word| word.rsplit('/').next().is_some_and(|name| name.trim_end_matches(".rb") == program))
        };
        if has("handler-mailer") || has("mailer") {
            Self::Mail(section(&words).unwrap_or("mailer").to_owned())
        } else if has("handler-slack") || has("slack") {
            Self::Slack(section(&words).unwrap_or("slack").to_owned())
        } else {
            Self::Other(native(command).map_or_else(
                || format!("Alertmanager runs no commands: a webhook receiver can call what runs `{command}`"),
                |receiver| format!("Alertmanager has {receiver} for it"),
            ))
        }
    }
}

/// The section that `-j`, `--json_config` or `--json-config` names.
fn section<'a>(words: &[&'a str]) -> Option<&'a str> {
    words.iter().enumerate().find_map(|(at, word)| match *word {
        "-j" | "--json_config" | "--json-config" => words.get(at + 1).copied(),
        _ => word.strip_prefix("--json_config=").or_else(|| word.strip_prefix("--json-config=")),
    })
}

/// Alertmanager's own receivers for what handlers are often for.
fn native(command: &str) -> Option<&'static str> {
    let known = [
        ("pagerduty", "pagerduty_configs"),
        ("opsgenie", "opsgenie_configs"),
        ("victorops", "victorops_configs"),
        ("pushover", "pushover_configs"),
        ("telegram", "telegram_configs"),
        ("sns", "sns_configs"),
    ];
    known.into_iter().find_map(|(word, receiver)| command.contains(word).then_some(receiver))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn means(handler: Value) -> Means {
        Means::of(handler.as_object().unwrap())
    }

    #[test]
    fn mail_and_slack_are_known_by_their_programs() {
        let pipe = |command: &str| means(json!({"type": "pipe", "command": command}));
        assert_eq!(pipe("handler-mailer.rb"), Means::Mail("mailer".to_owned()));
        assert_eq!(pipe("/opt/sensu/embedded/bin/handler-mailer.rb -j mailer_db"), Means::Mail("mailer_db".to_owned()));
        assert_eq!(pipe("sudo -u x handler-slack.rb --json_config=slack-ops"), Means::Slack("slack-ops".to_owned()));
        assert!(matches!(pipe("handler-pagerduty.rb"), Means::Other(text) if text.contains("pagerduty_configs")));
        assert!(matches!(pipe("cat"), Means::Other(text) if text.contains("`cat`")));
        assert!(matches!(means(json!({"type": "udp"})), Means::Other(text) if text.contains("udp")));
    }

    #[test]
    fn sets_reach_their_members_two_levels_deep() {
        let objects: Vec<(&str, Value)> = vec![
            ("mail", json!({"type": "pipe"})),
            ("one", json!({"type": "set", "handlers": ["mail"]})),
            ("two", json!({"type": "set", "handlers": ["one", "two"]})),
            ("three", json!({"type": "set", "handlers": ["two"]})),
            ("none", json!({"type": "set", "handlers": ["gone"]})),
        ];
        let all = objects.iter().map(|(name, object)| (*name, object.as_object().unwrap())).collect();
        let reached: Vec<_> = objects
            .iter()
            .filter(|(name, _)| reaches(&all, name, "mail", DEEPEST_SET))
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(reached, ["mail", "one", "two"]);
    }
}
