//! What one run of a command does.

use std::fs;

use check_result::CheckResult;
use check_result::log::{LONGEST_LINE, write_result};
use checkscript_runner::definitions::{Attribute, Features};
use jiff::Zoned;
use serde_json::{Value, json};

use crate::bench::{Bench, run};
use crate::harness::fixture;

/// A49.
#[tokio::test]
async fn the_status_is_the_exit_code_or_the_bare_signal() {
    for (command, status) in [("exit 42", 42), ("kill -KILL $$", 9), ("kill -TERM $$", 15), ("exit 256", 0)] {
        assert_eq!(run(json!({"command": command})).await["status"], status, "{command}");
    }
}

#[tokio::test]
async fn what_cannot_be_launched_is_an_unexpected_error() {
    let nul = run(json!({"command": "echo \u{0}"})).await;
    assert_eq!(nul["output"], "Unexpected error: argument cannot contain null bytes");
    assert_eq!(nul["status"], 3);
    let negative = run(json!({"command": "true", "timeout": -1})).await;
    assert_eq!(negative["output"], "Unexpected error: time interval must be positive");
    assert_eq!(negative["status"], 3);
}

#[tokio::test]
async fn a_secret_that_is_no_argument_is_not_in_the_result() {
    let check = json!({"command": "echo :::secret:::", "env": {"SECRET": ":::secret:::"}});
    let features = Features { attributes: vec![Attribute::Env], ..Features::default() };
    for command in ["echo :::secret:::", "true"] {
        let mut check = check.clone();
        check["command"] = command.into();
        let settings = json!({"client": {"secret": "hunter2\u{0}"}, "checks": {"one": check}});
        let mut bench = Bench::with(settings, features.clone());
        bench.start("one");
        let result = bench.result().await;
        assert_eq!(result["status"], 3, "{result}");
        assert!(!result.to_string().contains("hunter2"), "{result}");
    }
}

/// A49.
#[tokio::test]
async fn an_unknown_command_is_the_shells_to_tell() {
    let result = run(json!({"command": "no-such-plugin -w 1"})).await;
    assert_eq!(result["status"], 127);
    assert!(result["output"].as_str().unwrap().contains("no-such-plugin"), "{result}");
}

/// A10, A12.
#[tokio::test]
async fn tokens_without_a_value_keep_a_check_from_running() {
    let result = run(json!({
        "command": "echo :::name::: :::a.b::: :::c:::", "source": ":::name:::-x", "notes": [":::d:::", ":::a.b:::"],
    }))
    .await;
    assert_eq!(result["output"], "Unmatched client token(s): a.b, c, d");
    assert_eq!((&result["status"], &result["handle"], result.get("duration")), (&json!(3), &json!(false), None));
    assert_eq!(result["command"], "echo :::name::: :::a.b::: :::c:::");
    assert_eq!(result["source"], "web-1-x");
}

#[tokio::test]
async fn a_timeout_of_0_is_none() {
    assert_eq!(run(json!({"command": "echo fine", "timeout": 0})).await["output"], "fine\n");
}

#[tokio::test]
async fn a_run_lasts_until_the_pipe_is_closed() {
    let result = run(json!({"command": "(sleep 0.3; echo late) & echo early"})).await;
    assert_eq!(result["output"], "early\nlate\n");
}

/// A9, A49.
#[tokio::test]
async fn input_is_read_or_not() {
    let long = "x".repeat(1_000_000);
    let ignored = run(json!({"command": "exec <&-; echo fine", "stdin": true, "padding": long})).await;
    assert_eq!((&ignored["output"], &ignored["status"]), (&json!("fine\n"), &json!(0)));
    let silent = run(json!({"command": "cat > /dev/null", "stdin": true, "padding": long})).await;
    assert_eq!((&silent["output"], &silent["status"]), (&json!(""), &json!(0)));
    let counted = run(json!({"command": "wc -c", "stdin": true, "padding": long})).await;
    assert!(counted["output"].as_str().unwrap().trim().parse::<usize>().unwrap() > long.len());
    let read = run(json!({"command": "cat", "stdin": true, "note": ":::name:::"})).await;
    let read: Value = serde_json::from_str(read["output"].as_str().unwrap()).unwrap();
    assert_eq!((&read["client"]["name"], &read["check"]["note"]), (&json!("web-1"), &json!("web-1")));
    assert_eq!(run(json!({"command": "cat"})).await["output"], "", "without `stdin` there is nothing to read");
}

