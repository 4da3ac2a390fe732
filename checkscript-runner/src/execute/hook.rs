//! Hooks: what a check wants run once its own status is known, to say more about it.

use check_result::Object;
use serde_json::Value;

/// After how many seconds a hook is stopped that has no `timeout`, as in sensu-client.
const TIMEOUT: f64 = 60.0;
const SEVERITIES: [&str; 4] = ["ok", "warning", "critical", "unknown"];

/// What a hook is to run, its tokens not replaced.
#[derive(Debug, PartialEq)]
pub(super) struct Hook {
    pub(super) command: String,
    pub(super) stdin: bool,
    /// Seconds; none or 0 is unlimited.
    pub(super) timeout: Option<f64>,
}

/// The key of the hook that a check has for this status: the status itself, else the severity, else `non-zero`.
pub(super) fn choose(check: &Object, status: i32) -> Option<String> {
    let hooks = check.get("hooks")?.as_object()?;
    let severity = usize::try_from(status).ok().and_then(|status| SEVERITIES.get(status)).unwrap_or(&"unknown");
    let keys = [Some(status.to_string()), Some((*severity).to_owned()), (status != 0).then(|| "non-zero".to_owned())];
    keys.into_iter().flatten().find(|key| hooks.get(key).is_some_and(Value::is_object))
}

/// The hook's object within the check, where what comes of it is recorded.
pub(super) fn object<'a>(check: &'a mut Object, key: &str) -> Option<&'a mut Object> {
    check.get_mut("hooks")?.as_object_mut()?.get_mut(key)?.as_object_mut()
}

// === impl Hook ===

impl Hook {
    pub(super) fn of(definition: &Object) -> Option<Self> {
        Some(Self {
            command: definition.get("command")?.as_str()?.to_owned(),
            stdin: definition.get("stdin") == Some(&Value::Bool(true)),
            timeout: definition.get("timeout").map_or(Some(TIMEOUT), Value::as_f64),
        })
    }
}

/// The check's hooks with the commands that they are defined with: what tokens stand for may be secret.
pub(super) fn conceal(check: &mut Object, definition: &Object) {
    let defined = definition.get("hooks").and_then(Value::as_object).into_iter().flatten();
    for (key, hook) in defined {
        if let (Some(command), Some(published)) = (hook.get("command"), object(check, key)) {
            published.insert("command".to_owned(), command.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Upstream `spec/client/process_spec.rb` 221, 241 and 261 (A13 to A15).
    #[test]
    fn the_status_is_preferred_to_the_severity_and_both_to_non_zero() {
        let check = |keys: &[&str]| {
            let hooks: Object = keys.iter().map(|key| ((*key).to_owned(), json!({"command": "true"}))).collect();
            Object::from_iter([("hooks".to_owned(), hooks.into())])
        };
        for (keys, status, want) in [
            (&["non-zero", "warning", "1"][..], 1, Some("1")),
            (&["non-zero", "warning"], 1, Some("warning")),
            (&["non-zero", "warning"], 2, Some("non-zero")),
            (&["non-zero", "unknown"], 42, Some("unknown")),
            (&["non-zero", "42"], 42, Some("42")),
            (&["ok", "non-zero"], 0, Some("ok")),
            (&["non-zero"], 0, None),
            (&[], 2, None),
        ] {
            assert_eq!(choose(&check(keys), status).as_deref(), want, "{keys:?} {status}");
        }
        assert_eq!(choose(&Object::new(), 1), None);
    }

    #[test]
    fn the_timeout_is_60_seconds_unless_the_hook_has_one() {
        let timeout = |hook: Value| Hook::of(hook.as_object().unwrap()).unwrap().timeout;
        assert_eq!(timeout(json!({"command": "true"})), Some(60.0));
        assert_eq!(timeout(json!({"command": "true", "timeout": 1.5})), Some(1.5));
    }
}
