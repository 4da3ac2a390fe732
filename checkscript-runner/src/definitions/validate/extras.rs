//! The rules of the attributes that sensu-client does not know, as far as they are to take effect.

use check_result::Object;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::scope::{OBJECT, STRING, Scope};
use crate::definitions::extras::{Account, status};
use crate::definitions::failure::Failure;
use crate::definitions::{Attribute, Features};

pub(super) fn validate(settings: &Object, features: &Features, failures: &mut Vec<Failure>) {
    let checks = settings.get("checks").and_then(Value::as_object).into_iter().flatten();
    for (key, check) in checks {
        let mut scope = Scope::new("check", check, vec!["checks".to_owned(), key.clone()], failures);
        features.attributes.iter().for_each(|attribute| rules(&mut scope, *attribute));
    }
    if let Some(client) = settings.get("client").filter(|_| features.has(Attribute::Timezone)) {
        timezone(&mut Scope::new("client", client, vec!["client".to_owned()], failures));
    }
}

fn rules(check: &mut Scope<'_>, attribute: Attribute) {
    match attribute {
        Attribute::Env => env(check),
        Attribute::User => user(check),
        Attribute::ExitMap => exit_map(check),
        Attribute::Timezone => timezone(check),
    }
}

/// What some shell that may be `/bin/sh` keeps from being given a value, or from being given any but its own: it would end.
const OF_SHELLS: [&str; 7] = ["BASHOPTS", "BASH_VERSINFO", "EUID", "OPTIND", "PPID", "SHELLOPTS", "UID"];

fn env(check: &mut Scope<'_>) {
    if check.optional("env", OBJECT) {
        let mut env = check.inside("env", "check env");
        for (name, value) in env.object_entries() {
            env.rule(name, is_variable(name), "names must be letters, digits and underscores, no digit first");
            env.rule(name, value.is_string(), "values must each be a string");
            let text = format!("names must not be of those that a shell has for itself ({})", OF_SHELLS.join(", "));
            env.rule(name, !OF_SHELLS.contains(&name.as_str()), &text);
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn user(check: &mut Scope<'_>) {
    let user = check.get("user");
    if !user.is_null() && check.required("user", STRING) {
        let known = user.as_str().is_some_and(|name| Account::find(name).is_some());
        check.rule("user", known, "user must be a user of this machine");
    }
}

fn exit_map(check: &mut Scope<'_>) {
    if check.optional("exit_map", OBJECT) {
        let mut map = check.inside("exit_map", "check exit_map");
        for (from, to) in map.object_entries() {
            let is_status = from.parse::<u8>().is_ok_and(|number| number.to_string() == *from);
            map.rule(from, is_status, "keys must each be an exit status");
            map.rule(from, status(to).is_some(), "values must each be a status between 0 and 255");
        }
    }
}

fn timezone(scope: &mut Scope<'_>) {
    let zone = scope.get("timezone");
    if !zone.is_null() && scope.required("timezone", STRING) {
        let known = zone.as_str().is_some_and(|name| TimeZone::get(name).is_ok());
        scope.rule("timezone", known, "timezone must be a name of the IANA time zone database");
    }
}
