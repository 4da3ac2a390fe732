//! The same configurations must be judged, printed and scheduled in the same way.

use std::fs;
use std::process::Output;

use serde_json::{Map, Value};

use crate::harness::{Runner, fixture, read, results_of};

/// A key is added to sensu-client's own: where a failure stands.
const ADDED: [&str; 3] = ["field", "file", "line"];

/// A50.
#[test]
fn every_invalid_configuration_fails_in_sensu_clients_words() {
    let cases = fs::read_dir(fixture("p09/log")).unwrap().map(|entry| entry.unwrap().path());
    let mut judged = 0;
    for log in cases {
        let case = log.file_stem().unwrap().to_str().unwrap();
        let golden = read(&log);
        let definitions = fixture(&format!("p09/cases/{case}.json"));
        if !golden.contains("SENSU NOT RUNNING!") || !definitions.exists() || case == "not-json" {
            continue;
        }
        let (status, lines) = p09(&read(&definitions)).run();
        assert_eq!(status, Some(2), "{case}");
        assert_eq!(untimed(&lines), untimed(&golden), "{case}");
        judged += 1;
    }
    assert_eq!(judged, 14);
}

#[test]
fn what_sensu_client_takes_is_valid() {
    for case in ["bad-subdue", "empty-file-ok"] {
        let runner = p09(&read(&fixture(&format!("p09/cases/{case}.json")))).argument("--validate_config");
        assert_eq!(runner.run(), (Some(0), read(&fixture("p09/stdout-validate_config-good.txt"))), "{case}");
    }
}

#[test]
fn printed_configurations_are_sensu_clients() {
    let several = read(&fixture("p09/cases/several.json"));
    let (status, invalid) = p09(&several).argument("-P").run();
    assert_eq!((status, untimed(&invalid)), (Some(2), untimed(&read(&fixture("p09/stdout-P.txt")))));
    let (status, valid) = p09_without_checks().argument("-P").run();
    assert_eq!((status, untimed(&valid)), (Some(0), untimed(&read(&fixture("p09/stdout-P-good.txt")))));
    let (status, report) = p09(&several).argument("--validate_config").run();
    let (first, rest) = report.split_once('\n').unwrap();
    assert_eq!((status, first), (Some(2), "configuration is invalid"));
    let golden = read(&fixture("p09/stdout-validate_config.txt"));
    let (_, golden) = golden.split_once('\n').unwrap();
    let (mut got, want): (Value, Value) = (serde_json::from_str(rest).unwrap(), serde_json::from_str(golden).unwrap());
    for error in got["errors"].as_array_mut().unwrap() {
        assert_eq!(error["file"], "/etc/sensu/conf.d/bad.json");
        unplaced(error.as_object_mut().unwrap());
    }
    assert_eq!(got, want);
}

#[test]
fn who_reads_no_further_is_no_error() {
    let runner = p09(r#"{"checks": {}}"#);
    for (arguments, status) in
        [(&["--validate_config"][..], 0), (&["-P", "-l", "/dev/null"], 0), (&["-P"], 0), (&["-L", "loud"], 1)]
    {
        let (_, writer) = std::io::pipe().unwrap();
        let Output { status: got, stderr, .. } = runner.command().args(arguments).stdout(writer).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(got.code() == Some(status) && !stderr.contains("panicked"), "{arguments:?}: {got}, {stderr}");
    }
}

/// A47.
#[test]
fn an_unknown_level_is_refused_in_sensu_clients_words() {
    let refused = Runner::new().argument("-L").argument("chatty").run();
    assert_eq!(refused, (Some(1), read(&fixture("p09/stdout-badlevel.txt"))));
}

fn p09(definitions: &str) -> Runner {
    let runner = p09_without_checks();
    runner.write("conf.d/bad.json", definitions);
    runner
}

fn p09_without_checks() -> Runner {
    let runner = Runner::new();
    runner.write("config.json", &read(&fixture("p09/config.json")));
    runner
}

/// Log lines without their time and without what is added to sensu-client's; other lines as they are, but for the
/// default limit, which here depends on the machine.
fn untimed(log: &str) -> Vec<String> {
    let line = |line: &str| match serde_json::from_str::<Map<String, Value>>(line) {
        Ok(mut line) if line.contains_key("timestamp") => {
            line["timestamp"] = "time".into();
            if line.contains_key("object") {
                unplaced(&mut line);
            }
            Value::Object(line).to_string()
        }
        _ if line.trim_start().starts_with("\"limit\":") => "limit".to_owned(),
        _ => line.to_owned(),
    };
    log.lines().map(line).collect()
}

fn unplaced(failure: &mut Map<String, Value>) {
    failure.retain(|key, _| !ADDED.contains(&key.as_str()));
}

#[test]
fn a_check_runs_on_sensu_clients_phase() {
    // Golden: `disk-data` of `app-osaka-01`, every 10 s, was issued at seconds that end in this digit.
    let golden = read(&fixture("p01/results.log"));
    let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let issued = results_of(&golden, "disk-data")[0]["issued"].as_i64().unwrap();
    let directory = fixture("p01");
    let sources = checkscript_runner::definitions::Sources {
        file: Some(directory.join("config.json")),
        directories: vec![directory.join("conf.d")],
        environment: Default::default(),
        host: checkscript_runner::definitions::Host::detect(),
        features: Default::default(),
    };
    let definitions = checkscript_runner::definitions::load(&sources).definitions.unwrap();
    let check = definitions.checks.iter().find(|check| check.name == "disk-data").unwrap();
    let slot = check.timetable.at_or_after(issued * 1000 - 5000).unwrap();
    assert_eq!(slot.div_euclid(1000), issued);
    assert_eq!(check.timetable.at_or_after(slot + 1), Some(slot + 10_000));
}
