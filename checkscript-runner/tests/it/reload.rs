//! What a reload leaves alone.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Runner, results_of, until};

fn messages(lines: &[Value], message: &str) -> usize {
    lines.iter().filter(|line| line["message"] == message).count()
}

#[test]
fn reloads_neither_repeat_a_run_nor_lose_one() {
    let runner = Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": "true"}})).start();
    runner.results("tick", 1);
    let ticks = |lines: &[Value]| results_of(lines, "tick").len();
    // Every reload changes the definitions, and they come as fast as they are taken.
    for round in 0.. {
        let change = json!({"standalone": true, "interval": 1, "command": "true", "round": round});
        runner.checks(json!({"tick": change}));
        runner.signal(Signal::SIGHUP);
        runner.wait("the reload", |lines| (messages(lines, "reloaded configuration") > round).then_some(()));
        if ticks(&runner.lines_of("log")) >= 3 {
            break;
        }
    }
    let lines = runner.lines_of("log");
    let issued: Vec<i64> = results_of(&lines, "tick").iter().filter_map(|tick| tick["issued"].as_i64()).collect();
    assert!(issued.windows(2).all(|pair| pair[1] == pair[0] + 1), "{issued:?}");
    let skipped = messages(&lines, "check executions were missed, the process did not run or the clock was set");
    assert_eq!((skipped, messages(&lines, "failed to reload configuration, the previous one stays in use")), (0, 0));
}

#[test]
fn a_reload_without_a_change_frees_no_slot() {
    // One slot, taken by a check that lasts: the other one has to wait for it, whatever is reloaded.
    let slow = json!({"standalone": true, "interval": 1, "command": "echo > started; while [ -e started ]; do sleep 0.05; done"});
    let quick = json!({"standalone": true, "interval": 1, "command": "echo > ran"});
    let runner = Runner::with_checks(json!({"slow": slow.clone()}));
    runner.write("conf.d/limit.json", &json!({"sensu": {"spawn": {"limit": 1}}}).to_string());
    let runner = runner.start();
    until("the slot is taken", || runner.file("started").exists().then_some(()));
    runner.checks(json!({"slow": slow, "quick": quick}));
    for round in 0..3 {
        runner.signal(Signal::SIGHUP);
        runner.wait("the reload", |lines| (messages(lines, "reloaded configuration") > round).then_some(()));
    }
    runner.wait("a slot of the waiting check", |lines| {
        let dropped = "previous check command execution is waiting for a free slot";
        let skipped = lines.iter().filter(|line| line["message"] == dropped);
        skipped.into_iter().find(|line| line["check"]["name"] == "quick").map(drop)
    });
    assert!(!runner.file("ran").exists());
    std::fs::remove_file(runner.file("started")).unwrap();
    runner.results("quick", 1);
}
