//! A result with its definition, as the last line of a check has it; the definition of a length that may be kept.

use check_result::log::{Line, Run, Skimmed, read_line, skim};
use check_result::{CheckResult, Object};
use serde_json::Value;

use crate::events::Events;
use crate::select::Select;

/// Bytes of a definition, outputs apart, that are kept, as JSON. Whoever may push results may add attributes of any length
/// under any number of names: ten thousand lines of 16 MiB would be there for ever.
const LONGEST: usize = 64 << 10;

/// The result of a line that was taken for one, its status mapped; none of an empty line. Of a definition that cannot be read
/// (nested too deep, or of too many values) or is too long, the run remains.
pub(super) fn read_result(line: &[u8], select: &Select, events: &Events) -> Option<CheckResult> {
    let mut result = match read_line(line) {
        Line::Result(logged) if is_too_long(line, &logged.result) => without_definition(&Run::of(&logged), events),
        Line::Result(logged) => logged.result,
        _ => match skim(line) {
            Skimmed::Run(run) => without_definition(&run, events),
            _ => return None,
        },
    };
    if !result.is_mapped() {
        let status = select.status(result.name(), result.exit_map().as_ref(), result.exit_code());
        result.map_status(status);
    }
    Some(result)
}

fn without_definition(run: &Run<'_>, events: &Events) -> CheckResult {
    let result = run.to_result();
    events.definition_unreadable(&result.key(), LONGEST);
    result
}

/// Whether the definition in `line`, which is that of `result`, is too long to be kept.
fn is_too_long(line: &[u8], result: &CheckResult) -> bool {
    // Hardly any line is: their definitions need not be measured.
    line.len() > LONGEST && total(result.check(), of_attribute) > LONGEST
}

/// How long an attribute is without the outputs in it, which have bounds of their own.
fn of_attribute(name: &str, value: &Value) -> usize {
    let of_hook = |_: &str, hook: &Value| hook.as_object().map_or_else(|| json(hook), |hook| total(hook, but_output));
    match (name, value) {
        ("hooks", Value::Object(hooks)) => total(hooks, of_hook),
        _ => but_output(name, value),
    }
}

fn but_output(name: &str, value: &Value) -> usize {
    if name == "output" && value.is_string() { 0 } else { json(value) }
}

fn total(object: &Object, of: impl Fn(&str, &Value) -> usize) -> usize {
    object.iter().map(|(name, value)| name.len() + of(name, value)).sum()
}

fn json(value: &Value) -> usize {
    value.to_string().len()
}
