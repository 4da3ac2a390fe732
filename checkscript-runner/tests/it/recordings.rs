//! What real runs of sensu-client have logged, and what the same definitions give here: every standalone definition of
//! every recording, attribute by attribute and in the order of the keys.
//!
//! Two lists say what is not compared as it stands, and they are all there is: [`mask`], what differs between any two
//! runs, and [`mend`], what is wanted to differ.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use check_result::CheckResult;
use check_result::log::{Level, write_line, write_result};
use checkscript_runner::definitions::{Definitions, Features, Host, Sources, load};
use checkscript_runner::execute::Executor;
use checkscript_runner::notice::{Notice, Sink};
use jiff::Zoned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::harness::{fixture, read};

/// The lines as they would be logged.
struct Lines(UnboundedSender<Value>);

impl Lines {
    fn send(&self, line: &[u8]) {
        self.0.send(serde_json::from_slice(line).unwrap()).unwrap();
    }
}

impl Sink for Lines {
    fn publish(&self, result: &CheckResult) {
        let mut line = Vec::new();
        write_result(&mut line, &Zoned::now(), result);
        self.send(&line);
    }

    fn notice(&self, notice: &Notice) {
        let mut line = Vec::new();
        write_line(&mut line, &Zoned::now(), notice.level, &notice.message, &notice.fields);
        self.send(&line);
    }

    fn wants(&self, _: Level) -> bool {
        true
    }
}

/// A recording's definitions, and an executor for them whose scripts have their state in a directory of their own.
struct Recording {
    name: &'static str,
    definitions: Definitions,
    executor: Executor,
    lines: UnboundedReceiver<Value>,
    _scripts: TempDir,
}

impl Recording {
    fn open(name: &'static str) -> Self {
        let directory = fixture(name);
        let sources = Sources {
            file: Some(directory.join("config.json")),
            directories: vec![directory.join("conf.d")],
            environment: Default::default(),
            host: Host::detect(),
            features: Features { standalone_only: true, ..Features::default() },
        };
        let definitions = load(&sources).definitions.unwrap();
        let (sender, lines) = unbounded_channel();
        let executor = Executor::new(definitions.spawn_limit, Arc::new(Lines(sender)));
        let scripts = scripts();
        executor.export("PATH", format!("{}:{}", scripts.path().display(), std::env::var("PATH").unwrap()));
        Self { name, definitions, executor, lines, _scripts: scripts }
    }

    /// Runs every check as often as the recording has results of it, and compares them.
    async fn replay(mut self) {
        let log = read(&fixture(self.name).join("results.log"));
        let golden: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names: Vec<String> = self.definitions.checks.iter().map(|check| check.name.clone()).collect();
        let mut left = golden.len();
        names.iter().filter(|name| !of_check(&golden, name).is_empty()).for_each(|name| self.start(name));
        let mut results: Vec<Value> = Vec::new();
        while left > 0 {
            let line = self.lines.recv().await.unwrap();
            let Some(name) = line.pointer("/payload/check/name").and_then(Value::as_str).map(str::to_owned) else {
                continue;
            };
            results.push(line);
            left -= 1;
            if of_check(&results, &name).len() < of_check(&golden, &name).len() {
                while self.executor.in_progress().contains(&name) {
                    tokio::task::yield_now().await;
                }
                self.start(&name);
            }
        }
        for name in &names {
            let (got, want) = (of_check(&results, name), of_check(&golden, name));
            assert_eq!(got.len(), want.len(), "{name}");
            for (got, want) in got.iter().zip(want) {
                assert_eq!(masked(got), masked(&mend(want)), "{} of {}", name, self.name);
            }
        }
    }

    fn start(&self, name: &str) {
        let check = self.definitions.checks.iter().find(|check| check.name == name).unwrap();
        self.executor.start(&self.definitions.client, Arc::clone(check), 1_700_000_000);
    }

    /// The next line with the message.
    async fn message(&mut self, message: &str) -> Value {
        loop {
            let line = self.lines.recv().await.unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }
}

fn of_check<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["payload"]["check"]["name"] == name).collect()
}

/// The recordings' scripts; one of them counts its runs in a file.
fn scripts() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for script in fs::read_dir(fixture("p01/plugins")).unwrap().map(|script| script.unwrap().path()) {
        let text = read_bytes_with(&script, directory.path());
        let file = directory.path().join(script.file_name().unwrap());
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory
}

fn read_bytes_with(script: &Path, state: &Path) -> String {
    fs::read_to_string(script).unwrap().replace("/var/run/sensu", state.to_str().unwrap())
}

