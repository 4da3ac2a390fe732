//! The logs that a real sensu-client wrote: read every line, write every result back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use check_result::CheckResult;
use check_result::log::{InvalidLine, Line, Run, Skimmed, read_line, records, skim, write_result};
use jiff::Zoned;
use jiff::fmt::strtime;
use serde_json::{Value, json};

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

#[test]
fn lines_cut_anywhere_are_survived() {
    for (path, _) in logs() {
        for line in lines(&fs::read(&path).unwrap()).filter(|line| line.len() < 2_000).take(20) {
            for cut in 0..line.len() {
                assert!(!matches!(read_line(&line[..cut]), Line::Result(_)), "{} cut at {cut}", path.display());
            }
        }
    }
}

/// What [`skim`] says of a line is what `read_line` says of it, or nothing.
fn assert_agreed(line: &[u8]) {
    match (skim(line), read_line(line)) {
        (Skimmed::Unclear, _) | (Skimmed::Other, Line::Other) => {}
        (Skimmed::Run(run), Line::Result(whole)) => assert_eq!(format!("{run:?}"), format!("{:?}", Run::of(&whole))),
        (skimmed, read) => panic!("{skimmed:?}, but {read:?}: {}", String::from_utf8_lossy(line)),
    }
}

#[test]
fn skimming_and_reading_agree_on_every_line_whole_cut_and_spliced() {
    for (path, _) in logs() {
        let log = fs::read(&path).unwrap();
        let (mut before, mut skimmed): (&[u8], usize) = (b"", 0);
        for line in lines(&log).filter(|line| line.len() < 2_000) {
            assert_agreed(line);
            skimmed += usize::from(matches!(skim(line), Skimmed::Run(_)));
            for cut in (0..line.len()).step_by(29) {
                assert_agreed(&line[..cut]);
                assert_agreed(&[&before[..cut.min(before.len())], &line[cut..]].concat());
                assert_agreed(&[&line[..cut], b"\0", &line[cut..]].concat());
            }
            // Two whole records without a line feed between them are both there.
            let glued = [before, line].concat();
            let whole = |line: &&[u8]| !matches!(read_line(line), Line::Invalid(_));
            let apart = [before, line].iter().filter(|line| whole(line)).count();
            assert_eq!(records(&glued).filter(whole).count(), apart, "{}", String::from_utf8_lossy(&glued));
            before = line;
        }
        let results =
            lines(&log).filter(|line| line.len() < 2_000 && matches!(read_line(line), Line::Result(_))).count();
        assert!(skimmed * 10 >= results * 9, "{}: only {skimmed} of {results} results were skimmed", path.display());
    }
}
