//! The runner under a wall clock that is set, and on the days on which daylight saving begins and ends. libfaketime gives one
//! process, and what it starts, a clock of their own; the monotonic clock goes on, as it does when a clock is set.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::{Part, Process, program, repository, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::PATIENCE;

/// Not divisible by the interval: a schedule that does not go by the wall clock leaves its phase.
const STEP: i64 = 3602;
const INTERVAL: i64 = 3;

/// A runner and its clock.
struct Node {
    folder: TempDir,
    _runner: Process,
}

impl Node {
    /// With the clock this many seconds ahead.
    fn start(checks: Value, ahead: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let no = json!({"enabled": false});
        let client = json!({"name": "node", "address": "127.0.0.1", "socket": no, "http_socket": no});
        fs::write(file("config.json"), json!({"client": client, "checks": checks}).to_string()).unwrap();
        set(&file("clock"), ahead);
        let library = repository().join("target/tools/lib/libfaketime.so.1");
        assert!(library.exists(), "{} is missing, `make tools` fetches it", library.display());
        let mut command = Command::new(program(Part::Runner));
        command.args(["-c", "config.json", "-d", ".", "-l", "checks.log", "--enable_attributes", "timezone"]);
        command.current_dir(folder.path()).env("LD_PRELOAD", library).env("TZ", "UTC");
        command.env("FAKETIME_TIMESTAMP_FILE", file("clock")).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let runner = Process::start("runner", command, &file("runner.out")).unwrap();
        Self { folder, _runner: runner }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn lines(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.file("checks.log")).unwrap_or_default();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// When the check was issued, in the order of its runs.
    fn issued(&self, check: &str) -> Vec<i64> {
        let lines = self.lines();
        let checks = lines.iter().filter_map(|line| line.pointer("/payload/check"));
        checks.filter(|result| result["name"] == check).map(|result| result["issued"].as_i64().unwrap()).collect()
    }

    /// Waits for so many runs from `from` on by the runner's clock, and within half an hour.
    async fn runs(&self, check: &str, from: i64, count: usize) -> Vec<i64> {
        until(&format!("{count} runs of {check} from {from} on"), PATIENCE, || async {
            let mut runs = self.issued(check);
            runs.retain(|issued| (from..from + 1800).contains(issued));
            anyhow::ensure!(runs.len() >= count, "{runs:?} of {:?}", self.issued(check));
            Ok(runs)
        })
        .await
        .unwrap()
    }
}

/// In one step: a reader must never see half of it.
fn set(clock: &Path, ahead: i64) {
    let new = clock.with_extension("new");
    fs::write(&new, format!("{ahead:+}")).unwrap();
    fs::rename(new, clock).unwrap();
}

/// The machine's clock, in seconds since the epoch.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Never more than one run a slot, and each within two seconds of its own.
fn assert_on_the_grid(runs: &[i64], phase: i64) {
    assert!(runs.windows(2).all(|pair| pair[1] - pair[0] >= INTERVAL - 1), "a burst: {runs:?}");
    assert!(runs.iter().all(|issued| (issued - phase).rem_euclid(INTERVAL) <= 1), "off phase {phase}: {runs:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_brings_no_burst_and_keeps_the_phase() {
    let node = Node::start(json!({"tick": {"standalone": true, "interval": INTERVAL, "command": "true"}}), 0);
    let first = node.runs("tick", now() - 60, 2).await;
    let phase = first[0].rem_euclid(INTERVAL);
    assert_on_the_grid(&first, phase);

    set(&node.file("clock"), STEP);
    let ahead = node.runs("tick", now() + STEP - 60, 3).await;
    assert_on_the_grid(&ahead, phase);
    let missed = node
        .lines()
        .into_iter()
        .find(|line| line["message"] == "check executions were missed, the process did not run or the clock was set");
    assert_eq!(missed.unwrap()["checks"], json!(["tick"]));

    let back = now();
    set(&node.file("clock"), 0);
    let after = node.runs("tick", back, 3).await;
    assert_on_the_grid(&after, phase);
}

/// 8 March 2026 in New York: at 07:00 UTC it is no longer 02:00 but 03:00.
const SPRING: i64 = 1_772_953_200;
/// 1 November 2026: 01:30 comes at 05:30 UTC, and an hour later again.
const AUTUMN: i64 = 1_793_511_000;

#[tokio::test]
async fn a_cron_check_runs_once_where_an_hour_is_skipped_and_where_one_comes_twice() {
    let cron =
        |cron: &str| json!({"standalone": true, "cron": cron, "timezone": "America/New_York", "command": "true"});
    let checks = json!({"spring": cron("30 2 8 3 *"), "autumn": cron("30 1 1 11 *"), "minute": cron("* * * * *")});
    let node = Node::start(checks, SPRING - 5 - now());
    assert_eq!(node.runs("minute", SPRING, 1).await.len(), 1);
    node.runs("spring", SPRING, 1).await;
    // The clock goes on to moments after which another run would be there if one came; the run of the minute after it shows
    // that they have gone by.
    for moment in [SPRING + 1800, SPRING + 1860, AUTUMN, AUTUMN + 3600, AUTUMN + 3660] {
        set(&node.file("clock"), moment - 3 - now());
        node.runs("minute", moment, 1).await;
        if moment == AUTUMN {
            node.runs("autumn", AUTUMN, 1).await;
        }
    }
    let runs = [node.issued("spring"), node.issued("autumn")];
    assert!(runs.iter().all(|runs| runs.len() == 1), "{runs:?}");
    let late = [runs[0][0] - SPRING, runs[1][0] - AUTUMN];
    assert!(late.iter().all(|late| (0..60).contains(late)), "{late:?}");
}
