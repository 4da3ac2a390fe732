//! The rules that a configuration must hold, in sensu-settings 10.17's words and order.
//!
//! A rule is one line over a [`Scope`]: an object with the words that its messages begin with. `null` counts as not
//! set, as Ruby's `nil` does. Filters, mutators, handlers and the transport belong to sensu-server and are not looked at.

mod check;
mod client;
mod scope;
mod time_window;

use check_result::Object;
use serde_json::Value;

use self::scope::{INTEGER, Scope, is_positive_integer};
use super::failure::Failure;
use super::named;

/// Every rule that the merged settings break.
pub(super) fn validate(settings: &Object) -> Vec<Failure> {
    let mut failures = Vec::new();
    spawn(settings, &mut failures);
    checks(settings, &mut failures);
    client_of(settings, &mut failures);
    failures
}

fn spawn(settings: &Object, failures: &mut Vec<Failure>) {
    let Some(sensu) = settings.get("sensu") else { return };
    let mut scope = Scope::new("sensu", sensu, vec!["sensu".to_owned()], failures);
    scope.must_be_object();
    scope.object("spawn", |spawn| {
        let limit = spawn.get("limit");
        if spawn.required("limit", INTEGER) {
            spawn.rule("limit", is_positive_integer(limit), "limit must be greater than 0");
        }
    });
}

fn checks(settings: &Object, failures: &mut Vec<Failure>) {
    let checks = match settings.get("checks") {
        Some(Value::Object(checks)) => checks,
        other => {
            let object = other.unwrap_or(&Value::Null);
            return failures.push(Failure::invalid(
                "checks must be a hash".to_owned(),
                object,
                vec!["checks".to_owned()],
            ));
        }
    };
    for (key, definition) in checks {
        let field = vec!["checks".to_owned(), key.clone()];
        let definition = match definition {
            Value::Object(definition) => Value::Object(named(key, definition)),
            other => other.clone(),
        };
        let mut scope = Scope::new("check", &definition, field, failures);
        if scope.must_be_object() {
            check::rules(&mut scope);
        }
    }
}

fn client_of(settings: &Object, failures: &mut Vec<Failure>) {
    let client = settings.get("client").unwrap_or(&Value::Null);
    let mut scope = Scope::new("client", client, vec!["client".to_owned()], failures);
    if scope.must_be_object() {
        client::rules(&mut scope);
    }
}
