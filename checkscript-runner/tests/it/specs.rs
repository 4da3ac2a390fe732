//! Whether every behaviour that sensu-client's own specs test has a test here: one whose description (the `///` above its
//! `#[test]`) has the behaviour's number.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::harness::{fixture, read};

/// The numbers in the descriptions of the tests of a source file.
fn labels(source: &str) -> Vec<String> {
    let number = Regex::new(r"\bA[0-9]+\b").unwrap();
    let mut labels = Vec::new();
    let mut description = Vec::new();
    for line in source.lines().map(str::trim) {
        match line.strip_prefix("///") {
            Some(text) => description.extend(number.find_iter(text).map(|label| label.as_str().to_owned())),
            None if line == "#[test]" || line.starts_with("#[tokio::test") => labels.append(&mut description),
            None if line.starts_with("#[") => (),
            None => description.clear(),
        }
    }
    labels
}

fn labels_under(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: std::path::PathBuf| match path.extension() {
        _ if path.is_dir() => labels_under(&path),
        Some(extension) if extension == "rs" => labels(&read(&path)).into_iter().collect(),
        _ => BTreeSet::new(),
    };
    entries.flat_map(of).collect()
}

#[test]
fn every_behaviour_of_upstreams_specs_has_a_test() {
    let list = read(&fixture("upstream-specs.txt"));
    let rows =
        list.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').next().unwrap().to_owned());
    let rows: BTreeSet<String> = rows.collect();
    let is_told = |row: &str| row.split_once(": ").is_some_and(|(_, behaviour)| !behaviour.is_empty());
    assert_eq!(list.lines().find(|row| !row.starts_with('#') && !is_told(row)), None, "without its behaviour");
    assert_eq!(rows.len(), 40);
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tested = &labels_under(&package.join("src")) | &labels_under(&package.join("tests/it"));
    assert_eq!(&rows - &tested, BTreeSet::new(), "without a test");
    assert_eq!(&tested - &rows, BTreeSet::new(), "labels that stand for nothing");
}

#[test]
fn only_the_description_of_a_test_counts() {
    let source = "/// A1.\n#[test]\nfn a() {}\n/// A2, A3: x\n#[tokio::test]\nasync fn b() {}\n/// A4.\nfn helper() {}\n\
                  // A5\n#[test]\nfn c() {}\n/// BA6 A7x\n#[test]";
    assert_eq!(labels(source), ["A1", "A2", "A3"]);
}
