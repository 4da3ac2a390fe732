//! The rules that a configuration must hold, in sensu-settings 10.17's words and order.
//!
//! A rule is one line over a [`Scope`]: an object with the words that its messages begin with. `null` counts as not
//! set, as Ruby's `nil` does. What belongs to sensu-server (filters, mutators, handlers) is judged too, as sensu-client
//! judges it: a configuration that one of them refuses to start with is refused by the other.

mod check;
mod client;
mod extras;
mod scope;
mod sensu;
mod server;
mod time_window;

use check_result::Object;
use serde_json::Value;

use self::scope::Scope;
use super::failure::Failure;
use super::{Features, named};

type Rules = fn(&mut Scope<'_>);

/// The kinds of definitions in the order of sensu-settings, what a message calls one of them, and its rules.
const CATEGORIES: [(&str, &str, Rules); 5] = [
    ("checks", "check", check::rules),
    ("filters", "filter", server::filter),
    ("mutators", "mutator", server::mutator),
    ("handlers", "handler", server::handler),
    ("extensions", "extension", server::extension),
];

/// Every rule that the merged settings break.
pub(super) fn validate(settings: &Object, features: &Features) -> Vec<Failure> {
    let mut failures = Vec::new();
    top_level(settings, ("sensu", sensu::rules), &mut failures);
    top_level(settings, ("transport", server::transport), &mut failures);
    for category in CATEGORIES {
        definitions(settings, category, &mut failures);
    }
    top_level(settings, ("client", client::rules), &mut failures);
    extras::validate(settings, features, &mut failures);
    failures
}

fn top_level(settings: &Object, (key, rules): (&str, Rules), failures: &mut Vec<Failure>) {
    let value = settings.get(key).unwrap_or(&Value::Null);
    let mut scope = Scope::new(key, value, vec![key.to_owned()], failures);
    if scope.must_be_object() {
        rules(&mut scope);
    }
}

/// The first rule that a result from one of the sockets breaks, in sensu-client's words.
pub(crate) fn refusal(result: &Value) -> Option<String> {
    let mut failures = Vec::new();
    let mut scope = Scope::new("check", result, Vec::new(), &mut failures);
    if scope.must_be_object() {
        check::result_rules(&mut scope);
    }
    failures.into_iter().next().map(|failure| failure.message)
}

fn definitions(settings: &Object, (key, word, rules): (&str, &str, Rules), failures: &mut Vec<Failure>) {
    let Some(Value::Object(definitions)) = settings.get(key) else {
        let value = settings.get(key).unwrap_or(&Value::Null);
        return failures.push(Failure::invalid(format!("{key} must be a hash"), value, vec![key.to_owned()]));
    };
    for (name, definition) in definitions {
        let definition = match definition {
            Value::Object(definition) => Value::Object(named(name, definition)),
            other => other.clone(),
        };
        let mut scope = Scope::new(word, &definition, vec![key.to_owned(), name.clone()], failures);
        if scope.must_be_object() {
            rules(&mut scope);
        }
    }
}
