//! The rules of a check definition (sensu-settings `validators/check.rb`).

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::scope::{
    ARRAY, BOOLEAN, INTEGER, NAME, NUMERIC, OBJECT, SEVERITIES, STRING, Scope, is_integer, is_positive_integer,
    is_truthy, matches, pattern,
};
use super::time_window;
use crate::schedule::Cron;

const NAME_TEXT: &str = "cannot contain spaces or special characters";
const ITEM_STRINGS: &str = "must each be a string";

static SOURCE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\A[A-Za-z0-9_.-]*(:{3}[A-Za-z0-9_|.-]+:{3}[A-Za-z0-9_.-]*|[A-Za-z0-9_.-]+)\z"));
static AGGREGATE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\A[A-Za-z0-9_.:|-]+\z"));

pub(super) fn rules(check: &mut Scope<'_>) {
    name(check);
    execution(check);
    source(check);
    scheduling(check);
    proxy_requests(check);
    check.handlers();
    ttl(check);
    aggregate(check);
    flap_detection(check);
    hooks(check);
    truncate_output(check);
    if is_truthy(check.get("subdue")) {
        time_window::rules(check, "check", "subdue");
    }
}

/// The rules of a result that an application pushes (sensu `client/validators/check.rb`), in their order.
pub(super) fn result_rules(check: &mut Scope<'_>) {
    check.required("output", STRING);
    check.required("status", INTEGER);
    check.labelled("executed", "executed timestamp", INTEGER);
    name(check);
    check.handlers();
    aggregate(check);
    flap_detection(check);
    truncate_output(check);
    source(check);
    if is_truthy(check.get("ttl")) {
        ttl(check);
    }
}

fn name(check: &mut Scope<'_>) {
    check.required("name", STRING);
    check.rule("name", matches(check.get("name"), &NAME), &format!("name {NAME_TEXT}"));
}

fn execution(check: &mut Scope<'_>) {
    check.optional("command", STRING);
    check.optional("extension", STRING);
    let one = check.get("command").is_null() != check.get("extension").is_null();
    check.whole_text("command", one, "either check command or extension must be set");
    check.optional("timeout", NUMERIC);
    check.optional("stdin", BOOLEAN);
}

pub(super) fn source(check: &mut Scope<'_>) {
    let source = check.get("source");
    if is_truthy(source) && check.required("source", STRING) {
        check.rule(
            "source",
            matches(source, &SOURCE),
            "source cannot contain spaces, special characters, or invalid tokens",
        );
    }
}

fn scheduling(check: &mut Scope<'_>) {
    check.optional("publish", BOOLEAN);
    if check.get("publish") != &Value::Bool(false) {
        if is_truthy(check.get("cron")) {
            cron(check);
        } else {
            let interval = check.get("interval");
            check.rule("interval", is_positive_integer(interval), "interval must be an integer greater than 0");
        }
    }
    check.optional("standalone", BOOLEAN);
    if !is_truthy(check.get("standalone")) {
        check.strings("subscribers", ITEM_STRINGS);
    }
}

fn cron(check: &mut Scope<'_>) {
    if check.required("cron", STRING) {
        let expression = check.get("cron").as_str().unwrap_or_default();
        check.rule("cron", expression.parse::<Cron>().is_ok(), "cron string must use the cron syntax");
    }
}

fn proxy_requests(check: &mut Scope<'_>) {
    if !is_truthy(check.get("proxy_requests")) {
        return;
    }
    check.object("proxy_requests", |requests| {
        requests.required("client_attributes", OBJECT);
        requests.optional("splay", BOOLEAN);
        let coverage = requests.get("splay_coverage");
        let in_range = is_integer(coverage) && coverage.as_i64().is_some_and(|percent| (1..100).contains(&percent));
        requests.rule(
            "splay_coverage",
            coverage.is_null() || in_range,
            "splay_coverage must be an integer greater than 0 and less than 100",
        );
    });
}

fn ttl(check: &mut Scope<'_>) {
    let ttl = check.get("ttl");
    if is_truthy(ttl) && check.required("ttl", INTEGER) {
        check.rule("ttl", is_positive_integer(ttl), "ttl must be greater than 0");
    }
    check.optional("ttl_status", INTEGER);
}

pub(super) fn aggregate(check: &mut Scope<'_>) {
    let aggregates = check.get("aggregates");
    if is_truthy(aggregates) && check.required("aggregates", ARRAY) {
        let named = aggregates.as_array().is_some_and(|items| items.iter().all(|item| matches(item, &AGGREGATE)));
        check.rule("aggregates", named, "aggregates items must be strings without spaces or special characters");
    }
    let aggregate = check.get("aggregate");
    if aggregate.is_string() {
        check.rule("aggregate", matches(aggregate, &AGGREGATE), &format!("aggregate {NAME_TEXT}"));
    } else if is_truthy(aggregate) {
        check.rule("aggregate", aggregate.is_boolean(), "aggregate must be a string (name) or boolean");
    }
}

pub(super) fn flap_detection(check: &mut Scope<'_>) {
    if !check.get("low_flap_threshold").is_null() || !check.get("high_flap_threshold").is_null() {
        check.labelled("low_flap_threshold", "low flap threshold", INTEGER);
        check.labelled("high_flap_threshold", "high flap threshold", INTEGER);
    }
}

fn hooks(check: &mut Scope<'_>) {
    let hooks = check.get("hooks");
    if !is_truthy(hooks) || !check.required("hooks", OBJECT) {
        return;
    }
    let mut scope = check.inside("hooks", "check hook");
    for key in hooks.as_object().into_iter().flat_map(|hooks| hooks.keys()) {
        scope.rule(key, is_hook_key(key), "key must be a severity, status, or 'non-zero'");
        let mut hook = scope.inside(key, "check hook");
        hook.required("command", STRING);
        hook.optional("timeout", NUMERIC);
        hook.optional("stdin", BOOLEAN);
    }
}

fn is_hook_key(key: &str) -> bool {
    let is_status = key.parse::<u8>().is_ok_and(|status| status.to_string() == key);
    SEVERITIES.contains(&key) || key == "non-zero" || is_status
}

fn truncate_output(check: &mut Scope<'_>) {
    check.optional("truncate_output", BOOLEAN);
    let length = check.get("truncate_output_length");
    check.rule(
        "truncate_output_length",
        length.is_null() || is_positive_integer(length),
        "truncate_output_length must be an integer greater than 0",
    );
}
