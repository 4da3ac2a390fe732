//! `compare`, on a log that a real sensu-client wrote.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::fixture;

fn compare(before: &Path, after: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checkscript-runner"));
    command.env("TZ", "UTC").arg("compare").arg(before).arg(after).args(more).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_log_gives_the_same_results_as_itself() {
    let log = fixture("p01/results.log");
    let output = compare(&log, &log, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(
        text(&output),
        "24 of 24 checks give the same results (compared run by run, as the logs are about the same time)\n"
    );
}

/// The same log without one check, with another status and words in a second, with another definition in a third.
#[test]
fn what_is_different_is_told_check_by_check() {
    let log = fixture("p01/results.log");
    let directory = tempfile::tempdir().unwrap();
    let changed = directory.path().join("changed.log");
    let lines = fs::read(&log).unwrap();
    let lines = String::from_utf8_lossy(&lines).into_owned();
    let lines: String = lines
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"name\":\"cron-report\""))
        .map(|line| match line {
            flip if flip.contains("\"name\":\"flip\"") => {
                flip.replace("\"status\":2", "\"status\":3").replace("FLIP OK", "flop is well")
            }
            disk if disk.contains("\"name\":\"disk-root\"") => disk.replace("\"handlers\":[", "\"handlers\":[\"new\","),
            other => other.to_owned(),
        })
        .collect();
    fs::write(&changed, lines).unwrap();
    let output = compare(&log, &changed, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(
        text.contains("cron-report  1 runs before, 0 after\n    missing: it did not run in the second log\n"),
        "{text}"
    );
    assert!(text.contains("    definition: handlers\n"), "{text}");
    assert!(text.contains(" runs have a status that the other log does not have near that time, such as "), "{text}");
    assert!(text.contains("output: with status 0 it says `flop is well"), "{text}");
    assert!(text.contains("21 of 24 checks give the same results"), "{text}");
    let json: Value = serde_json::from_slice(&compare(&log, &changed, &["--format=json"]).stdout).unwrap();
    assert_eq!(json["side_by_side"], true);
    let kinds = |name: &str| -> Vec<_> {
        let checks = json["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        check["differences"].as_array().unwrap().iter().map(|difference| difference["kind"].clone()).collect()
    };
    assert_eq!((kinds("cron-report"), kinds("flip")), (vec!["missing".into()], vec!["status".into(), "output".into()]));
}

#[test]
fn what_is_no_log_is_trouble() {
    let log = fixture("p01/results.log");
    for (before, after) in [(Path::new("/no/such.log"), &*log), (&log, Path::new("/dev/null"))] {
        let output = compare(before, after, &[]);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(
            complaint.contains("/no/such.log") || complaint.contains("/dev/null has no result of any check"),
            "{complaint}"
        );
    }
}
