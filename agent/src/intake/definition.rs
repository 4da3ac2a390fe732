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
    match read_line(line) {
        Line::Result(logged) => {
            let run = Run::of(&logged);
            let status = status(&run, select);
            let mut result =
                if is_too_long(line, &logged.result) { without_definition(&run, events) } else { logged.result };
            result.map_status(status);
            Some(result)
        }
        _ => match skim(line) {
            Skimmed::Run(run) => {
                let mut result = without_definition(&run, events);
                result.map_status(status(&run, select));
                Some(result)
            }
            _ => None,
        },
    }
}

/// What the run's status stands for, also where the `exit_map` goes with the definition.
fn status(run: &Run<'_>, select: &Select) -> i64 {
    if run.mapped { run.status } else { select.status(&run.name, run.exit_map.as_ref(), run.status) }
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

#[cfg(test)]
mod tests {
    use super::super::tests::{Node, WIDE};
    use super::*;
    use crate::store::tests::line;

    #[test]
    fn a_status_is_mapped_also_where_the_exit_map_goes_with_the_definition() {
        let mut node = Node::new(WIDE, Select::default());
        let long = format!(r#""exit_map":{{"1":2}},"long":"{}","#, "x".repeat(70_000));
        let many = format!(r#""exit_map":{{"1":2}},"x":[{}0],"#, "[0],".repeat(6_000));
        node.take("log", &[line("long", 0, &long, 1), line("many", 0, &many, 1)]);
        for name in ["long", "many"] {
            let state = node.store.snapshot().into_iter().find(|state| state.latest().name() == name).unwrap();
            assert_eq!((state.latest().exit_code(), state.latest().check().contains_key("exit_map")), (2, false));
        }
    }
}
