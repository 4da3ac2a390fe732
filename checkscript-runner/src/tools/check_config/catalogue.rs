//! What is known of each attribute: who heeds it now.

use check_result::Object;
use serde_json::Value;

use super::report::Verdict::{self, Attention, Elsewhere, Honoured, NoEffect};

const HONOURED: (Verdict, &str) = (Honoured, "as with sensu-client");
const UNKNOWN: (Verdict, &str) =
    (NoEffect, "unknown: carried into the result; checkscript-agent's --check.info-attributes can make it a label");
const NO_SERVER: (Verdict, &str) = (NoEffect, "there is no Sensu server");
const CONTACT: (Verdict, &str) =
    (Elsewhere, "Alertmanager's routes say who is told; checkscript-agent's --check.info-attributes makes it a label");
const AGGREGATE: (Verdict, &str) = (
    Elsewhere,
    "a Prometheus rule of your own over checkscript_status, such as `count by (check) (checkscript_status > 0)`",
);
const ANNOTATION: (Verdict, &str) = (Elsewhere, "alertmanager-proxy puts it into the alert's annotations");
const FLAPPING: (Verdict, &str) =
    (NoEffect, "there is no flap detection; `occurrences` and Alertmanager's group_interval dampen");
const TRUNCATED: (Verdict, &str) = (Elsewhere, "alertmanager-proxy cuts outputs to 2,000 bytes, whatever it says");

/// Who heeds an attribute of a check.
pub(super) fn check_attribute(name: &str, value: &Value, definition: &Object) -> (Verdict, &'static str) {
    match name {
        "interval" if definition.get("cron").is_some_and(Value::is_string) => (NoEffect, "cron comes before it"),
        "name" | "command" | "standalone" | "publish" | "interval" | "cron" | "timeout" | "stdin" | "source" => {
            HONOURED
        }
        "hooks" => (Attention, "not supported yet: no hook runs"),
        "subdue" => (Attention, "not supported yet: the check runs at these times too"),
        "subscribers" => (NoEffect, "there is no Sensu server that asks: only `standalone` checks run"),
        "extension" => (Attention, "no effect: an extension is Ruby code inside sensu-client, write it as a command"),
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
        "dependencies" => (Attention, "no effect of its own: write an inhibit rule for Alertmanager, if you must"),
        _ => passed_on(name),
    }
}

/// Attributes that sensu-server read.
fn passed_on(name: &str) -> (Verdict, &'static str) {
    match name {
        "type" => (Elsewhere, "the label `type` of checkscript_info"),
        "handler" | "handlers" => (Elsewhere, "the label `handlers` of its alerts, for Alertmanager's routes"),
        "severities" => (Elsewhere, "the label `severity` of its alerts, for Alertmanager's routes"),
        "occurrences" => (Elsewhere, "the Prometheus rules: alerts begin with this occurrence"),
        "refresh" | "interval_refresh" => (Elsewhere, "repeat_interval of Alertmanager's routes"),
        "ttl" => (Elsewhere, "the Prometheus rules: the alert CheckStale"),
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

/// Why the definition says that this client does not run the check by itself.
pub(super) fn why_not_run(definition: &Object) -> Option<String> {
    let is = |attribute: &str, wanted: bool| definition.get(attribute) == Some(&Value::Bool(wanted));
    if is("publish", false) {
        return Some("`publish` is false".to_owned());
    }
    if definition.get("extension").is_some_and(|extension| !extension.is_null()) {
        return Some("an extension".to_owned());
    }
    (!is("standalone", true)).then(|| "not `standalone`".to_owned())
}

/// Who heeds an attribute of the client.
pub(super) fn client_attribute(name: &str) -> (Verdict, &'static str) {
    match name {
        "name" | "address" | "subscriptions" => HONOURED,
        "keepalive" | "keepalives" => (Elsewhere, "the Prometheus rules: the alert NodeDown"),
        "socket" | "http_socket" => (NoEffect, "not supported yet: no socket is opened"),
        "redact" => (
            NoEffect,
            "there are no keepalives; what is logged of the configuration hides sensu-client's own list of secrets",
        ),
        "safe_mode" | "registration" | "deregister" | "deregistration" | "signature" => NO_SERVER,
        _ => (Honoured, "tokens can name it"),
    }
}

/// Who heeds a top-level key, where it is neither the client's nor the checks'.
pub(super) fn section(key: &str) -> Option<(Verdict, &'static str)> {
    Some(match key {
        "client" | "checks" => return None,
        "sensu" => (Honoured, "of it `spawn.limit`"),
        "handlers" => (Elsewhere, "receivers and routes of Alertmanager"),
        "filters" => (Elsewhere, "Prometheus rules and Alertmanager's routes"),
        "mutators" => (Elsewhere, "Alertmanager's templates"),
        "transport" | "rabbitmq" | "redis" => (NoEffect, "there is no transport"),
        "api" | "dashboard" | "extensions" => NO_SERVER,
        _ => (NoEffect, "nothing reads it here"),
    })
}
