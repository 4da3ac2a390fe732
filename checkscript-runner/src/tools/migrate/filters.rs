//! Event filters: what Alertmanager can do in their place.

use std::sync::LazyLock;

use check_result::Object;
use regex::Regex;
use serde_json::Value;

use super::account::{Fate, Judgement, judged};
use super::windows::{TimeInterval, intervals};

/// What a filter does to the routes of the handlers that have it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    /// Nothing: the rules do it, or it never filtered anything.
    Elsewhere(String),
    /// A message every so many occurrences.
    EveryOccurrences(u64),
    /// Resolved ones are not told.
    NoResolved,
    /// Nothing is told within these windows, which it names.
    Mute(Vec<TimeInterval>),
    /// It has no counterpart; more is told without it.
    None(String),
}

/// `value == 1 || value % 30 == 0`, as Sensu's documentation has it, and its kin.
static EVERY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^eval:\s*(?:value\s*==\s*\d+\s*\|\|\s*)?value\s*%\s*(\d+)\s*==\s*0\s*$")
        .expect("a constant pattern compiles")
});

// === impl Filter ===

impl Filter {
    /// Those that Sensu has or its extensions bring, by name.
    pub(super) fn built_in(name: &str) -> Option<Self> {
        let text = match name {
            "occurrences" => "the rules heed `occurrences`, the routes' repeat_interval is `refresh`",
            "check_dependencies" => "inhibit_rules do it",
            _ => return None,
        };
        Some(Self::Elsewhere(text.to_owned()))
    }

    /// Reads a valid definition.
    pub(super) fn of(definition: &Object) -> Self {
        let negate = definition.get("negate") == Some(&Value::Bool(true));
        let none = Object::new();
        let attributes = definition.get("attributes").and_then(Value::as_object).unwrap_or(&none);
        if let Some(when) = definition.get("when").filter(|when| when.is_object()) {
            return Self::within(when, attributes, negate);
        }
        let only = (attributes.len() == 1).then(|| attributes.iter().next()).flatten();
        match (only.map(|(name, value)| (name.as_str(), value)), negate) {
            (None, false) if attributes.is_empty() => Self::Elsewhere("it let everything pass".to_owned()),
            (None, true) if attributes.is_empty() => {
                Self::None("it let nothing pass: its handlers did nothing".to_owned())
            }
            (Some(("action", value)), false) if value == "create" => Self::NoResolved,
            (Some(("action", value)), true) if value == "resolve" => Self::NoResolved,
            (Some(("occurrences", Value::String(text))), false) => match every(text) {
                Some(count) => Self::EveryOccurrences(count),
                None => Self::unknown(attributes),
            },
            _ => Self::unknown(attributes),
        }
    }

    /// A filter with `when` filters within its windows only.
    fn within(when: &Value, attributes: &Object, negate: bool) -> Self {
        if !attributes.is_empty() {
            return Self::None(
                "Alertmanager mutes a route at times, but not by attributes as well: give it a route of its own with \
                 mute_time_intervals"
                    .to_owned(),
            );
        }
        if !negate {
            return Self::Elsewhere("it let everything pass".to_owned());
        }
        match intervals(when) {
            (intervals, left_out) if left_out.is_empty() => Self::Mute(intervals),
            (_, left_out) => Self::None(format!("not times of day of one zone: {}", left_out.join(", "))),
        }
    }

    fn unknown(attributes: &Object) -> Self {
        let names: Vec<_> = attributes.keys().map(String::as_str).collect();
        let how = match names.first().copied() {
            Some("client") => {
                "give the targets a label for it in Prometheus and its handlers' routes a matcher on that label"
            }
            Some("check") => {
                "checkscript-agent's --check.info-attributes makes an attribute of checks a label; give its handlers' routes a matcher on it"
            }
            _ => "see whether a matcher of the routes, or a Prometheus rule, can say the same",
        };
        Self::None(format!("a condition on `{}`: {how}", names.join("`, `")))
    }

    /// What becomes of its definition. `users` are the handlers that have it.
    pub(super) fn judgement(&self, users: &[&str]) -> Judgement {
        if users.is_empty() {
            return judged(Fate::Dropped, "no handler uses it");
        }
        let users = format!("of the handlers {}", users.join(", "));
        match self {
            Self::Elsewhere(text) => judged(Fate::Carried, text.as_str()),
            Self::EveryOccurrences(count) => judged(
                Fate::Carried,
                format!("repeat_interval of the routes {users}: {count} times the check's interval"),
            ),
            Self::NoResolved => judged(Fate::Carried, format!("send_resolved: false in the receivers {users}")),
            Self::Mute(_) => judged(Fate::Carried, format!("mute_time_intervals of the routes {users}")),
            Self::None(text) => {
                judged(Fate::ToDo, format!("not carried over, so that more is told than before, {users}: {text}"))
            }
        }
    }
}

fn every(text: &str) -> Option<u64> {
    EVERY.captures(text)?[1].parse().ok().filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(definition: Value) -> Filter {
        Filter::of(definition.as_object().unwrap())
    }

    #[test]
    fn filters_that_alertmanager_has_a_word_for() {
        let every = |text: &str| read(json!({"attributes": {"occurrences": text}}));
        assert_eq!(every("eval: value == 1 || value % 30 == 0"), Filter::EveryOccurrences(30));
        assert_eq!(every("eval: value % 5 == 0"), Filter::EveryOccurrences(5));
        assert_eq!(read(json!({"attributes": {"action": "create"}})), Filter::NoResolved);
        assert_eq!(read(json!({"negate": true, "attributes": {"action": "resolve"}})), Filter::NoResolved);
        let night = json!({"days": {"all": [{"begin": "22:00", "end": "06:00"}]}});
        assert!(
            matches!(read(json!({"negate": true, "attributes": {}, "when": night})), Filter::Mute(all) if all.len() == 1)
        );
    }

    #[test]
    fn others_are_told_and_not_guessed() {
        for definition in [
            json!({"attributes": {"occurrences": "eval: value > 3"}}),
            json!({"attributes": {"occurrences": "eval: value % 0 == 0"}}),
            json!({"attributes": {"client": {"environment": "production"}}}),
            json!({"negate": true, "attributes": {"action": "create"}}),
            json!({"negate": true, "attributes": {}}),
            json!({"negate": true, "attributes": {"check": {"team": "db"}}, "when": {"days": {"all": [{"begin": "1:00", "end": "2:00"}]}}}),
            json!({"negate": true, "attributes": {}, "when": {"days": {"all": [{"begin": "25th", "end": "2:00"}]}}}),
        ] {
            assert!(matches!(read(definition.clone()), Filter::None(_)), "{definition}");
        }
    }
}