/// As text, so that the order of keys and the form of numbers count.
fn masked(line: &Value) -> String {
    let mut line = line.clone();
    line["timestamp"] = "time".into();
    mask(&mut line);
    line.to_string()
}

/// What differs between any two runs: when it was and how long it took, and what commands say of the machine.
fn mask(value: &mut Value) {
    let Value::Object(object) = value else { return };
    for key in ["issued", "executed", "duration"] {
        if let Some(number) = object.get_mut(key) {
            *number = Value::from(if number.is_i64() { "integer" } else { "number" });
        }
    }
    if let Some(Value::String(name)) = object.get("name") {
        match name.as_str() {
            // The shell's words, and the time within the output.
            "missing-plugin" | "cpu-load" => object["output"] = "machine".into(),
            // The length of what it reads, in which there is a duration.
            "dbg-hooked" if object.contains_key("output") => object["hooks"]["critical"]["output"] = "length".into(),
            _ => (),
        }
    }
    object.values_mut().for_each(mask);
}

/// What is wanted to differ from sensu-client's line.
fn mend(golden: &Value) -> Value {
    let mut line = golden.clone();
    let check = &mut line["payload"]["check"];
    match check["name"].as_str().unwrap() {
        // Text that is not ASCII is kept.
        "ja-inline" => {
            check["notes"] = "手順書: https://wiki.example.jp/手順".into();
            check["owner"] = "運用 team".into();
            check["output"] = "日本語 inline text ok\n".into();
        }
        // A hook's outcome is in the result of its own run only, and its command is published as it is defined.
        "flip" => {
            let ran = match check["status"].as_i64().unwrap() {
                0 => "none",
                1 => "1",
                2 => "critical",
                _ => "non-zero",
            };
            for (key, hook) in check["hooks"].as_object_mut().unwrap() {
                if key != ran {
                    let outcome = ["executed", "duration", "output", "status"];
                    hook.as_object_mut().unwrap().retain(|key, _| !outcome.contains(&key.as_str()));
                }
            }
            check["hooks"]["1"]["command"] = "echo warning-hook by status for :::name:::".into();
        }
        // Two files define it; here they are loaded in the order of their paths, there in the directory's.
        "disk-root" => {
            let check = check.as_object_mut().unwrap();
            check["interval"] = 12.into();
            check["handlers"] = json!(["default", "mailer"]);
            for (index, key) in ["standalone", "command"].into_iter().enumerate() {
                let value = check.shift_remove(key).unwrap();
                check.shift_insert(index, key.to_owned(), value);
            }
        }
        _ => (),
    }
    line
}

/// A4, A8, A19, and what upstream does not test. All at a time, for some of their checks sleep for seconds.
#[tokio::test]
async fn every_result_is_sensu_clients() {
    let mut replays = JoinSet::new();
    for name in ["p01", "p02", "p04", "p05", "p06", "p07", "p08", "p10"] {
        replays.spawn(Recording::open(name).replay());
    }
    assert_eq!(replays.join_all().await.len(), 8);
}

#[tokio::test]
async fn notices_of_a_run_are_sensu_clients() {
    let golden: Vec<Value> =
        read(&fixture("p02/notices.log")).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(golden.len(), 4);
    let mut recording = Recording::open("p02");
    recording.start("dbg-hooked");
    for want in golden.iter().filter(|line| line["check"]["name"] == "dbg-hooked") {
        let got = recording.message(want["message"].as_str().unwrap()).await;
        assert_eq!(masked(&got), masked(want));
    }
    recording.start("dbg-slow");
    recording.start("dbg-slow");
    let want = golden.iter().find(|line| line["check"]["name"] == "dbg-slow").unwrap();
    assert_eq!(masked(&recording.message("previous check command execution in progress").await), masked(want));
}

/// A hook with `stdin` reads as many bytes as it did from sensu-client, but for the digits of the check's duration.
#[tokio::test]
async fn a_hook_reads_what_sensu_client_wrote() {
    let length = |line: &Value| {
        let check = &line["payload"]["check"];
        let length: usize = check["hooks"]["critical"]["output"].as_str().unwrap().trim().parse().unwrap();
        length - check["duration"].to_string().len()
    };
    let golden = read(&fixture("p02/results.log"));
    let golden = golden.lines().find(|line| line.contains("dbg-hooked")).unwrap();
    let mut recording = Recording::open("p02");
    recording.start("dbg-hooked");
    let got = recording.message("publishing check result").await;
    assert_eq!(length(&got), length(&serde_json::from_str(golden).unwrap()));
}
