//! What is known of each attribute: who heeds it now.

use check_result::Object;
use serde_json::Value;

use super::report::Verdict::{self, Attention, Elsewhere, Honoured, NoEffect};
use crate::definitions::{Attribute, Features};

const HONOURED: (Verdict, &str) = (Honoured, "as with sensu-client");
const UNKNOWN: (Verdict, &str) =
    (NoEffect, "unknown: carried into the result; checkscript-agent's --check.info-attributes can make it a label");
const NO_SERVER: (Verdict, &str) = (NoEffect, "there is no Sensu server");
const CONTACT: (Verdict, &str) = (
    Elsewhere,
    "Alertmanager's routes say who is told; checkscript-agent's --check.info-attributes makes it a label to go by",
);
const AGGREGATE: (Verdict, &str) = (
    Elsewhere,
    "a Prometheus rule of your own over checkscript_status, such as `count by (check) (checkscript_status > 0)`",
);
const ANNOTATION: (Verdict, &str) = (Elsewhere, "alertmanager-proxy puts it into the alert's annotations");
const FLAPPING: (Verdict, &str) = (
    Elsewhere,
    "CheckFlapping says once that a check flaps, and Alertmanager keeps its changes back meanwhile: see docs/rules.md",
);
const TRUNCATED: (Verdict, &str) = (Elsewhere, "alertmanager-proxy cuts outputs to 2,000 bytes, whatever it says");

/// Who heeds an attribute of a check.
pub(in crate::tools) fn check_attribute(
    name: &str,
    value: &Value,
    definition: &Object,
    features: &Features,
) -> (Verdict, &'static str) {
    if let Some(attribute) = Attribute::named(name) {
        return opt_in(attribute, features);
    }
    let is_standalone = definition.get("standalone") == Some(&Value::Bool(true));
    match name {
        "interval" if definition.get("cron").is_some_and(Value::is_string) => (NoEffect, "cron comes before it"),
        "name" | "command" | "standalone" | "publish" | "interval" | "cron" | "timeout" | "stdin" | "source" => {
            HONOURED
        }
        "hooks" | "subdue" => HONOURED,
        "subscribers" if is_standalone => (NoEffect, "a `standalone` check runs whatever the client subscribes to"),
        "subscribers" => subscribers(value, features),
        "extension" => (Attention, "no effect: an extension is Ruby code inside sensu-client, write it as a command"),
        "proxy_requests" if is_standalone => (NoEffect, "as with sensu-client, where the check is `standalone`"),
        "proxy_requests" => {
            (Attention, "no effect: no server asks for each proxy client; define one check with a `source` for each")
        }
        "type" if value == "metric" => (
            Attention,
            "metrics in the output are sent nowhere; performance data is exported with checkscript-agent's --check.perfdata",
        ),
        "handle" if value == &Value::Bool(false) => (
            Attention,
            "no effect: its alerts are sent like any other's; give them a route of their own in Alertmanager",
        ),
        "ttl_status" if value.as_i64() != Some(1) => {
            (Attention, "no effect: the alert CheckStale is a warning, whatever it says")
        }
        "executed" | "duration" | "output" | "status" => (Attention, "no effect: a result has its own"),
        "issued" => (Attention, "every result says that it was issued then"),
        "dependencies" => (Attention, "no effect by itself: Alertmanager's inhibit_rules do the like"),
        _ => passed_on(name),
    }
}

fn subscribers(value: &Value, features: &Features) -> (Verdict, &'static str) {
    let shares = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("roundrobin:"));
    if features.standalone_only {
        (NoEffect, "with --standalone_only no check of a subscription runs")
    } else if value.as_array().is_some_and(|names| !names.is_empty() && names.iter().all(shares)) {
        (Attention, "round-robin needs a Sensu server: every client that subscribes runs the check")
    } else {
        (Honoured, "clients that subscribe run the check by its `interval` or `cron`, as no server asks")
    }
}

fn opt_in(attribute: Attribute, features: &Features) -> (Verdict, &'static str) {
    if features.has(attribute) {
        (Honoured, "enabled with --enable_attributes")
    } else {
        (NoEffect, "takes effect where --enable_attributes names it; else only carried into the result")
    }
}

/// Attributes that sensu-server read.
fn passed_on(name: &str) -> (Verdict, &'static str) {
    match name {
        "type" => (Elsewhere, "becomes the label `type` of checkscript_info"),
        "handler" | "handlers" => (Elsewhere, "Alertmanager's routes go by the label `handlers` of its alerts"),
        "severities" => (Elsewhere, "Alertmanager's routes go by the label `severity` of its alerts"),
        "occurrences" => (Elsewhere, "the Prometheus rules heed it: alerts begin with this occurrence"),
        "refresh" => (Elsewhere, "to be set as repeat_interval of Alertmanager's routes"),
        "ttl" => (Elsewhere, "the Prometheus rules heed it: the alert CheckStale"),
        "ttl_status" => (Elsewhere, "the alert CheckStale is a warning"),
        "aggregate" | "aggregates" => AGGREGATE,
        "contact" | "contacts" => CONTACT,
        "notification" | "playbook" => ANNOTATION,
        "truncate_output" | "truncate_output_length" => TRUNCATED,
        "low_flap_threshold" | "high_flap_threshold" => FLAPPING,
        "auto_resolve" | "force_resolve" => (NoEffect, "an alert is resolved when the check is OK, always"),
        "handle" => HONOURED,
        _ => UNKNOWN,
    }
}

/// Who heeds an attribute of the client.
pub(in crate::tools) fn client_attribute(name: &str, features: &Features) -> (Verdict, &'static str) {
    match name {
        "name" | "address" | "subscriptions" | "signature" => HONOURED,
        "timezone" => opt_in(Attribute::Timezone, features),
        "keepalive" | "keepalives" => (Elsewhere, "the Prometheus rules have the alert NodeDown"),
        "socket" | "http_socket" => HONOURED,
        "redact" => (Honoured, "what is logged of the configuration hides these besides sensu-client's own list"),
        "safe_mode" | "registration" | "deregister" | "deregistration" => NO_SERVER,
        _ => (Honoured, "tokens can name it"),
    }
}

/// Who heeds a top-level key, where it is neither the client's nor the checks'.
pub(in crate::tools) fn section(key: &str) -> Option<(Verdict, &'static str)> {
    Some(match key {
        "client" | "checks" => return None,
        "sensu" => (Honoured, "of it `spawn.limit`"),
        "handlers" => (Elsewhere, "receivers of Alertmanager's do what they did"),
        "filters" => (Elsewhere, "Prometheus rules and Alertmanager's routes do what they did"),
        "mutators" => (Elsewhere, "Alertmanager's templates do what they did"),
        "transport" | "rabbitmq" | "redis" => (NoEffect, "there is no transport"),
        "api" | "dashboard" | "extensions" => NO_SERVER,
        _ => (NoEffect, "nothing reads it here"),
    })
}
