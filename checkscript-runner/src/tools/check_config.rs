//! `check-config`: what becomes of a Sensu configuration here, check by check.
//!
//! Every attribute gets one verdict from the `catalogue`; what the rules (validation), the merge of the files
//! (`merges`) and a look at values, tokens and programs (`judge`, `program`) find is added. The `report` is data; `text`
//! renders it for people, serde for programs.

pub(super) mod catalogue;
mod judge;
mod merges;
mod program;
pub(super) mod report;
mod subject;
mod text;

use std::collections::BTreeMap;
use std::process::ExitCode;

use check_result::Object;
use serde_json::Value;

use self::judge::Judge;
use self::report::{Kind, Report, Subject, Verdict};
use self::subject::Builder;
use crate::cli::Format;
use crate::console::print;
use crate::definitions::{
    API, Absence, DIRECTORY_UNREADABLE, FILE_MISSING, FILE_NOT_UTF8, Failure, Loaded, Origins, Redaction, Sources,
    TRANSPORT, Tree, load_tree,
};

/// Exit status 0 where nothing needs attention.
pub(super) fn run(sources: &Sources, format: Format) -> anyhow::Result<ExitCode> {
    let report = examine(sources);
    match format {
        Format::Text => print(text::render(&report).as_bytes())?,
        Format::Json => print(format!("{}\n", serde_json::to_string_pretty(&report)?).as_bytes())?,
    }
    Ok(if report.needs_attention() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn examine(sources: &Sources) -> Report {
    let (loaded, tree) = load_tree(sources);
    let origins = tree.origins();
    let (environment, failures) = (&sources.environment, loaded.failures());
    let examination = Examination { environment, tree: &tree, origins: &origins, failures };
    let mut subjects = vec![examination.configuration(&loaded), examination.client()];
    let checks = tree.object("checks").into_iter().flatten();
    subjects.extend(checks.map(|(key, definition)| examination.check(key, definition)));
    merges::add_findings(&mut subjects, &origins, &sources.directories, &Redaction::of(tree.settings()));
    subjects.retain(|subject| subject.kind == Kind::Check || !subject.findings.is_empty());
    Report::new(&tree.client().name, failures.is_empty(), subjects)
}

/// What is at hand while subjects are examined.
struct Examination<'a> {
    environment: &'a BTreeMap<String, String>,
    tree: &'a Tree,
    origins: &'a Origins,
    failures: &'a [Failure],
}

// === impl Examination ===

impl Examination<'_> {
    /// What is neither the client nor a check: files, and what sensu-server reads.
    fn configuration(&self, loaded: &Loaded) -> Subject {
        let mut subject = Builder::new(self.origins, &[]);
        for failure in self.failures.iter().filter(|failure| is_about_configuration(failure)) {
            subject.add_failure(failure);
        }
        for notice in &loaded.notices {
            if [DIRECTORY_UNREADABLE, FILE_MISSING, FILE_NOT_UTF8].contains(&notice.message.as_ref()) {
                let path = notice.fields.values().find_map(Value::as_str).unwrap_or_default();
                subject.add(Verdict::Attention, &[], format!("{}: {path}", notice.message));
            }
        }
        let runs = |key: &String| self.tree.check(key).is_some();
        if self.failures.is_empty() && !self.tree.object("checks").is_some_and(|checks| checks.keys().any(runs)) {
            subject.add(Verdict::Attention, &[], "no check runs on this client".to_owned());
        }
        for variable in TRANSPORT.iter().chain([&API]).filter(|variable| self.environment.contains_key(variable.name)) {
            if let Some((verdict, text)) = catalogue::section(variable.setting.0) {
                subject.add(verdict, &[variable.name], format!("a variable of the environment, {text}"));
            }
        }
        for (key, _) in self.tree.settings() {
            if let Some((verdict, text)) = catalogue::section(key)
                && self.origins.last(std::slice::from_ref(key)).is_some()
            {
                subject.add(verdict, &[key], text.to_owned());
            }
        }
        subject.finish(Kind::Configuration, "configuration")
    }

    fn client(&self) -> Subject {
        let mut subject = Builder::new(self.origins, &["client"]);
        self.add_failures(&mut subject, &["client"]);
        for key in self.tree.object("client").into_iter().flat_map(Object::keys) {
            if subject.stands(&[key]) {
                let (verdict, text) = catalogue::client_attribute(key, self.tree.features());
                subject.add(verdict, &[key], text.to_owned());
            }
        }
        subject.finish(Kind::Client, "client")
    }

    fn check(&self, key: &str, definition: &Value) -> Subject {
        let mut subject = Builder::new(self.origins, &["checks", key]);
        self.add_failures(&mut subject, &["checks", key]);
        let Some(definition) = definition.as_object() else { return subject.finish(Kind::Check, key) };
        let absence = self.tree.absence(definition);
        // What is wrong with a check that is for others is theirs to look at.
        let is_concern = matches!(absence, None | Some(Absence::ProxyRequests));
        for (attribute, value) in definition {
            let (verdict, text) = catalogue::check_attribute(attribute, value, definition, self.tree.features());
            let verdict = if verdict == Verdict::Attention && !is_concern { Verdict::NoEffect } else { verdict };
            subject.add(verdict, &[attribute], text.to_owned());
        }
        if absence.is_none() {
            Judge { definition, client: &self.tree.client().attributes }.judge(&mut subject);
        }
        if !subject.is_invalid() {
            let check = self.tree.check(key);
            subject.not_run = crate::tools::why_not_run(definition, absence);
            subject.has_timeout = check.as_ref().is_some_and(|check| check.timeout.is_some());
            subject.schedule = check.as_ref().map(crate::tools::schedule);
            subject.name_of_result = check.map(|check| check.key);
        }
        subject.finish(Kind::Check, key)
    }

    fn add_failures(&self, subject: &mut Builder<'_>, path: &[&str]) {
        for failure in self.failures.iter().filter(|failure| is_under(&failure.field, path)) {
            subject.add_failure(failure);
        }
    }
}

fn is_about_configuration(failure: &Failure) -> bool {
    let is_check = is_under(&failure.field, &["checks"]) && failure.field.len() > 1;
    !is_check && !is_under(&failure.field, &["client"])
}

fn is_under(field: &[String], path: &[&str]) -> bool {
    field.len() >= path.len() && field.iter().zip(path).all(|(one, other)| one == other)
}
