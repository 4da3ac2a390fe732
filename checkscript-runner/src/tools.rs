//! The tools that a person reaches for: what a migration changes, what runs here, and one run by hand.
//!
//! They read the same configuration in the same way as the runner and take no part in its work: no tool writes to the
//! log, and none needs a runner that runs.

mod check_config;
mod compare;
mod list;
mod migrate;
mod run;

use std::process::ExitCode;

use check_result::Object;
use serde_json::Value;

use crate::cli::Tool;
use crate::console::complain;
use crate::definitions::{Absence, Check, Definitions, Failure, Sources};
use crate::schedule::Timetable;

/// Does what the tool is for; the status says how it went.
pub(crate) fn run(tool: &Tool, sources: &Sources) -> anyhow::Result<ExitCode> {
    match tool {
        Tool::CheckConfig { format } => check_config::run(sources, *format),
        Tool::Compare { before, after, format } => compare::run(before, after, *format),
        Tool::Migrate { from, silenced, out } => migrate::run(from, silenced.as_deref(), out),
        Tool::List { format } => list::run(sources, *format),
        Tool::Run { name, format } => Ok(run::run(sources, name, *format)),
    }
}

/// The definitions; `None` if they are not valid, which standard error then tells in full.
fn valid(definitions: Result<Definitions, Vec<Failure>>) -> Option<Definitions> {
    definitions.map_err(|failures| failures.iter().for_each(|failure| complain(&failure.to_string()))).ok()
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
