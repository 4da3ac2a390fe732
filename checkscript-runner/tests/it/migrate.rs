//! `migrate`: a realistic installation (50 checks, 8 handlers) in whole, and those that are none. What is expected stands in
//! `fixtures/migrate/expected`; after a wanted change `BLESS=1` writes it anew, to be read in the difference. That the real amtool and
//! promtool take it is for `scripts/test-migration.sh`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::fixture;

fn migrate(from: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checkscript-runner"));
    command.arg("migrate").arg("--from").arg(from).arg("--out").arg(out).args(more).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every file below a directory, by its path there.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut directories) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.insert(path.strip_prefix(directory).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// With the times of this run replaced.
fn undated(path: &Path, bytes: &[u8]) -> String {
    let times = Regex::new(r"\d{4}-\d\d-\d\dT[0-9:.]+Z").unwrap();
    let days = Regex::new(r"ends on \d{4}-\d\d-\d\d").unwrap();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") if path.ends_with("silences.json") => times.replace_all(&text(bytes), "TIME").into_owned(),
        Some("md") => days.replace_all(&text(bytes), "ends on DAY").into_owned(),
        _ => text(bytes),
    }
}

/// An installation of these files.
fn installation(contents: &[(&str, Value)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in contents {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.to_string()).unwrap();
    }
    directory
}

/// What is made of an installation.
fn made(contents: &[(&str, Value)]) -> (Output, BTreeMap<PathBuf, Vec<u8>>) {
    let (from, out) = (installation(contents), tempfile::tempdir().unwrap());
    let output = migrate(from.path(), out.path(), &[]);
    let files = files(out.path());
    (output, files)
}

