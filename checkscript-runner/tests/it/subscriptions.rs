//! Which checks run here: standalone ones, those of subscriptions, and what has no effect.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Runner, results_of};

fn checks() -> Value {
    let check = |subscribers: Value| json!({"command": "echo ran", "interval": 1, "subscribers": subscribers});
    let with = |mut check: Value, key: &str, value: Value| {
        check[key] = value;
        check
    };
    json!({
        "standalone": {"command": "echo ran", "interval": 1, "standalone": true},
        "subscribed": check(json!(["db", "web"])),
        "own": check(json!(["client:web-1"])),
        "others": check(json!(["db"])),
        "unpublished": with(check(json!(["web"])), "publish", false.into()),
        "shared": check(json!(["roundrobin:web"])),
        "proxies": with(check(json!(["web"])), "proxy_requests", json!({"client_attributes": {}})),
        "extended": {"extension": "ruby", "interval": 1, "standalone": true},
    })
}

fn runner() -> Runner {
    let runner = Runner::with_checks(checks());
    let client = json!({"name": "web-1", "address": "127.0.0.1", "subscriptions": ["web", "roundrobin:web"]});
    runner.write("config.json", &json!({"client": client}).to_string());
    runner
}

#[test]
fn checks_of_subscriptions_run_without_a_server_to_ask_for_them() {
    let runner = runner().start();
    for name in ["standalone", "subscribed", "own", "shared"] {
        assert_eq!(runner.results(name, 2)[0]["output"], "ran\n");
    }
    let lines = runner.lines_of("log");
    for name in ["others", "unpublished", "proxies", "extended"] {
        assert!(results_of(&lines, name).is_empty(), "{name}");
    }
}

#[test]
fn what_has_no_effect_is_told_once_with_its_place() {
    let runner = runner().start();
    runner.results("standalone", 1);
    let told = |message: &str| -> Vec<Value> {
        runner.lines_of("log").into_iter().filter(|line| line["message"] == message).collect()
    };
    for (message, check) in [
        ("proxy_requests need a sensu-server, the check is not run", json!("proxies")),
        ("round-robin needs a sensu-server, the check runs on every client that subscribes", json!("shared")),
    ] {
        let told = told(message);
        assert_eq!(told.len(), 1, "{message}");
        assert_eq!((&told[0]["level"], &told[0]["check"]), (&json!("warn"), &check));
        assert_eq!((&told[0]["file"], &told[0]["line"]), (&json!(runner.file("conf.d/checks.json")), &json!(1)));
    }
    let extension = told("unknown check extension");
    assert_eq!((extension.len(), &extension[0]["check"]["name"]), (1, &json!("extended")));
}

#[test]
fn a_flag_leaves_the_standalone_ones() {
    let runner = runner().argument("--standalone_only").start();
    runner.results("standalone", 2);
    let names = |line: &Value| line.pointer("/payload/check/name").and_then(Value::as_str).map(str::to_owned);
    assert!(runner.lines_of("log").iter().filter_map(names).all(|name| name == "standalone"));
}

/// A28.
#[test]
fn a_subdued_check_does_not_run_and_its_twin_does() {
    let check = json!({"standalone": true, "interval": 1, "command": "echo ran"});
    let subdue = json!({"days": {"all": [{"begin": "12:00 AM", "end": "11:59:59 PM"}]}});
    let mut subdued = check.clone();
    subdued["subdue"] = subdue.clone();
    let runner = Runner::with_checks(json!({"subdued": subdued, "twin": check})).start();
    let told = runner.message("check execution was subdued");
    runner.results("twin", 2);
    assert!(results_of(&runner.lines_of("log"), "subdued").is_empty());
    assert_eq!((&told["level"], &told["check"]["subdue"]), (&json!("info"), &subdue));
    let keys: Vec<&String> = told["check"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["standalone", "interval", "command", "subdue", "name"],
        "as sensu-client logs it, without `issued`"
    );
}

#[test]
fn commands_are_told_which_files_were_loaded() {
    let check = json!({"standalone": true, "interval": 1, "command": "cat \"$SENSU_LOADED_TEMPFILE\""});
    let runner = Runner::with_checks(json!({"files": check}));
    let directory = tempfile::tempdir().unwrap();
    let runner = runner.environment("SENSU_LOADED_TEMPFILE_DIR", directory.path().to_str().unwrap().to_owned()).start();
    let want = format!("{}:{}", runner.file("config.json").display(), runner.file("conf.d/checks.json").display());
    assert_eq!(runner.results("files", 1)[0]["output"], want);
    assert_eq!(fs::read_to_string(directory.path().join("sensu_client_loaded_files")).unwrap(), want);
}

/// At level debug, as sensu-client: a line before each run, and one before its hook.
#[test]
fn runs_are_followed_at_level_debug() {
    let check = json!({
        "standalone": true, "interval": 1, "command": "exit 2", "hooks": {"critical": {"command": "echo hook"}},
    });
    let runner = Runner::with_checks(json!({"one": check})).argument("-v").start();
    runner.results("one", 1);
    let lines = runner.lines_of("log");
    let of_the_run = lines.iter().skip_while(|line| line["message"] != "scheduling standalone checks");
    let messages: Vec<&str> = of_the_run.map(|line| line["message"].as_str().unwrap()).take(5).collect();
    let want = [
        "scheduling standalone checks",
        "processing check",
        "attempting to execute check command",
        "attempting to execute check hook",
        "publishing check result",
    ];
    assert_eq!(messages, want);
    let hook = lines.iter().find(|line| line["message"] == "attempting to execute check hook").unwrap();
    assert_eq!((&hook["level"], &hook["check"]["status"]), (&json!("debug"), &json!(2)));
}