/// A49: more than a pipe holds, with a timeout and without one.
#[tokio::test]
async fn output_beyond_a_pipes_size_is_whole() {
    let command = "head -c 200000 /dev/zero | tr '\\0' x";
    for definition in [json!({"command": command}), json!({"command": command, "timeout": 60})] {
        assert_eq!(run(definition).await["output"].as_str().unwrap().len(), 200_000);
    }
}

#[tokio::test]
async fn whatever_a_script_prints_is_one_line_of_the_log() {
    let glued = r#"{"timestamp":"x","level":"info","message":"publishing check result","payload":{}}"#;
    for (command, output) in [
        ("true", String::new()),
        (r"printf 'a\000b\033[31m\r\n'", "a\0b\u{1b}[31m\r\n".to_owned()),
        (r"printf '\377\376caf\351 \303'", "\u{fffd}\u{fffd}caf\u{fffd} \u{fffd}".to_owned()),
        (&format!("echo; echo '{glued}'"), format!("\n{glued}\n")),
        (r"printf '\342\200\250\357\273\277'", "\u{2028}\u{feff}".to_owned()),
    ] {
        let result = run(json!({"command": command})).await;
        assert_eq!(result["output"], output, "{command}");
        let mut line = Vec::new();
        let result = CheckResult::new("web-1", result.as_object().unwrap().clone()).unwrap();
        write_result(&mut line, &Zoned::now(), &result);
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "{command}");
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["payload"]["check"]["output"], output);
    }
}

#[tokio::test]
async fn of_100_megabytes_the_beginning_is_kept() {
    let result = run(json!({"command": "head -c 100000000 /dev/zero"})).await;
    let output = result["output"].as_str().unwrap();
    assert!(output.ends_with("\0\n[output cut: 1048576 of 100000000 bytes kept]\n"));
}

#[tokio::test]
async fn a_long_output_is_cut_and_says_so() {
    let result = run(json!({"command": "head -c 5000000 /dev/zero | tr '\\0' x; exit 1"})).await;
    let output = result["output"].as_str().unwrap();
    assert!(output.ends_with("x\n[output cut: 4194304 of 5000000 bytes kept]\n"), "{}", &output[output.len() - 80..]);
    assert_eq!(result["status"], 1);
}

#[tokio::test]
async fn a_definitions_own_attributes_keep_their_place_and_issued_its_value() {
    let result = run(json!({"status": "x", "command": "true", "issued": 1, "name": "one", "output": 5})).await;
    let keys: Vec<&String> = result.as_object().unwrap().keys().collect();
    let want = ["status", "command", "issued", "name", "output", "standalone", "interval", "executed", "duration"];
    assert_eq!(keys, want);
    assert_eq!((&result["status"], &result["issued"], &result["output"]), (&json!(0), &json!(1), &json!("")));
}

/// What the log's readers pass over for its length is lost.
#[tokio::test]
async fn the_longest_line_is_one_that_is_read() {
    for byte in ["000", "377"] {
        let command = format!("head -c 5000000 /dev/zero | tr '\\0' '\\{byte}'; exit 2");
        let result = run(json!({"command": command, "hooks": {"critical": {"command": command}}})).await;
        for output in [&result["output"], &result["hooks"]["critical"]["output"]] {
            assert!(output.as_str().unwrap().ends_with(" of 5000000 bytes kept]\n"), "{byte}");
        }
        let mut line = Vec::new();
        let result = CheckResult::new("web-1", result.as_object().unwrap().clone()).unwrap();
        write_result(&mut line, &Zoned::now(), &result);
        assert!(line.len() < LONGEST_LINE, "{byte}: {}", line.len());
    }
}

