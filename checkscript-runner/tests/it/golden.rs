//! The same definitions must give the same log.

use std::fs;

use serde_json::{Map, Value};

use crate::harness::{Runner, fixture, read, results_of};

/// Not compared: hooks run only in sensu-client's log; `disk-root` depends on the order in which its two files are
/// loaded, which in sensu-client is the directory's and here the paths'; and two that would take long.
const LEFT_OUT: [&str; 4] = ["flip", "disk-root", "overlap", "cron-report"];

/// A key is added to sensu-client's own: where a failure stands.
const ADDED: [&str; 3] = ["field", "file", "line"];

#[test]
fn results_are_sensu_clients_attribute_by_attribute_and_in_its_order() {
    let golden: Vec<Value> =
        read(&fixture("p01/results.log")).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut runner = Runner::new().scripts(&fixture("p01/plugins")).argument("--standalone_only");
    runner.write("config.json", &read(&fixture("p01/config.json")));
    for (name, file) in [("10", "10-system.json"), ("20", "20-app.json"), ("30", "sub/30-annotated.json")] {
        let mut definitions: Value = serde_json::from_str(&read(&fixture("p01/conf.d").join(file))).unwrap();
        every_second(&mut definitions);
        runner.write(&format!("conf.d/{name}.json"), &definitions.to_string());
    }
    runner = runner.start();
    let names: Vec<&str> = golden.iter().filter_map(|line| line.pointer("/payload/check/name")?.as_str()).collect();
    let compared = names.iter().filter(|name| !LEFT_OUT.contains(name));
    for name in compared {
        let want = masked(&results_of(&golden, name)[0]);
        assert_eq!(masked(&runner.results(name, 1)[0]), want, "{name}");
    }
    assert!(results_of(&runner.lines_of("log"), "remote-only").is_empty(), "not standalone");
    assert!(results_of(&runner.lines_of("log"), "unpublished").is_empty(), "`publish` is false");
    assert_eq!(runner.lines_of("log").last().unwrap().as_object().unwrap().keys().next().unwrap(), "timestamp");
}

/// Every interval check runs each second, or the test would take a minute.
fn every_second(definitions: &mut Value) {
    for definition in definitions["checks"].as_object_mut().unwrap().values_mut() {
        if let Some(interval) = definition.get_mut("interval") {
            *interval = 1.into();
        }
    }
}

/// A result as text, so that the order of keys counts, without what differs from run to run.
fn masked(result: &Value) -> String {
    let mut result = result.clone();
    for key in ["interval", "issued", "executed", "duration"] {
        if let Some(value) = result.get_mut(key) {
            *value = Value::from(if value.is_i64() { "integer" } else { "number" });
        }
    }
    mend(&mut result);
    result.to_string()
}

/// What is not sensu-client's: text that it loses, and what depends on the machine.
fn mend(result: &mut Value) {
    let name = result["name"].as_str().unwrap_or_default().to_owned();
    match name.as_str() {
        "ja-inline" => {
            result["notes"] = "手順書: https://wiki.example.jp/手順".into();
            result["owner"] = "運用 team".into();
            result["output"] = "日本語 inline text ok\n".into();
        }
        // The words of the shell, and the time in the output.
        "missing-plugin" | "cpu-load" => result["output"] = "machine".into(),
        "echo-stdin" => result["output"] = "the intervals differ".into(),
        _ => (),
    }
}

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
