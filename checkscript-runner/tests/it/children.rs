//! Children that do not want to go when their check is over.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::harness::{Runner, until};

/// A check whose scripts write their process ids into a directory.
struct Brood {
    directory: TempDir,
    bench: Bench,
}

impl Brood {
    fn new(command: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bench = Bench::impatient(json!({
            "client": {"dir": directory.path()},
            "checks": {"one": {"timeout": 0.5, "command": format!("cd :::dir::: && {command}")}},
        }));
        Self { directory, bench }
    }

    /// The result, and how many of its processes there were; none is left.
    async fn run(mut self) -> (Value, usize) {
        self.bench.start("one");
        let result = self.bench.result().await;
        let ids: Vec<String> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|id| id.unwrap().file_name().into_string().unwrap())
            .collect();
        for id in &ids {
            assert!(!is_alive(id), "{id} is left: {result}");
        }
        (result, ids.len())
    }
}

fn is_alive(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn one_with_a_session_of_its_own_is_killed() {
    let brood = Brood::new("setsid sh -c ': > $$; sleep 1000' >/dev/null 2>&1 & sleep 1000");
    let (result, children) = brood.run().await;
    assert_eq!((&result["output"], &result["status"], children), (&json!("Execution timed out"), &json!(2), 1));
}

#[tokio::test]
async fn a_daemon_that_has_closed_everything_is_killed() {
    let daemon = "setsid sh -c '(: > $(exec sh -c \"echo \\$PPID\"); exec sleep 1000) <&- >&- 2>&- &'; sleep 1000";
    let (result, children) = Brood::new(daemon).run().await;
    assert_eq!((&result["output"], children), (&json!("Execution timed out"), 1));
}

#[tokio::test]
async fn a_daemon_that_holds_the_pipe_and_has_no_environment_is_killed() {
    let daemon = "setsid env -i PATH=\"$PATH\" sh -c '(sh -c \": > \\$\\$; exec sleep 1000\" &)'; exit 0";
    let (result, children) = Brood::new(daemon).run().await;
    assert_eq!((&result["output"], children), (&json!("Execution timed out"), 1));
}

#[tokio::test]
async fn one_that_stops_itself_is_killed() {
    let (result, children) = Brood::new(": > $$; kill -STOP $$").run().await;
    assert_eq!((&result["output"], children), (&json!("Execution timed out"), 1));
}

#[tokio::test]
async fn a_stopped_one_may_still_clean_up_after_term() {
    let directory = tempfile::tempdir().unwrap();
    let command = "trap 'echo clean > :::file:::; exit' TERM; kill -STOP $$; sleep 1000";
    let mut bench = Bench::new(json!({
        "client": {"file": directory.path().join("done")},
        "checks": {"one": {"timeout": 0.2, "command": command}},
    }));
    bench.start("one");
    assert_eq!(bench.result().await["output"], "Execution timed out");
    assert_eq!(fs::read_to_string(directory.path().join("done")).unwrap(), "clean\n");
}

#[tokio::test]
async fn those_that_multiply_are_all_killed() {
    // Each ignores TERM and starts two more in sessions of their own, down to the sixth generation.
    let script = r#"trap '' TERM; : > $$; n=$1; if [ "$n" -gt 0 ]; then for i in 1 2; do setsid sh "$0" $((n - 1)) & done; fi
        while :; do sleep 1000; done"#;
    let scripts = tempfile::tempdir().unwrap();
    let file = scripts.path().join("multiply");
    fs::write(&file, script).unwrap();
    let (result, children) = Brood::new(&format!("sh {} 5", file.display())).run().await;
    assert_eq!(result["output"], "Execution timed out");
    assert!(children > 10, "{children}");
}

#[test]
fn orphans_of_checks_do_not_stay_zombies() {
    let command = "setsid sh -c 'echo $$ > orphan; sleep 0.2' >/dev/null 2>&1 & echo started";
    let check = json!({"standalone": true, "interval": 1, "command": command});
    let runner = Runner::with_checks(json!({"one": check})).start();
    let orphan = until("an orphan", || fs::read_to_string(runner.file("orphan")).ok().filter(|id| id.ends_with('\n')));
    let path = format!("/proc/{}/stat", orphan.trim());
    until("the orphan is reaped", || (!Path::new(&path).exists()).then_some(()));
    // The runner's own children are waited for as before.
    assert_eq!(runner.results("one", 3)[2]["output"], "started\n");
    runner.signal(Signal::SIGTERM);
    runner.message("stopping reactor");
}
