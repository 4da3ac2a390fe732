//! What goes wrong where several files, or one file twice, speak of the same thing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::report::{Finding, Kind, Place, Subject, Verdict};
use crate::definitions::{Origin, Origins, Redaction};

/// Adds to the subjects: keys that hide equal ones, values that depend on the order of files, names used twice.
pub(super) fn add_findings(
    subjects: &mut [Subject],
    origins: &Origins,
    directories: &[PathBuf],
    redaction: &Redaction,
) {
    let mut paths: Vec<_> = origins.iter().collect();
    paths.sort_unstable_by_key(|(path, _)| *path);
    for (path, origins) in paths {
        for origin in origins {
            if let Some(line) = origin.hidden {
                let text =
                    format!("set twice in this file: what line {line} says is lost, as it was with sensu-client");
                add(subjects, path, origin, text);
            }
        }
        if let (Some(last), true) = (origins.last(), depends_on_order(origins, directories)) {
            add(subjects, path, last, order_text(path, origins, redaction));
        }
    }
    add_double_names(subjects);
}

fn add(subjects: &mut [Subject], path: &[String], origin: &Origin, text: String) {
    let (kind, name, from) = match path {
        [checks, check, ..] if checks == "checks" => (Kind::Check, check.as_str(), 2),
        [client, ..] if client == "client" => (Kind::Client, "client", 1),
        _ => (Kind::Configuration, "configuration", 0),
    };
    if let Some(subject) = subjects.iter_mut().find(|subject| subject.kind == kind && subject.name == name) {
        let (attribute, place) = (path[from..].join("."), Some(Place::from(origin)));
        subject.findings.push(Finding { verdict: Verdict::Attention, attribute, text, place });
    }
}

/// Whether files of one directory give different values that are not merged. The order of the `-c` file and of the
/// directories is the command line's, so that a later one overrides an earlier one on purpose.
fn depends_on_order(origins: &[Origin], directories: &[PathBuf]) -> bool {
    let same_directory = |one: &Path, other: &Path| {
        directories.iter().any(|directory| one.starts_with(directory) && other.starts_with(directory))
    };
    origins.iter().enumerate().any(|(index, one)| {
        origins[index + 1..].iter().any(|other| {
            one.file != other.file && is_replaced(&one.value, &other.value) && same_directory(&one.file, &other.file)
        })
    })
}

fn is_replaced(one: &Value, other: &Value) -> bool {
    let merge = (one.is_object() && other.is_object()) || (one.is_array() && other.is_array());
    !merge && one != other
}

fn order_text(path: &[String], origins: &[Origin], redaction: &Redaction) -> String {
    let shown = |origin: &Origin| cut(&origin.shown(path, redaction));
    let Some((last, others)) = origins.split_last() else { return String::new() };
    let others = others.iter().map(|origin| format!("{} in {}:{}", shown(origin), origin.file.display(), origin.line));
    format!(
        "depends on the order of files: {} here, {}. Here the paths' order decides, with sensu-client the file system's",
        shown(last),
        others.collect::<Vec<_>>().join(", ")
    )
}

fn cut(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

/// Checks that results call the same are one check to every reader, and only one of them runs at a time.
fn add_double_names(subjects: &mut [Subject]) {
    let mut keys: HashMap<String, Vec<String>> = HashMap::new();
    for subject in subjects.iter() {
        if let Some(name) = &subject.name_of_result {
            keys.entry(name.clone()).or_default().push(subject.name.clone());
        }
    }
    for subject in subjects {
        let Some(name) = &subject.name_of_result else { continue };
        let others: Vec<_> = keys[name].iter().filter(|key| **key != subject.name).map(String::as_str).collect();
        if !others.is_empty() {
            let text = format!(
                "its results have the name {name}, as those of {} have: nobody can tell them apart",
                others.join(", ")
            );
            let named = subject.findings.iter().find(|finding| finding.attribute == "name");
            let place = named.map_or_else(|| subject.place.clone(), |finding| finding.place.clone());
            subject.findings.push(Finding { verdict: Verdict::Attention, attribute: "name".to_owned(), text, place });
        }
    }
}
