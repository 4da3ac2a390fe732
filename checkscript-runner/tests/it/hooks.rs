//! Hooks and what they leave in the result.

use serde_json::{Value, json};

use crate::bench::{Bench, run};

/// A13: the hook of the severity runs, others are untouched. A16: its tokens are replaced, and it is published
/// as it is defined. A19: everything is in one result.
#[tokio::test]
async fn a_hooks_outcome_is_in_its_object_and_its_secrets_are_not() {
    let result = run(json!({
        "command": "echo bad; exit 2",
        "hooks": {
            "critical": {"command": "echo :::name:::; exit 4", "note": ":::name:::"},
            "ok": {"command": "echo :::name::: unused"},
        },
    }))
    .await;
    assert_eq!((&result["output"], &result["status"]), (&json!("bad\n"), &json!(2)));
    let hook = result["hooks"]["critical"].as_object().unwrap();
    let keys: Vec<&String> = hook.keys().collect();
    assert_eq!(keys, ["command", "note", "executed", "duration", "output", "status"]);
    assert_eq!(hook["command"], "echo :::name:::; exit 4");
    assert_eq!((&hook["note"], &hook["output"], &hook["status"]), (&json!("web-1"), &json!("web-1\n"), &json!(4)));
    assert!(hook["executed"].is_i64() && hook["duration"].is_number());
    assert_eq!(result["hooks"]["ok"], json!({"command": "echo :::name::: unused"}));
}

/// A14, A15: the status is preferred to the severity, and `non-zero` is for what has neither.
#[tokio::test]
async fn one_hook_runs_the_most_exact_one() {
    let hooks = json!({
        "non-zero": {"command": "echo non-zero"}, "warning": {"command": "echo warning"}, "1": {"command": "echo 1"},
    });
    for (status, chosen) in [(1, Some("1")), (2, Some("non-zero")), (0, None)] {
        let result = run(json!({"command": format!("exit {status}"), "hooks": hooks})).await;
        let ran = result["hooks"].as_object().unwrap().iter().filter(|(_, hook)| hook.get("output").is_some());
        let ran: Vec<(&str, &str)> =
            ran.map(|(key, hook)| (key.as_str(), hook["output"].as_str().unwrap().trim())).collect();
        assert_eq!(ran, chosen.map(|key| (key, key)).into_iter().collect::<Vec<_>>(), "exit status {status}");
    }
}

/// A17.
#[tokio::test]
async fn a_hook_may_read_the_client_and_the_checks_result() {
    let hook = json!({"command": "cat", "stdin": true});
    let result = run(json!({"command": "echo bad; exit 1", "hooks": {"warning": hook}})).await;
    let read: Value = serde_json::from_str(result["hooks"]["warning"]["output"].as_str().unwrap()).unwrap();
    assert_eq!((&read["client"]["name"], &read["check"]["output"]), (&json!("web-1"), &json!("bad\n")));
    assert_eq!(read["check"]["status"], 1);
}

/// A18.
#[tokio::test]
async fn a_hook_times_out_as_a_check_does() {
    let hook = json!({"command": "sleep 1000", "timeout": 0.1});
    let result = run(json!({"command": "exit 3", "hooks": {"unknown": hook}})).await;
    let hook = &result["hooks"]["unknown"];
    assert_eq!((&hook["output"], &hook["status"]), (&json!("Execution timed out"), &json!(2)));
    assert_eq!(result["status"], 3);
}

#[tokio::test]
async fn a_result_is_not_lost_with_its_hook() {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let hook = json!({"command": "cat :::gate:::"});
    let mut bench = Bench::new(json!({
        "client": {"gate": gate},
        "checks": {"one": {"command": "echo bad; exit 2", "hooks": {"critical": hook}}},
    }));
    bench.start("one");
    // Opening for writing waits until the hook reads.
    let _writer = tokio::task::spawn_blocking(move || std::fs::File::create(gate).unwrap()).await.unwrap();
    bench.executor.kill();
    bench.executor.finish().await;
    let result = bench.result().await;
    assert_eq!((&result["output"], &result["status"]), (&json!("bad\n"), &json!(2)));
    assert_eq!(result["hooks"]["critical"], hook, "without an outcome");
}

/// sensu-client's stale hook data is mended.
#[tokio::test]
async fn a_hooks_outcome_belongs_to_its_own_run_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(json!({
        "client": {"flag": directory.path().join("flag")},
        "checks": {"one": {
            "command": "test -e :::flag::: && exit 0; touch :::flag:::; exit 2",
            "hooks": {"critical": {"command": "echo hook"}},
        }},
    }));
    bench.start("one");
    assert_eq!(bench.result().await["hooks"]["critical"]["output"], "hook\n");
    bench.idle().await;
    bench.start("one");
    let result = bench.result().await;
    assert_eq!((&result["status"], &result["hooks"]), (&json!(0), &json!({"critical": {"command": "echo hook"}})));
}

/// A7: the key is held until the result is published, hooks included.
#[tokio::test]
async fn a_check_is_under_way_as_long_as_its_hook() {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut bench = Bench::new(json!({
        "client": {"gate": gate},
        "checks": {"one": {"source": "router", "command": "exit 1", "hooks": {"1": {"command": "cat :::gate:::"}}}},
    }));
    bench.start("one");
    // Opening for writing waits until the hook reads.
    let mut writer = tokio::task::spawn_blocking(move || std::fs::File::create(gate).unwrap()).await.unwrap();
    assert_eq!(bench.executor.in_progress(), ["router:one"]);
    bench.start("one");
    assert_eq!(bench.notice().await.message, "previous check command execution in progress");
    std::io::Write::write_all(&mut writer, b"opened").unwrap();
    drop(writer);
    assert_eq!(bench.result().await["hooks"]["1"]["output"], "opened");
}
