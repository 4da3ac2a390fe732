//! Hiding secrets in what is logged or printed of the configuration. Results are never redacted.

use check_result::Object;
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

/// Whether the values under this key are hidden.
pub(crate) fn is_secret(key: &str) -> bool {
    SECRET_KEYS.contains(&key)
}

/// The object with the value of every secret key, at any depth and of any type, replaced by `REDACTED`.
pub(crate) fn redact(object: &Object) -> Object {
    let hide = |(key, value): (&String, &Value)| {
        let value = if is_secret(key) { Value::from("REDACTED") } else { redact_value(value) };
        (key.clone(), value)
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
}
