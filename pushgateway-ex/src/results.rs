//! The body of a push of check results: one of them or an array, each as checkscript-runner and sensu-client log it
//! (`{"client": …, "check": {…}}`), or the `check` of that alone.

use check_result::values::{MOST_VALUES, count, values};
use check_result::{CheckResult, InvalidResult, Object};
use serde_json::Value;

/// JSON values of a push at most: those of the checks of a group that has some thousand of them.
pub const MOST_OF_A_PUSH: usize = 20 * MOST_VALUES;
/// What a JSON value takes in memory beside its text, in bytes, roughly.
const VALUE: usize = 200;
/// What a number's digits take in memory, and what a member of an object takes beside its name's text and its value.
const NUMBER: usize = 16;
const MEMBER: usize = size_of::<String>() + 24;

/// A body that is no check results.
#[derive(Debug, thiserror::Error)]
pub enum BadResults {
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// More values than are taken at a time.
    #[error("the body has more than {0} JSON values: push its results in several requests")]
    Values(usize),
    /// More values than any definition has.
    #[error(
        "result {number} has more than {limit} JSON values: leave out what nobody reads, or put it into the output as text"
    )]
    ResultValues {
        /// Which one, counted from 1.
        number: usize,
        /// How many it may have.
        limit: usize,
    },
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
    /// A label of its metrics that is too long.
    #[error(
        "result {number}: label {label} would have {length} bytes, more than the {limit} of --push.max-label-bytes"
    )]
    Label {
        /// Which one, counted from 1.
        number: usize,
        /// The label.
        label: &'static str,
        /// How long it is, name and value.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// More than is kept of one check.
    #[error(
        "result {number} takes {length} bytes in memory with its outputs cut, more than the {limit} of --detail.max-bytes"
    )]
    Size {
        /// Which one, counted from 1.
        number: usize,
        /// How large it is, its outputs cut.
        length: usize,
        /// How large it may be.
        limit: usize,
    },
}

/// A body whose values are counted, which costs little beside reading it.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    body: &'a [u8],
    values: usize,
}

/// How much there may be of a result, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of each output; the rest is cut.
    pub output: usize,
    /// Of everything in memory, once that is cut.
    pub detail: usize,
    /// Of a label's name and value.
    pub label: usize,
}

impl Bounds {
    /// Cuts the outputs of results. Says what they take in memory then, in bytes.
    ///
    /// # Errors
    /// When one is too large all the same.
    pub fn keep(&self, results: &mut [CheckResult]) -> Result<usize, BadResults> {
        let mut all = 0;
        for (index, result) in results.iter_mut().enumerate() {
            let number = index + 1;
            let handlers: usize = result.handlers().iter().map(|handler| handler.len() + 1).sum();
            let source = result.source().map_or(0, str::len);
            let kind = result.text("type").map_or(0, str::len);
            let labels = [("check", result.name().len()), ("source", source), ("handlers", handlers), ("type", kind)];
            let lengths = labels.map(|(label, length)| (label, label.len() + length));
            if let Some(&(label, length)) = lengths.iter().find(|(_, length)| *length > self.label) {
                return Err(BadResults::Label { number, label, length, limit: self.label });
            }
            result.bound_output(self.output);
            let (length, limit) = (members(result.check()), self.detail);
            if length > limit {
                return Err(BadResults::Size { number, length, limit });
            }
            all += length;
        }
        Ok(all)
    }
}

/// How much memory a value takes, about.
fn size(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.capacity(),
            Value::Array(parts) => {
                let free = parts.capacity() - parts.len();
                parts.iter().map(size).sum::<usize>() + free * size_of::<Value>()
            }
            Value::Object(object) => members(object),
            Value::Number(_) => NUMBER,
            Value::Null | Value::Bool(_) => 0,
        }
}

fn members(object: &Object) -> usize {
    object.iter().map(|(name, value)| MEMBER + name.len() + size(value)).sum()
}

// === impl Counted ===

impl<'a> Counted<'a> {
    /// Counts the values.
    ///
    /// # Errors
    /// When there are more than are taken at a time.
    pub fn new(body: &'a [u8]) -> Result<Self, BadResults> {
        let values = values(body);
        if values > MOST_OF_A_PUSH { Err(BadResults::Values(MOST_OF_A_PUSH)) } else { Ok(Self { body, values }) }
    }

    /// What its values take in memory while they are read, in bytes, beside it: as much as there is of any values.
    pub fn weight(&self) -> usize {
        self.body.len() + self.values * VALUE
    }

    /// Reads results; those without a client are from `client`.
    ///
    /// # Errors
    /// See [`BadResults`].
    pub fn read(self, client: &str) -> Result<Vec<CheckResult>, BadResults> {
        let results = match serde_json::from_slice(self.body)? {
            Value::Array(results) => results,
            one => vec![one],
        };
        if let Some(index) = results.iter().position(|result| count(result) > MOST_VALUES) {
            return Err(BadResults::ResultValues { number: index + 1, limit: MOST_VALUES });
        }
        let numbered = results.into_iter().enumerate().map(|(index, result)| (index + 1, result));
        numbered.map(|(number, result)| one(number, result, client)).collect()
    }
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
        let results = Counted::new(body.as_bytes()).and_then(|body| body.read("group"));
        let results = results.map_err(|error| error.to_string())?;
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
