//! Hiding secrets in what is logged or printed of the configuration. Results are never redacted.
//!
//! What the client's `redact` lists is hidden besides what sensu-client hides by itself. There the list took the place of
//! that one, and in keepalives only, which do not exist here: so much is hidden here that was to be hidden anywhere.

use std::collections::HashSet;
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

/// Which keys are secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redaction {
    /// Besides [`SECRET_KEYS`].
    own: HashSet<String>,
}

/// Settings, or a part of some, with their secrets hidden; where they have a client, by its list too.
pub(crate) fn redact_value(value: &Value) -> Value {
    value.as_object().map_or_else(Redaction::default, Redaction::of).value(value)
}

// === impl Redaction ===

impl Redaction {
    /// By the list of the client in these settings, as far as there is a valid one.
    pub(crate) fn of(settings: &Object) -> Self {
        settings.get("client").and_then(Value::as_object).map_or_else(Self::default, Self::of_client)
    }

    /// By the list of this client.
    pub(crate) fn of_client(client: &Object) -> Self {
        let list = client.get("redact").and_then(Value::as_array);
        let own = list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Self { own }
    }

    /// Whether the values under this key are hidden.
    pub(crate) fn is_secret(&self, key: &str) -> bool {
        SECRET_KEYS.contains(&key) || self.own.contains(key)
    }

    /// The object with the value of every secret key, at any depth and of any type, replaced by `REDACTED`; so are
    /// passwords in the transport's URLs.
    pub(crate) fn object(&self, object: &Object) -> Object {
        let hide = |(key, value): (&String, &Value)| {
            let shown = match key.as_str() {
                key if self.is_secret(key) => Value::from("REDACTED"),
                key if URL_KEYS.contains(&key) => self.without_passwords(value),
                _ => self.value(value),
            };
            (key.clone(), shown)
        };
        object.iter().map(hide).collect()
    }

    /// As [`Self::object`], for any value.
    pub(crate) fn value(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => Value::Object(self.object(object)),
            Value::Array(values) => values.iter().map(|value| self.value(value)).collect(),
            other => other.clone(),
        }
    }

    /// As [`Self::value`], for what may be URLs.
    fn without_passwords(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(PASSWORD.replace_all(text, "${1}REDACTED@").into_owned()),
            Value::Array(values) => values.iter().map(|value| self.without_passwords(value)).collect(),
            other => self.value(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Upstream `spec/utilities_spec.rb` 122 (A44).
    #[test]
    fn secrets_are_hidden_at_any_depth_and_of_any_type() {
        let open = json!({"db": {"password": {"a": 1}, "user": "x"}, "list": [{"secret": 5}], "Password": 1});
        let want =
            json!({"db": {"password": "REDACTED", "user": "x"}, "list": [{"secret": "REDACTED"}], "Password": 1});
        assert_eq!(redact_value(&open), want);
    }

    /// A44 too. sensu-client would not hide the password then.
    #[test]
    fn the_clients_own_list_comes_to_it() {
        let settings = |license: &str, password: &str| {
            json!({
                "client": {"redact": ["license_key", 5], "license_key": license, "password": password},
                "checks": {"a": {"license_key": license, "name": "a"}},
            })
        };
        assert_eq!(redact_value(&settings("A-1", "hunter2")), settings("REDACTED", "REDACTED"));
        let no_list = json!({"client": {"redact": "license_key", "license_key": "A-1"}});
        assert_eq!(redact_value(&no_list), no_list);
    }

    #[test]
    fn passwords_in_the_transports_urls_are_hidden() {
        let hide = |value: Value| redact_value(&value);
        let redis = |password: &str| json!({"sentinels": format!("redis://:{password}@one:1,redis://two:2")});
        let urls =
            |password: &str| json!({"rabbitmq": format!("amqp://a:{password}@host/%2Fv"), "redis": redis(password)});
        assert_eq!(hide(urls("b@c")), urls("REDACTED"));
        // As a change: what was and what is.
        assert_eq!(hide(json!({"redis": [null, "redis://u:x@h"]})), json!({"redis": [null, "redis://u:REDACTED@h"]}));
        assert_eq!(hide(json!({"url": "http://u:x@h"})), json!({"url": "http://u:x@h"}), "as sensu-client does");
    }
}
