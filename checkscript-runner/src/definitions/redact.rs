//! Hiding secrets in what is logged or printed of the configuration. Results are never redacted.

use std::sync::LazyLock;

use check_result::Object;
use regex::Regex;
use serde_json::Value;

/// The keys that sensu-client hides, wherever they stand.
const SECRET_KEYS: [&str; 22] = [
    "password",
    "passwd",
    "pass",
    "api_key",
    "api_token",
    "access_key",
    "secret_key",
    "private_key",
    "secret",
    "routing_key",
    "access_token_read",
    "access_token_write",
    "access_token_path",
    "webhook_url",
    "nickserv_password",
    "channel_password",
    "community",
    "keystore_password",
    "truststore_password",
    "proxy_password",
    "access_key_id",
    "secret_access_key",
];

/// The keys under which sensu-client takes URLs, and logs them with their passwords.
const URL_KEYS: [&str; 3] = ["rabbitmq", "redis", "sentinels"];

/// The password of a URL, and what stands before it.
static PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(://[^:/@\s,]*:)[^\s,]*@").expect("a constant pattern compiles"));

/// Whether the values under this key are hidden.
pub(crate) fn is_secret(key: &str) -> bool {
    SECRET_KEYS.contains(&key)
}

/// The object with the value of every secret key, at any depth and of any type, replaced by `REDACTED`; so are passwords
/// in the transport's URLs.
pub(crate) fn redact(object: &Object) -> Object {
    let hide = |(key, value): (&String, &Value)| {
        let shown = match key.as_str() {
            key if is_secret(key) => Value::from("REDACTED"),
            key if URL_KEYS.contains(&key) => without_passwords(value),
            _ => redact_value(value),
        };
        (key.clone(), shown)
    };
    object.iter().map(hide).collect()
}

/// As [`redact`], for any value.
pub(crate) fn redact_value(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(redact(object)),
        Value::Array(values) => Value::Array(values.iter().map(redact_value).collect()),
        other => other.clone(),
    }
}

/// As [`redact_value`], for what may be URLs.
fn without_passwords(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(PASSWORD.replace_all(text, "${1}REDACTED@").into_owned()),
        Value::Array(values) => values.iter().map(without_passwords).collect(),
        other => redact_value(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Upstream `spec/utilities_spec.rb` 122 (A44).
    #[test]
    fn secrets_are_hidden_at_any_depth_and_of_any_type() {
        let Value::Object(open) =
            json!({"db": {"password": {"a": 1}, "user": "x"}, "list": [{"secret": 5}], "Password": 1})
        else {
            panic!("an object")
        };
        let want =
            json!({"db": {"password": "REDACTED", "user": "x"}, "list": [{"secret": "REDACTED"}], "Password": 1});
        assert_eq!(Value::Object(redact(&open)), want);
    }

    #[test]
    fn passwords_in_the_transports_urls_are_hidden() {
        let hide = |value: Value| Value::Object(redact(value.as_object().unwrap()));
        let redis = |password: &str| json!({"sentinels": format!("redis://:{password}@one:1,redis://two:2")});
        let urls =
            |password: &str| json!({"rabbitmq": format!("amqp://a:{password}@host/%2Fv"), "redis": redis(password)});
        assert_eq!(hide(urls("b@c")), urls("REDACTED"));
        // As a change: what was and what is.
        assert_eq!(hide(json!({"redis": [null, "redis://u:x@h"]})), json!({"redis": [null, "redis://u:REDACTED@h"]}));
        assert_eq!(hide(json!({"url": "http://u:x@h"})), json!({"url": "http://u:x@h"}), "as sensu-client does");
    }
}
