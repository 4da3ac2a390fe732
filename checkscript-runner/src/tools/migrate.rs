//! `migrate`: from a Sensu installation to definitions for the runner, rules for Prometheus and a configuration for Alertmanager, with
//! a report that accounts for every attribute.
//!
//! `installation` reads, the rest is pure until `output` writes: `handlers`, `filters` and `checks` say what Sensu did,
//! `routes`, `receivers`, `rules`, `silences` and `definitions` what does it now, `inventory` goes through everything once more and
//! says what became of it, and `report` renders that.

mod account;
mod alertmanager;
mod checks;
mod definitions;
mod filters;
mod handlers;
mod installation;
mod inventory;
mod output;
mod receivers;
mod report;
mod routes;
mod rules;
mod silences;
mod windows;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;

use self::account::Places;
use self::checks::Checks;
use self::definitions::{node_files, sections_of_the_server};
use self::installation::Installation;
use self::inventory::Inventory;
use self::output::OutputFile;
use self::report::Report;
use self::routes::Plan;
use crate::console::print;

/// The templates that the receivers name.
const TEMPLATES: &str = include_str!("../../../examples/alertmanager/sensu.tmpl");

const CONFIG_HEAD: &str = "\
# Made by checkscript-runner migrate; REPORT.md says from what. One route for each handler, by the label `handlers` that the rules take from the
# definitions; below it, checks that are told otherwise. Whatever no handler claims goes to the receiver `no handler`.
";
const RULES_HEAD: &str =
    "# Made by checkscript-runner migrate, to be loaded beside the rules that come with the program.\n";

/// Exit status 0 where nothing needs a decision, else 1.
pub(super) fn run(from: &Path, silenced: Option<&Path>, out: &Path) -> anyhow::Result<ExitCode> {
    output::check(out)?;
    let installation = Installation::read(from, silenced)?;
    let mut files = Vec::new();
    let (handlers, checks) = (handlers::handlers(&installation), Checks::of(&installation));
    let Plan { config, secrets, to_do } = routes::plan(&installation, &handlers, &checks);
    let mut told = Vec::new();
    for file in node_files(&installation, &sections_of_the_server(&handlers))? {
        let what = match file.without.is_empty() {
            true => "definitions for the nodes, as they are".to_owned(),
            false => format!("definitions for the nodes, without {}", file.without.join(", ")),
        };
        let path = Path::new("checkscript").join(&file.path);
        told.push((path.display().to_string(), what));
        files.push(OutputFile::new(path, file.content));
    }
    let mut add = |path: &str, what: &str, content: String| {
        told.push((path.to_owned(), what.to_owned()));
        files.push(OutputFile::new(path, content));
    };
    add("alertmanager/alertmanager.yml", "routes, receivers and times", yaml(CONFIG_HEAD, &config)?);
    add("alertmanager/sensu.tmpl", "Sensu's texts as templates", TEMPLATES.to_owned());
    if let Some(rules) = rules::rules(&checks) {
        add(
            "prometheus/sensu.yml",
            "rules of this installation's own, besides those that come with the program",
            yaml(RULES_HEAD, &rules)?,
        );
    }
    let (silences, silenced) = silences::silences(&installation.silenced, Timestamp::now());
    if !silences.is_empty() {
        let content = format!("{}\n", serde_json::to_string_pretty(&silences)?);
        add("alertmanager/silences.json", "for `amtool silence import`, once Alertmanager runs", content);
    }
    for secret in secrets {
        let path = format!("alertmanager/{}", secret.file);
        told.push((path.clone(), "a secret, for Alertmanager's user alone".to_owned()));
        files.push(OutputFile { is_secret: true, ..OutputFile::new(path, secret.content) });
    }
    let places = Places { origins: &installation.origins, from: &installation.from };
    let mut subjects = Inventory { installation: &installation, places, handlers: &handlers, checks: &checks }.take();
    subjects.extend(silenced);
    let failures = installation.loaded.failures().iter().map(ToString::to_string).collect();
    let report = Report { subjects: &subjects, failures, to_do: &to_do, files: told };
    files.push(OutputFile::new("REPORT.md", report.render()));
    output::write(out, &files)?;
    print(format!("{}\nRead {}.\n", report.summary(), out.join("REPORT.md").display()).as_bytes())?;
    Ok(if report.to_do() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn yaml(head: &str, value: &impl Serialize) -> anyhow::Result<String> {
    Ok(format!("{head}{}", serde_saphyr::to_string(value).context("cannot write YAML")?))
}
