//! One result of one check.

mod attributes;
mod cut;

use std::borrow::Cow;
use std::iter;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::attributes::Attributes;
pub(crate) use self::cut::{bounded, bounded_len, truncated};
use crate::{ExitMap, Object, Status, values};

/// Where the command's own status is, once another has taken its place.
const EXIT_STATUS: &str = "exit_status";
const OUTPUT: &str = "output";
/// Where sensu-client puts the outcomes of hooks, by what they are for.
const HOOKS: &str = "hooks";
/// Sensu's type of checks whose output is measurements.
pub(crate) const METRIC: &str = "metric";
/// The `truncate_output_length` of a definition that has none.
pub(crate) const TRUNCATION: u64 = 255;

/// One run of a check, exactly as it is logged: the definition's attributes followed by `name`, `issued`, `executed`,
/// `duration`, `output` and `status`, in that order, with every attribute that this code does not know kept.
///
/// Invariants: `name` is a non-empty string, `output` a string, `status` an integer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct CheckResult {
    client: String,
    check: Object,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// A [`CheckResult`] whose invariants are still to be checked.
#[derive(Deserialize)]
struct Unchecked {
    client: String,
    check: Object,
    signature: Option<String>,
}

/// Which check of one client a result belongs to. Sensu's identity of a result is the proxy client's name (`source`) or the
/// client's own, with the check's name; who takes results of several clients has to tell those apart besides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckKey {
    /// The check's name.
    pub check: String,
    /// The proxy client that the result is about, where it is not the client itself.
    pub source: Option<String>,
}

/// Why an object is not a check result.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResult {
    /// No `name`, or one that is not a non-empty string.
    #[error("a check result needs a `name`, a non-empty string")]
    Name,
    /// No `output`, or one that is not a string.
    #[error("the result of check `{0}` needs an `output`, a string")]
    Output(String),
    /// No `status`, or one that is not an integer.
    #[error("the result of check `{0}` needs a `status`, an integer")]
    Status(String),
}

/// The first line of `text` that is not blank, without the space around it, cut to 300 characters: what fits a table or a
/// message's head.
pub fn first_line(text: &str) -> &str {
    let line = text.trim_start().lines().next().unwrap_or_default();
    line.char_indices().nth(300).map_or(line, |(end, _)| &line[..end]).trim_end()
}

// === impl CheckResult ===

impl TryFrom<Unchecked> for CheckResult {
    type Error = InvalidResult;

    fn try_from(Unchecked { client, check, signature }: Unchecked) -> Result<Self, InvalidResult> {
        Self::new(client, check).map(|result| result.with_signature(signature))
    }
}

