//! The logs that a real sensu-client wrote: read every line, write every result back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use check_result::CheckResult;
use check_result::log::{InvalidLine, Line, Skimmed, Skimmer, read_line, records, skim, write_result};
use jiff::Zoned;
use jiff::fmt::strtime;
use serde_json::{Value, json};

use crate::properties::readers_agree;

/// Every log, with what its recording expects of it.
fn logs() -> Vec<(PathBuf, Value)> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders
        .flat_map(|folder| {
            let expected: Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
            let Value::Object(expected) = expected else { panic!("an object") };
            expected.into_iter().map(move |(name, expected)| (folder.join(name), expected))
        })
        .collect()
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split_inclusive(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// `{CLIENT or SOURCE/CHECK: {count, statuses, last}}`, as the recordings' own summary has it.
#[derive(Default)]
struct Summary(BTreeMap<String, (u64, BTreeMap<String, u64>, Value)>);

impl Summary {
    fn add(&mut self, timestamp: &str, result: &CheckResult) {
        let name = format!("{}/{}", result.source().unwrap_or(result.client()), result.name());
        let (count, statuses, last) = self.0.entry(name).or_default();
        *count += 1;
        *statuses.entry(result.exit_code().to_string()).or_default() += 1;
        let mut seen = json!({
            "status": result.exit_code(), "executed": result.check().get("executed"), "issued": result.issued(),
            "duration": result.check().get("duration"), "timestamp": timestamp,
            "output_chars": result.output().chars().count(),
        });
        seen.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        *last = seen;
    }

    fn into_json(self) -> Value {
        let of_check =
            |(count, statuses, last): (u64, _, Value)| json!({"count": count, "statuses": statuses, "last": last});
        self.0.into_iter().map(|(name, check)| (name, of_check(check))).collect::<serde_json::Map<_, _>>().into()
    }
}

#[test]
fn every_line_is_read_as_its_recording_says() {
    for (path, expected) in logs() {
        let log = fs::read(&path).unwrap();
        let (mut summary, mut not_events, mut results) = (Summary::default(), Vec::new(), 0_u64);
        for (number, line) in (1_u64..).zip(lines(&log)) {
            match read_line(line) {
                Line::Result(logged) => {
                    results += 1;
                    let event: Value = serde_json::from_str(&String::from_utf8_lossy(line)).unwrap();
                    summary.add(event["timestamp"].as_str().unwrap(), &logged.result);
                }
                Line::Invalid(InvalidLine::NotAnEvent(_)) => not_events.push(number),
                Line::Invalid(reason) => panic!("{} line {number}: {reason}", path.display()),
                Line::ClientAttributes { client, .. } => {
                    assert!(client.contains_key("subscriptions"), "{}", path.display())
                }
                Line::NotRun { .. } | Line::Other => {}
            }
        }
        assert_eq!(json!(not_events), expected["non_json_lines"], "{}", path.display());
        assert_eq!(json!(results), expected["result_lines"], "{}", path.display());
        assert_same(&summary.into_json(), &expected["results"], &path);
    }
}

/// Compares as JSON values, whatever the order of keys.
fn assert_same(got: &Value, want: &Value, path: &Path) {
    let sorted = |value: &Value| serde_json::to_string_pretty(&sort(value)).unwrap();
    assert_eq!(sorted(got), sorted(want), "{}", path.display());
}

fn sort(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(key, value)| (key.clone(), sort(value))).collect();
            sorted.into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[test]
fn every_result_is_written_back_byte_for_byte() {
    let mut compared = 0;
    for (path, _) in logs() {
        for line in lines(&fs::read(&path).unwrap()) {
            let Line::Result(logged) = read_line(line) else { continue };
            // What was invalid UTF-8 is mended on the way in; all else is the same to the byte.
            let line = String::from_utf8_lossy(line);
            let mut written = Vec::new();
            write_result(&mut written, &logged_at(&line), &logged.result);
            assert_eq!(String::from_utf8(written).unwrap(), format!("{line}\n"), "{}", path.display());
            compared += 1;
        }
    }
    assert!(compared > 400, "only {compared} results compared");
}

/// The line's time stamp with its own offset, as the client's clock had it.
fn logged_at(line: &str) -> Zoned {
    let event: Value = serde_json::from_str(line).unwrap();
    let timestamp = event["timestamp"].as_str().unwrap();
    strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", timestamp).unwrap().to_zoned().unwrap()
}

/// One line of each shape, where the same keys with values of the same kinds are a shape. Long outputs add bytes and nothing else.
fn shapes() -> Vec<Vec<u8>> {
    let mut shapes = BTreeMap::new();
    for (path, _) in logs() {
        for line in lines(&fs::read(&path).unwrap()).filter(|line| line.len() < 2_000) {
            shapes.entry(shape(line)).or_insert_with(|| line.to_vec());
        }
    }
    assert!(shapes.len() > 100, "only {} shapes", shapes.len());
    shapes.into_values().collect()
}

fn shape(line: &[u8]) -> String {
    fn of(value: &Value) -> String {
        match value {
            Value::Object(map) => map.iter().map(|(key, value)| format!("{key:?}{},", of(value))).collect(),
            Value::Array(list) => list.iter().map(of).collect(),
            Value::String(_) => "s".to_owned(),
            Value::Number(_) => "n".to_owned(),
            Value::Bool(_) | Value::Null => "b".to_owned(),
        }
    }
    let text = String::from_utf8_lossy(line);
    let message = |value: &Value| value["message"].as_str().map(str::to_owned).unwrap_or_default();
    serde_json::from_str(&text).map_or_else(|_| text.clone().into_owned(), |value| message(&value) + &of(&value))
}

/// Every reader sees each damaged line alike; what remembers definitions has seen the whole lines before.
fn assert_damage_is_survived(damaged: impl Fn(&[u8], usize) -> Vec<u8>) {
    let shapes = shapes();
    let mut skimmer = Skimmer::default();
    shapes.iter().chain(&shapes).for_each(|line| readers_agree(&mut skimmer, line));
    for line in &shapes {
        for at in 0..line.len() {
            readers_agree(&mut skimmer, &damaged(line, at));
        }
    }
}

#[test]
fn lines_cut_at_every_byte_are_survived_and_no_results() {
    assert_damage_is_survived(|line, at| {
        assert!(!matches!(read_line(&line[..at]), Line::Result(_)), "{}", String::from_utf8_lossy(&line[..at]));
        line[..at].to_vec()
    });
}

#[test]
fn lines_with_a_nul_at_every_byte_are_survived() {
    assert_damage_is_survived(|line, at| [&line[..at], b"\0", &line[at..]].concat());
}

#[test]
fn lines_spliced_at_every_byte_are_survived() {
    let shapes = shapes();
    let results: Vec<_> = shapes.iter().filter(|line| matches!(read_line(line), Line::Result(_))).collect();
    // A result's beginning with another's end: of each its neighbour's, and a glued one.
    assert_damage_is_survived(|line, at| {
        let other = results[(line.len() + at) % results.len()];
        [&line[..at], &other[(at * 7) % other.len()..]].concat()
    });
}

#[test]
fn two_records_without_a_line_feed_are_both_there() {
    let shapes = shapes();
    let whole = |line: &&[u8]| !matches!(read_line(line), Line::Invalid(_));
    for (before, line) in shapes.iter().zip(shapes.iter().skip(1)) {
        let glued = [&before[..], line].concat();
        let apart = [before, line].iter().filter(|line| whole(&line.as_slice())).count();
        assert_eq!(records(&glued).filter(whole).count(), apart, "{}", String::from_utf8_lossy(&glued));
    }
}

/// The quick readers are quick for real logs' lines, and not only right.
#[test]
fn most_results_are_skimmed() {
    let (mut results, mut skimmed) = (0, 0);
    for (path, _) in logs() {
        for line in lines(&fs::read(&path).unwrap()) {
            results += usize::from(matches!(read_line(line), Line::Result(_)));
            skimmed += usize::from(matches!(skim(line), Skimmed::Run(_)));
        }
    }
    assert!(skimmed * 10 >= results * 9, "only {skimmed} of {results} results were skimmed");
}
