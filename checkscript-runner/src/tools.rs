//! The tools that a person reaches for: what a migration changes, what runs here, and one run by hand.
//!
//! They read the same configuration in the same way as the runner and take no part in its work: no tool writes to the
//! log, and none needs a runner that runs.

mod check_config;
mod list;
mod run;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use check_result::Object;
use serde_json::Value;

use crate::cli::Tool;
use crate::definitions::{Absence, Check, Definitions, Failure, Sources};
use crate::schedule::Timetable;

/// Does what the tool is for; the status says how it went.
pub(crate) fn run(tool: &Tool, sources: &Sources) -> anyhow::Result<ExitCode> {
    match tool {
        Tool::CheckConfig { format } => check_config::run(sources, *format),
        Tool::List { format } => list::run(sources, *format),
        Tool::Run { name, format } => Ok(run::run(sources, name, *format)),
    }
}

/// Writes to standard output, styles only where it shows them. A reader that has seen enough (`| head`) is no error.
fn print(text: &[u8]) -> anyhow::Result<()> {
    write(anstream::stdout(), text)
}

/// As [`print`](fn@print), but nothing is changed.
pub(crate) fn print_raw(bytes: &[u8]) -> anyhow::Result<()> {
    write(io::stdout(), bytes)
}

fn write(mut out: impl Write, text: &[u8]) -> anyhow::Result<()> {
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// The definitions; `None` if they are not valid, which standard error then tells in full.
fn valid(definitions: Result<Definitions, Vec<Failure>>) -> Option<Definitions> {
    definitions.map_err(|failures| failures.iter().for_each(|failure| complain(&told(failure)))).ok()
}

/// When a check runs, in words.
fn schedule(check: &Check) -> String {
    match &check.timetable {
        Timetable::Interval { interval, .. } => format!("every {} s", interval / 1000),
        Timetable::Cron(_) => {
            format!("cron {}", check.definition.get("cron").and_then(Value::as_str).unwrap_or_default())
        }
    }
}

/// Why the check does not run here, in words.
fn why_not_run(definition: &Object, absence: Option<Absence>) -> Option<String> {
    let is_extension = definition.get("extension").is_some_and(|extension| !extension.is_null());
    let reason = match absence {
        Some(Absence::Unpublished) => "`publish` is false",
        Some(Absence::NotStandalone) => "not `standalone`",
        Some(Absence::NotSubscribed) => "the client subscribes to none of its `subscribers`",
        Some(Absence::ProxyRequests) => "`proxy_requests` need a Sensu server",
        None if is_extension => "an extension",
        None => return None,
    };
    Some(reason.to_owned())
}

/// To standard error.
fn complain(text: &str) {
    anstream::eprintln!("checkscript-runner: {}", printable(text));
}

/// In one line, without what a terminal takes for a command: names and values are whatever a file says.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// `FILE:LINE: FIELD: TEXT`, as far as these are known.
fn told(failure: &Failure) -> String {
    let place = failure.place.as_ref().map(|(file, line)| format!("{}:{line}: ", file.display()));
    let field = (!failure.field.is_empty()).then(|| format!("{}: ", failure.field.join(".")));
    format!("{}{}{}", place.unwrap_or_default(), field.unwrap_or_default(), failure.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_its_place_and_field() {
        let failure = Failure {
            message: "check interval must be an integer greater than 0".to_owned(),
            fields: Default::default(),
            field: vec!["checks".to_owned(), "a".to_owned(), "interval".to_owned()],
            place: Some(("/etc/sensu/a.json".into(), 7)),
        };
        let want = "/etc/sensu/a.json:7: checks.a.interval: check interval must be an integer greater than 0";
        assert_eq!(told(&failure), want);
        let fields = [("file", "a.json"), ("error", "no colon")].map(|(key, text)| (key.to_owned(), Value::from(text)));
        let message = "config file must be valid json".to_owned();
        let failure = Failure { message, fields: fields.into_iter().collect(), field: vec![], place: None };
        assert_eq!(told(&failure), "config file must be valid json: a.json: no colon");
    }
}