#[test]
fn an_installation_is_migrated_in_whole() {
    let (from, out) = (fixture("migrate/installation"), tempfile::tempdir().unwrap());
    let output = migrate(&from, out.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "something is to be seen to: {}", text(&output.stderr));
    let expected = fixture("migrate/expected");
    let mut made = files(out.path());
    made.retain(|path, _| !path.starts_with("checkscript") && !path.starts_with("alertmanager/secrets"));
    let templates = made.remove(Path::new("alertmanager/sensu.tmpl")).unwrap();
    assert_eq!(text(&templates), include_str!("../../../examples/alertmanager/sensu.tmpl"));
    let made: BTreeMap<_, _> = made.iter().map(|(path, bytes)| (path.clone(), undated(path, bytes))).collect();
    if std::env::var_os("BLESS").is_some() {
        fs::remove_dir_all(&expected).ok();
        for (path, content) in &made {
            fs::create_dir_all(expected.join(path).parent().unwrap()).unwrap();
            fs::write(expected.join(path), content).unwrap();
        }
    }
    let want: BTreeMap<_, _> = files(&expected).into_iter().map(|(path, bytes)| (path, text(&bytes))).collect();
    assert_eq!(made.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    for (path, content) in &made {
        assert_eq!(content, &want[path], "{}; if it is wanted, see the head of this module", path.display());
    }
}

#[test]
fn definitions_of_nodes_are_byte_for_byte_as_they_were() {
    let (from, out) = (fixture("migrate/installation"), tempfile::tempdir().unwrap());
    migrate(&from, out.path(), &[]);
    let (before, after) = (files(&from), files(&out.path().join("checkscript")));
    assert_eq!(after.len(), 5);
    for (path, content) in after {
        assert_eq!(content, before[&path], "{}", path.display());
    }
}

#[test]
fn every_object_and_every_attribute_is_in_the_report() {
    let (from, out) = (fixture("migrate/installation"), tempfile::tempdir().unwrap());
    migrate(&from, out.path(), &[]);
    let report = fs::read_to_string(out.path().join("REPORT.md")).unwrap();
    let sections: BTreeMap<&str, &str> = report
        .split("\n### ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap())
        .map(|(head, body)| (head.split(" (").next().unwrap(), body))
        .collect();
    let kinds = [("checks", "check"), ("handlers", "handler"), ("contacts", "contact")];
    let mut attributes = 0;
    for (path, bytes) in files(&from).iter().filter(|(path, _)| !path.ends_with("silenced.json")) {
        // Comments are Sensu's own liberty.
        let json: Value = serde_json::from_str(text(bytes).trim_start_matches(|c| c != '{')).unwrap();
        for (section, kind) in kinds {
            for (name, object) in json.get(section).and_then(Value::as_object).into_iter().flatten() {
                let body = sections[&*format!("{kind} `{name}`")];
                for attribute in object.as_object().unwrap().keys() {
                    assert!(body.contains(&format!("\n| `{attribute}` | ")), "{}: {name}.{attribute}", path.display());
                    attributes += 1;
                }
            }
        }
        for section in json.as_object().unwrap().keys().filter(|key| !kinds.iter().any(|(section, _)| section == key)) {
            let is_list = ["filters", "mutators"].contains(&section.as_str());
            let kind = if section == "client" { "client" } else { "section" };
            assert!(is_list || sections.contains_key(&*format!("{kind} `{section}`")), "{section}");
        }
    }
    assert!(attributes > 250, "{attributes}");
}

#[test]
fn secrets_are_in_files_of_their_own() {
    let (from, out) = (fixture("migrate/installation"), tempfile::tempdir().unwrap());
    let output = migrate(&from, out.path(), &[]);
    assert!(!text(&output.stdout).contains("secret"));
    let holders =
        files(out.path()).into_iter().filter(|(_, bytes)| text(bytes).contains("-secret")).map(|(path, _)| path);
    let holders: Vec<_> = holders.collect();
    let want =
        ["mailer-password", "slack-url", "slack_night-url"].map(|name| Path::new("alertmanager/secrets").join(name));
    assert_eq!(holders, want);
    for holder in holders {
        assert_eq!(
            fs::metadata(out.path().join(&holder)).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            holder.display()
        );
    }
}

#[test]
fn a_file_of_both_goes_to_the_nodes_without_what_is_the_servers() {
    let (output, files) = made(&[(
        "conf.d/all.json",
        json!({"checks": {"a": {"command": "true", "interval": 60, "standalone": true}},
            "handlers": {"default": {"type": "pipe", "command": "handler-mailer.rb"}},
            "mailer": {"mail_to": "a@example.com", "smtp_password": "hunter2"}}),
    )]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let definitions = text(&files[Path::new("checkscript/conf.d/all.json")]);
    assert!(definitions.contains("\"a\"") && !definitions.contains("hunter2"), "{definitions}");
    let report = text(&files[Path::new("REPORT.md")]);
    assert!(report.contains("definitions for the nodes, without handlers, mailer"), "{report}");
    assert!(report.contains("Nothing needs a decision."), "{report}");
    assert!(!files.contains_key(Path::new("prometheus/sensu.yml")));
}

#[test]
fn without_anybody_to_tell_the_report_says_so() {
    let (output, files) =
        made(&[("conf.d/a.json", json!({"checks": {"a": {"command": "true", "interval": 60, "standalone": true}}}))]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&files[Path::new("REPORT.md")]).contains("the receiver `no handler` tells nobody"));
}

#[test]
fn mistakes_of_the_installation_are_told_and_the_rest_is_migrated() {
    let from = installation(&[(
        "conf.d/a.json",
        json!({"checks": {"a b": {"command": 1, "interval": 60}, "c": {"command": "true", "interval": 60}}}),
    )]);
    fs::write(from.path().join("conf.d/broken.json"), "{\"checks\": {").unwrap();
    let out = tempfile::tempdir().unwrap();
    let output = migrate(from.path(), out.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let report = fs::read_to_string(out.path().join("REPORT.md")).unwrap();
    assert!(
        report.contains("Sensu would not start with these files: ") && report.contains("broken.json:1"),
        "{report}"
    );
    assert!(report.contains("check name cannot contain spaces"), "{report}");
    assert!(report.contains("### check `c`"), "{report}");
}

#[test]
fn what_cannot_be_read_or_written_is_an_error_that_says_what_to_do() {
    let (empty, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = fixture("migrate/installation");
    let error = |output: Output| {
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    assert!(error(migrate(empty.path(), out.path(), &[])).contains("has neither config.json nor conf.d"));
    assert_eq!(files(out.path()).len(), 0);
    fs::write(out.path().join("kept"), "x").unwrap();
    assert!(error(migrate(&from, out.path(), &[])).contains("is not empty"));
    assert_eq!(files(out.path()).len(), 1);
    let silenced = empty.path().join("s.json");
    fs::write(&silenced, "{}").unwrap();
    let text = error(migrate(&from, &empty.path().join("new"), &["--silenced", silenced.to_str().unwrap()]));
    assert!(text.contains("is not what GET /silenced of Sensu's API answers"), "{text}");
}