/// A5.
#[tokio::test]
async fn an_empty_source_is_no_source() {
    let result = run(json!({"command": "true", "source": ":::nothing|:::"})).await;
    assert_eq!(result.get("source"), None);
}

/// A11: the command is published as it is defined.
#[tokio::test]
async fn each_run_starts_from_the_definition() {
    let definition = json!({"command": "echo :::name:::", "deep": [{"text": ":::name:::"}]});
    let mut bench = Bench::new(json!({"checks": {"one": definition}}));
    for _ in 0..2 {
        bench.start("one");
        let result = bench.result().await;
        assert_eq!((&result["output"], &result["command"]), (&json!("web-1\n"), &json!("echo :::name:::")));
        assert_eq!(result["deep"], json!([{"text": "web-1"}]));
        bench.executor.finish().await;
    }
}

/// A49.
#[tokio::test]
async fn a_timeout_kills_the_whole_group_even_what_ignores_term() {
    let ids = tempfile::tempdir().unwrap();
    let child =
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > :::file:::; while :; do sleep 0.1; done' >/dev/null 2>&1";
    let mut bench = Bench::impatient(json!({
        "client": {"file": ids.path().join("pid")},
        "checks": {
            "stubborn": {"timeout": 0.3, "command": child},
            "polite": {"timeout": 0.1, "command": "echo lost; sleep 100"},
        },
    }));
    bench.start("stubborn");
    bench.start("polite");
    for name in ["polite", "stubborn"] {
        let result = bench.result().await;
        let want = json!([name, "Execution timed out", 2]);
        assert_eq!(json!([result["name"], result["output"], result["status"]]), want);
    }
    let id = fs::read_to_string(ids.path().join("pid")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

/// A7.
#[tokio::test]
async fn a_check_never_runs_twice_at_a_time() {
    let mut bench = Bench::new(json!({"checks": {"slow": {"command": "cat", "source": "router"}}}));
    bench.start("slow");
    bench.start("slow");
    let skipped = bench.notice().await;
    assert_eq!(skipped.message, "previous check command execution in progress");
    let keys: Vec<&String> = skipped.fields["check"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["command", "source", "standalone", "interval", "name", "issued"]);
    assert_eq!(bench.executor.in_progress(), ["router:slow"]);
    bench.result().await;
    bench.executor.finish().await;
    bench.start("slow");
    bench.result().await;
}

/// A7.
#[tokio::test]
async fn a_check_is_under_way_by_its_name_and_one_of_a_proxy_client_by_its_source_too() {
    let mut bench =
        Bench::new(json!({"checks": {"a": {"command": "true"}, "b": {"command": "true", "source": "sw-1"}}}));
    bench.start("a");
    bench.start("b");
    let mut keys = bench.executor.in_progress();
    keys.sort();
    assert_eq!(keys, ["a", "sw-1:b"]);
    bench.result().await;
    bench.result().await;
}

#[tokio::test]
async fn no_more_run_at_once_than_the_limit() {
    let command = "mkdir :::slot::: || exit 1; sleep 0.05; rmdir :::slot:::";
    let slot = tempfile::tempdir().unwrap();
    let checks: Value = (0..6).map(|number| (number.to_string(), json!({"command": command}))).collect();
    let client = json!({"slot": slot.path().join("slot")});
    let settings = json!({"sensu": {"spawn": {"limit": 1}}, "client": client, "checks": checks});
    let mut bench = Bench::new(settings);
    (0..6).for_each(|number| bench.start(&number.to_string()));
    for number in 0..6 {
        let result = bench.result().await;
        assert_eq!((&result["name"], &result["status"]), (&json!(number.to_string()), &json!(0)), "in their order");
    }
}

#[tokio::test]
async fn a_higher_limit_lets_runs_start_that_wait_already() {
    let settings = json!({"sensu": {"spawn": {"limit": 1}}, "checks": {
        "endless": {"command": "sleep 1000"}, "waits": {"command": "echo started"},
    }});
    let mut bench = Bench::new(settings);
    bench.start("endless");
    bench.start("waits");
    tokio::task::yield_now().await;
    bench.start("waits");
    assert_eq!(bench.notice().await.message, "previous check command execution is waiting for a free slot");
    bench.executor.set_limit(2);
    assert_eq!(bench.result().await["output"], "started\n");
    bench.executor.kill();
    bench.executor.finish().await;
}

#[tokio::test]
async fn a_run_that_waits_over_ten_slots_is_a_result() {
    let settings = json!({"sensu": {"spawn": {"limit": 1}}, "checks": {
        "endless": {"command": "sleep 1000"}, "waits": {"command": "true"},
    }});
    let mut bench = Bench::new(settings);
    bench.start("endless");
    bench.start("waits");
    tokio::task::yield_now().await;
    (0..10).for_each(|_| bench.start("waits"));
    let result = bench.result().await;
    assert_eq!((&result["name"], &result["status"]), (&json!("waits"), &json!(3)));
    let output = result["output"].as_str().unwrap();
    assert!(output.starts_with("Check execution is overdue: waiting since 2"), "{output}");
    assert!(output.ends_with(" for a free slot (processes running: 1, sensu.spawn.limit: 1)\n"), "{output}");
    bench.executor.kill();
    bench.executor.finish().await;
}

/// Neither waits for a minute: one slot finds that it hangs, the next that it still does.
#[tokio::test]
async fn one_that_hangs_in_the_kernel_is_a_result_at_each_slot() {
    let directory = tempfile::tempdir().unwrap();
    let command = format!("echo $$ >> :::starts:::; perl {}", fixture("hangs.pl").display());
    let mut bench = Bench::new(json!({
        "client": {"starts": directory.path().join("starts")}, "checks": {"one": {"command": command}},
    }));
    bench.start("one");
    for _ in 0..2 {
        // It takes a moment until it hangs, and until that is found out. The shell hangs too, until perl has been loaded.
        let result = loop {
            bench.start("one");
            assert_eq!(bench.notice().await.message, "previous check command execution in progress");
            tokio::select! {
                biased;
                result = bench.result() => if result["output"].as_str().unwrap().contains(": perl,") { break result },
                () = tokio::task::yield_now() => (),
            }
        };
        assert_eq!(result["status"], 3);
        let (first, processes) = result["output"].as_str().unwrap().split_once('\n').unwrap();
        assert!(first.starts_with("Check execution hangs: running since 2"), "{first}");
        assert!(processes.contains(": perl, state D (disk sleep), user "), "{processes}");
    }
    assert_eq!(fs::read_to_string(directory.path().join("starts")).unwrap().lines().count(), 1);
    bench.executor.kill();
    bench.executor.finish().await;
}

#[tokio::test]
async fn a_command_leads_a_group_of_its_own_and_inherits_no_descriptor() {
    let result = run(json!({"command": "ls /proc/$$/fd; ps -o pgid= -p $$ | tr -d ' '; echo $$"})).await;
    let lines: Vec<&str> = result["output"].as_str().unwrap().lines().collect();
    let (descriptors, ids) = lines.split_at(lines.len() - 2);
    assert_eq!(ids[0], ids[1]);
    let own = inherited();
    assert!(descriptors.iter().all(|number| own.contains(&(*number).to_owned())), "{descriptors:?} of {own:?}");
}

/// What any child of this process gets: the standard streams, and what the test was started with.
fn inherited() -> Vec<String> {
    let output = std::process::Command::new("ls").arg("/proc/self/fd").output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