impl CheckResult {
    /// Checks the invariants and takes the object as it is.
    pub fn new(client: impl Into<String>, check: Object) -> Result<Self, InvalidResult> {
        let name = match check.get("name") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => return Err(InvalidResult::Name),
        };
        if !check.get("output").is_some_and(Value::is_string) {
            return Err(InvalidResult::Output(name.clone()));
        }
        if check.get("status").and_then(Value::as_i64).is_none() {
            return Err(InvalidResult::Status(name.clone()));
        }
        Ok(Self { client: client.into(), check, signature: None })
    }

    /// Puts the client's `signature` beside the check, as sensu-client does where its definition has one.
    #[must_use]
    pub fn with_signature(self, signature: Option<String>) -> Self {
        Self { signature, ..self }
    }

    /// Client and check, to be built on.
    pub fn into_parts(self) -> (String, Object) {
        (self.client, self.check)
    }

    /// The client that ran the check, also where the result is about a proxy client.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Everything that was logged.
    pub fn check(&self) -> &Object {
        &self.check
    }

    /// What gauges are made of, in one pass.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes::of(&self.check)
    }

    /// Which check this is a result of.
    pub fn key(&self) -> CheckKey {
        CheckKey { check: self.name().to_owned(), source: self.source().map(str::to_owned) }
    }

    /// The check's name.
    pub fn name(&self) -> &str {
        self.text("name").unwrap_or_default()
    }

    /// The proxy client that the result is about. An empty `source` counts as none, as in Sensu.
    pub fn source(&self) -> Option<&str> {
        attributes::source(self.check.get("source"))
    }

    /// What the script printed.
    pub fn output(&self) -> &str {
        self.text("output").unwrap_or_default()
    }

    /// The output's [`first_line`], as the script wrote it.
    pub fn first_line(&self) -> &str {
        first_line(self.output())
    }

    /// The script's exit status as it is; sockets may send any integer.
    pub fn exit_code(&self) -> i64 {
        attributes::exit_code(self.check.get("status"))
    }

    /// What the exit status means.
    pub fn status(&self) -> Status {
        Status::from_exit_code(self.exit_code())
    }

    /// When the run was asked for, in epoch seconds.
    pub fn issued(&self) -> Option<i64> {
        self.check.get("issued").and_then(Value::as_i64)
    }

    /// When the run was started, in epoch seconds; `issued` where the result does not say.
    pub fn executed(&self) -> Option<i64> {
        attributes::executed(self.check.get("executed"), || self.check.get("issued"))
    }

    /// How long the run took, in seconds. Results that ran nothing have none.
    pub fn duration(&self) -> Option<f64> {
        self.number("duration")
    }

    /// The definition's `interval`, in seconds.
    pub fn interval(&self) -> Option<f64> {
        self.number("interval")
    }

    /// The definition's `ttl`, in seconds: after that long without a result the check is stale.
    pub fn ttl(&self) -> Option<f64> {
        self.number("ttl")
    }

    /// After how many consecutive results an operator is told: the definition's `occurrences`, 1 where it has none.
    pub fn occurrences_required(&self) -> u64 {
        attributes::occurrences_required(self.check.get("occurrences"))
    }

    /// The definition's `handlers`, or its single `handler`, as sensu-server reads them.
    pub fn handlers(&self) -> Vec<&str> {
        attributes::handlers(self.check.get("handlers"), || self.check.get("handler"))
    }

    /// A string attribute.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        attributes::text(self.check.get(attribute))
    }

    /// The definition's `exit_map`, where it has a usable one: an object of integers.
    pub fn exit_map(&self) -> Option<ExitMap> {
        ExitMap::deserialize(self.check.get("exit_map")?).ok()
    }

    /// Whether the status was mapped already, as checkscript-runner does it: the command's own is in `exit_status`, and the
    /// definition's `exit_map` makes this status of it. A result that was pushed may have an `exit_status` that means anything.
    pub fn is_mapped(&self) -> bool {
        let own = self.check.get(EXIT_STATUS).and_then(Value::as_i64);
        is_mapped(self.exit_map().as_ref(), own, self.exit_code())
    }

    /// Puts `status` in the place of the exit status, which is kept as `exit_status`, where it is another.
    pub fn map_status(&mut self, status: i64) {
        let own = self.exit_code();
        if own != status {
            self.check.insert("status".to_owned(), status.into());
            self.check.insert(EXIT_STATUS.to_owned(), own.into());
        }
    }

    /// Cuts the output, and those of hooks, to at most `max` bytes each on a character boundary and says so in a last line; true
    /// if it did.
    pub fn bound_output(&mut self, max: usize) -> bool {
        let mut any = false;
        for (name, value) in &mut self.check {
            match (&**name, value) {
                (OUTPUT, output) => any |= bound(output, max),
                (HOOKS, Value::Object(hooks)) => {
                    for output in hooks.values_mut().filter_map(|hook| hook.get_mut(OUTPUT)) {
                        any |= bound(output, max);
                    }
                }
                _ => {}
            }
        }
        any
    }

    /// The output, and those of hooks.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        let hooks = self.check.get(HOOKS).and_then(Value::as_object).into_iter().flat_map(Object::values);
        iter::once(self.output()).chain(hooks.filter_map(|hook| hook.get(OUTPUT)?.as_str()))
    }

    /// Bytes of memory that all of it takes besides the names and the outputs, about: most of that is the definition's.
    pub(crate) fn definition_bytes(&self) -> usize {
        let signature = self.signature.as_ref().map_or(0, String::len);
        let names = self.name().len() + self.source().map_or(0, str::len);
        let outputs: usize = self.outputs().map(str::len).sum();
        (values::weight(&self.check) + signature).saturating_sub(names + outputs)
    }

    /// The length of the first line that sensu-server kept of the output when it stored a result (`truncate_check_output` in
    /// its `process.rb`): for a check of type `metric` or with a `truncate_output`, unless that is `false`. None: all of it.
    /// The event that handlers got had all of it.
    pub(crate) fn truncation(&self) -> Option<u64> {
        let wanted = match self.check.get("truncate_output") {
            Some(Value::Bool(wanted)) => *wanted,
            None | Some(Value::Null) => self.text("type") == Some(METRIC),
            Some(_) => true,
        };
        let length = self.check.get("truncate_output_length").and_then(Value::as_u64);
        wanted.then_some(length.unwrap_or(TRUNCATION))
    }

    fn number(&self, attribute: &str) -> Option<f64> {
        attributes::number(self.check.get(attribute))
    }
}

/// Cuts a string; true if it did.
fn bound(output: &mut Value, max: usize) -> bool {
    let Value::String(output) = output else { return false };
    let Cow::Owned(bounded) = bounded(output, max) else { return false };
    *output = bounded;
    true
}

