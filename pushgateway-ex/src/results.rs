//! The body of a push of check results: one of them or an array, each as checkscript-runner and sensu-client log it
//! (`{"client": …, "check": {…}}`), or the `check` of that alone.

use check_result::{CheckResult, InvalidResult, Object};
use serde_json::Value;

/// A body that is no check results.
#[derive(Debug, thiserror::Error)]
pub enum BadResults {
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another form.
    #[error(
        "result {0}: expected an object with a check's `name`, `output` and `status`, or `{{\"client\": …, \"check\": {{…}}}}`"
    )]
    Form(usize),
    /// An object that lacks what every result has.
    #[error("result {number}: {reason}")]
    Invalid {
        /// Which one, counted from 1.
        number: usize,
        /// What it lacks.
        reason: InvalidResult,
    },
}

/// Reads results; those without a client are from `client`.
///
/// # Errors
/// See [`BadResults`].
pub fn read(body: &[u8], client: &str) -> Result<Vec<CheckResult>, BadResults> {
    let results = match serde_json::from_slice(body)? {
        Value::Array(results) => results,
        one => vec![one],
    };
    let numbered = results.into_iter().enumerate().map(|(index, result)| (index + 1, result));
    numbered.map(|(number, result)| one(number, result, client)).collect()
}

fn one(number: usize, result: Value, client: &str) -> Result<CheckResult, BadResults> {
    let Value::Object(mut object) = result else { return Err(BadResults::Form(number)) };
    let (client, check): (String, Object) = match object.remove("check") {
        Some(Value::Object(check)) => {
            let named = object.get("client").and_then(Value::as_str);
            (named.unwrap_or(client).to_owned(), check)
        }
        Some(_) => return Err(BadResults::Form(number)),
        None => (client.to_owned(), object),
    };
    CheckResult::new(client, check).map_err(|reason| BadResults::Invalid { number, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> Result<Vec<String>, String> {
        let results = read(body.as_bytes(), "group").map_err(|error| error.to_string())?;
        Ok(results.iter().map(|result| format!("{} {}", result.client(), result.name())).collect())
    }

    #[test]
    fn results_are_read_in_every_form() {
        let bare = r#"{"name":"disk","output":"x","status":0}"#;
        assert_eq!(shown(bare).unwrap(), ["group disk"]);
        assert_eq!(shown(&format!(r#"{{"client":"web-1","check":{bare}}}"#)).unwrap(), ["web-1 disk"]);
        assert_eq!(shown(&format!(r#"[{bare},{{"check":{bare}}}]"#)).unwrap(), ["group disk", "group disk"]);
        assert_eq!(shown("[]").unwrap(), [""; 0]);
        for (body, says) in [
            ("{", "the body is not JSON: "),
            ("7", "result 1: expected an object"),
            (r#"{"check":7}"#, "result 1: expected an object"),
            (&format!(r#"[{bare},{{"name":"a"}}]"#), "result 2: the result of check `a` needs an `output`, a string"),
        ] {
            let error = shown(body).unwrap_err();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
