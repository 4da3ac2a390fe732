//! The variables that sensu-client's settings are from (sensu-settings `lib/sensu/settings/loader.rb`, `load_env`), apart
//! from the client's own. They change nothing here, where there is neither a transport nor an API, but a reader of the
//! configuration or of the log sees them as there.

use std::collections::BTreeMap;

use check_result::Object;
use serde_json::Value;

/// A variable of sensu-client's.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// The setting that it is: the top-level key, and the one below it.
    pub(crate) setting: (&'static str, Option<&'static str>),
    /// What sensu-client logs.
    pub(super) message: &'static str,
    /// What it shows with that: the section, or else the setting alone.
    shows_section: bool,
}

/// In sensu-client's order; it reads the client's variables between these and [`API`].
pub(crate) const TRANSPORT: [Variable; 4] = [
    Variable {
        name: "SENSU_TRANSPORT_NAME",
        setting: ("transport", Some("name")),
        message: "using sensu transport name environment variable",
        shows_section: true,
    },
    Variable {
        name: "RABBITMQ_URL",
        setting: ("rabbitmq", None),
        message: "using rabbitmq url environment variable",
        shows_section: true,
    },
    Variable {
        name: SENTINELS,
        setting: ("redis", Some("sentinels")),
        message: "using redis sentinel url environment variable",
        shows_section: false,
    },
    Variable {
        name: REDIS,
        setting: ("redis", None),
        message: "using redis url environment variable",
        shows_section: true,
    },
];

pub(crate) const API: Variable = Variable {
    name: "SENSU_API_PORT",
    setting: ("api", Some("port")),
    message: "using api port environment variable",
    shows_section: true,
};

const SENTINELS: &str = "REDIS_SENTINEL_URLS";
const REDIS: &str = "REDIS_URL";

// === impl Variable ===

impl Variable {
    /// What the variable adds to the settings, if it is set.
    pub(super) fn settings(&self, environment: &BTreeMap<String, String>) -> Option<Object> {
        if self.name == REDIS && environment.contains_key(SENTINELS) {
            return None;
        }
        let text = environment.get(self.name)?;
        let value = if self.name == API.name { to_i(text) } else { text.as_str().into() };
        let (section, setting) = self.setting;
        let value = match setting {
            Some(setting) => Object::from_iter([(setting.to_owned(), value)]).into(),
            None => value,
        };
        Some(Object::from_iter([(section.to_owned(), value)]))
    }

    /// What is logged of the settings, under its name there.
    pub(super) fn shown(&self, settings: &Object) -> Object {
        let (section, setting) = self.setting;
        let value = settings.get(section).unwrap_or(&Value::Null);
        let (name, value) = match setting {
            Some(setting) if !self.shows_section => (setting, &value[setting]),
            _ => (section, value),
        };
        Object::from_iter([(name.to_owned(), value.clone())])
    }
}

/// As Ruby's `to_i`: the number that a text begins with, 0 if with none.
fn to_i(text: &str) -> Value {
    let text = text.trim_start();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse::<u64>().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_as_ruby_does() {
        for (text, want) in [("4567", "4567"), (" 80x", "80"), ("x", "0"), ("", "0"), ("007", "7")] {
            assert_eq!(to_i(text).to_string(), want, "{text}");
        }
    }
}