/// Whether `exit_map` has made `status` of the command's own status.
pub(crate) fn is_mapped(exit_map: Option<&ExitMap>, own: Option<i64>, status: i64) -> bool {
    exit_map.zip(own).is_some_and(|(exit_map, own)| exit_map.apply(own) == status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(check: Value) -> Result<CheckResult, InvalidResult> {
        CheckResult::new("web-1", check.as_object().unwrap().clone())
    }

    #[test]
    fn what_is_no_result_is_told_apart() {
        assert_eq!(result(json!({"output": "", "status": 0})), Err(InvalidResult::Name));
        assert_eq!(result(json!({"name": "", "output": "", "status": 0})), Err(InvalidResult::Name));
        assert_eq!(result(json!({"name": "a", "output": 1, "status": 0})), Err(InvalidResult::Output("a".into())));
        assert_eq!(result(json!({"name": "a", "output": "", "status": 0.5})), Err(InvalidResult::Status("a".into())));
    }

    #[test]
    fn attributes_as_sensu_reads_them() {
        let disk = result(json!({"name": "disk", "output": "x", "status": 1, "handler": "mail", "source": "",
            "issued": 7, "occurrences": 3, "interval": 60, "duration": 0.25}))
        .unwrap();
        assert_eq!(disk.key(), CheckKey { check: "disk".into(), source: None });
        assert_eq!((disk.executed(), disk.occurrences_required()), (Some(7), 3));
        assert_eq!((disk.interval(), disk.duration(), disk.ttl()), (Some(60.0), Some(0.25), None));
        assert_eq!(disk.handlers(), ["mail"]);
        let both = result(json!({"name": "a", "output": "", "status": 9, "handler": "x", "handlers": ["y", "z"],
            "occurrences": 0}));
        let both = both.unwrap();
        assert_eq!(both.handlers(), ["y", "z"]);
        assert_eq!((both.status(), both.occurrences_required()), (Status::Unknown, 1));
    }

    #[test]
    fn the_first_line_is_the_first_that_says_something() {
        let of = |output: &str| result(json!({"name": "a", "output": output, "status": 0})).unwrap();
        assert_eq!(of("\n  DISK OK \r\nmore").first_line(), "DISK OK");
        assert_eq!(of("").first_line(), "");
        assert_eq!(of(&"日".repeat(400)).first_line().chars().count(), 300);
    }

    #[test]
    fn outputs_are_truncated_as_sensu_server_stored_them() {
        let long = "x".repeat(300);
        let (cut, short) = (format!("{}\n...", "x".repeat(256)), long.clone());
        for (more, output, expected) in [
            (json!({}), "a\nb", "a\nb"),
            (json!({"type": "metric"}), "a 1 2\nb 1 2\n", "a 1 2\n..."),
            (json!({"type": "metric"}), "a 1 2\n", "a 1 2"),
            (json!({"type": "metric"}), &long, &cut),
            (json!({"type": "metric", "truncate_output": false}), "a\nb", "a\nb"),
            (json!({"type": "metric", "truncate_output": null}), "\nb", "\n..."),
            (json!({"truncate_output": true, "truncate_output_length": 2}), "日本語です", "日本語\n..."),
            (json!({"truncate_output": true, "truncate_output_length": 300}), &long, &short),
            (json!({"truncate_output": true, "truncate_output_length": "5"}), "", ""),
        ] {
            let mut check = json!({"name": "a", "output": output, "status": 0});
            check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let result = result(check.clone()).unwrap();
            let kept = result.truncation().map_or(result.output().into(), |length| truncated(result.output(), length));
            assert_eq!(kept, expected, "{check}");
        }
    }

    #[test]
    fn a_mapped_status_keeps_the_raw_one() {
        let mut mapped = result(json!({"name": "a", "output": "", "status": 1, "exit_map": {"1": 2}})).unwrap();
        let status = mapped.exit_map().unwrap().apply(mapped.exit_code());
        mapped.map_status(status);
        assert_eq!((mapped.exit_code(), &mapped.check()["exit_status"]), (2, &json!(1)));
        assert!(mapped.is_mapped());
        mapped.map_status(2);
        assert_eq!(mapped.check()["exit_status"], 1);
        for (more, is_mapped) in [
            (json!({"exit_status": 1, "status": 2}), false),
            (json!({"exit_status": 1, "status": 2, "exit_map": {"1": 2}}), true),
            (json!({"exit_status": 1, "status": 1, "exit_map": {"1": 2}}), false),
            (json!({"exit_status": "1", "status": 2, "exit_map": {"1": 2}}), false),
            (json!({"status": 2, "exit_map": {"1": 2}}), false),
        ] {
            let mut check = json!({"name": "a", "output": ""});
            check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(result(check).unwrap().is_mapped(), is_mapped, "{more}");
        }
    }

    #[test]
    fn a_long_output_is_cut_between_characters_and_says_so() {
        let mut long = result(json!({"name": "a", "output": "日本語", "status": 0})).unwrap();
        assert!(!long.bound_output(9));
        assert!(long.bound_output(8));
        assert_eq!(long.output(), "日本\n[output cut: 6 of 9 bytes kept]\n");
        // Cut further, and not again where it fits.
        assert!(!long.bound_output(6));
        assert!(long.bound_output(5));
        assert_eq!(long.output(), "日\n[output cut: 3 of 9 bytes kept]\n");
    }

    #[test]
    fn outputs_of_hooks_are_outputs() {
        let mut check = result(json!({"name": "a", "output": "x", "status": 1, "hooks": {
            "warning": {"command": "ps", "output": "1234", "status": 0}, "odd": 1, "non-zero": {"output": 7}}}));
        let check = check.as_mut().unwrap();
        assert_eq!(check.outputs().collect::<Vec<_>>(), ["x", "1234"]);
        assert!(check.bound_output(3));
        assert_eq!(check.check()["hooks"]["warning"]["output"], "123\n[output cut: 3 of 4 bytes kept]\n");
    }
}
