//! Starting, reloading and stopping.

use std::os::unix::net::UnixDatagram;

use clap::Parser;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Runner, results_of, until};

fn every_second(command: &str) -> Value {
    json!({"standalone": true, "interval": 1, "command": command})
}

fn messages(runner: &Runner) -> Vec<String> {
    runner.lines_of("log").iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_failure_of_every_file_is_told_at_once_with_its_place() {
    let runner = Runner::with_checks(json!({"a": {"standalone": true, "command": "true"}, "c": 5}));
    runner.write("conf.d/broken.json", "{\n  \"checks\": {\"b\": 'x'}\n}");
    runner.write("conf.d/torn.json", "{\"checks\": {");
    runner.write("conf.d/interval.json", "{\n\"checks\": {\n\"a\": {\n // never\n\"interval\": 0\n}}}");
    let (status, log) = runner.argument("-d").argument("conf.d,missing.d").run();
    assert_eq!(status, Some(2));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fatal: Vec<&Value> = lines.iter().filter(|line| line["level"] == "fatal").collect();
    let texts: Vec<&str> = fatal.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let want = [
        "config file must be valid json",
        "config file must be valid json",
        "insufficient permissions for loading",
        "check interval must be an integer greater than 0",
        "check must be a hash",
        "SENSU NOT RUNNING!",
    ];
    assert_eq!(texts, want);
    assert_eq!(fatal[0]["file"], "conf.d/broken.json");
    assert_eq!(fatal[0]["error"], "Single-quoted strings are not allowed at line 2, column 19");
    assert_eq!((&fatal[0]["line"], &fatal[0]["column"]), (&json!(2), &json!(19)));
    assert_eq!(fatal[2]["directory"], "missing.d");
    assert_eq!(fatal[3]["field"], "checks.a.interval");
    assert_eq!((&fatal[3]["file"], &fatal[3]["line"]), (&json!("conf.d/interval.json"), &json!(5)));
    assert_eq!((&fatal[4]["field"], &fatal[4]["line"]), (&json!("checks.c"), &json!(1)));
}

/// A50: sensu-settings' variables in its order, what it logs of them, and files that win.
#[test]
fn the_environment_is_read_and_told_as_sensu_settings_does() {
    let variables = [
        ("SENSU_API_PORT", "4567"),
        ("SENSU_CLIENT_ADDRESS", "10.0.0.1"),
        ("REDIS_SENTINEL_URLS", "redis://:secret@one:26379,redis://two:26379"),
        ("REDIS_URL", "redis://not-heeded"),
        ("RABBITMQ_URL", "amqp://sensu:secret@rabbit:5672/%2Fsensu"),
        ("SENSU_TRANSPORT_NAME", "redis"),
    ];
    let runner = Runner::new().argument("-P");
    runner.write("conf.d/api.json", r#"{"api": {"port": 1, "host": "h"}, "transport": {"name": "rabbitmq"}}"#);
    let (_, log) =
        variables.into_iter().fold(runner, |runner, (name, value)| runner.environment(name, value.to_owned())).run();
    assert!(!log.contains("secret@"), "{log}");
    let told: Vec<Value> = log.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
    let without_time = |line: &Value| {
        let mut line = line.as_object().unwrap().clone();
        line.shift_remove("timestamp");
        Value::Object(line).to_string()
    };
    let redis = "redis://:REDACTED@one:26379,redis://two:26379";
    let warn =
        |text: &str, field: &str, value: Value| json!({"level": "warn", "message": text, field: value}).to_string();
    let transport = json!({"name": "redis", "reconnect_on_error": true});
    let want = [
        warn("using sensu transport name environment variable", "transport", transport),
        warn(
            "using rabbitmq url environment variable",
            "rabbitmq",
            json!("amqp://sensu:REDACTED@rabbit:5672/%2Fsensu"),
        ),
        warn("using redis sentinel url environment variable", "sentinels", json!(redis)),
    ];
    assert_eq!(told[..3].iter().map(without_time).collect::<Vec<_>>(), want);
    assert_eq!(told[3]["message"], "using sensu client environment variables");
    let api = warn("using api port environment variable", "api", json!({"port": 4567}));
    assert_eq!(without_time(&told[4]), api);
    assert_eq!(told[5]["message"], "loading config file");
    let printed: Value = serde_json::from_str(&log[log.find("\n{\n").unwrap()..]).unwrap();
    assert_eq!(printed["transport"]["name"], "rabbitmq", "files win");
    assert_eq!((&printed["api"]["port"], &printed["redis"]["sentinels"]), (&json!(1), &json!(redis)));
}

/// A50.
#[test]
fn files_are_loaded_in_the_order_of_their_paths_and_hidden_ones_are_not() {
    let runner = Runner::new();
    std::fs::create_dir_all(runner.file("conf.d/sub/.hidden")).unwrap();
    for name in ["conf.d/b.json", "conf.d/sub/a.json", "conf.d/a.json", "conf.d/.c.json", "conf.d/sub/.hidden/d.json"] {
        runner.write(name, &json!({"list": [name], "last": name}).to_string());
    }
    runner.write("conf.d/not-json.txt", "no");
    let (_, log) = runner.argument("-P").run();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let files: Vec<Value> =
        lines.filter(|line| line["message"] == "loading config file").map(|line| line["file"].clone()).collect();
    let want = ["config.json", "conf.d/a.json", "conf.d/b.json", "conf.d/sub/a.json"];
    assert_eq!(files, want.map(|name| json!(format!("/etc/sensu/{name}"))));
    let printed: Value = serde_json::from_str(&log[log.find("\n{\n").unwrap()..]).unwrap();
    assert_eq!((&printed["list"], &printed["last"]), (&json!(want[1..]), &json!(want[3])));
}

#[test]
fn a_stop_waits_for_the_checks_under_way() {
    let mut runner = Runner::with_checks(json!({"slow": every_second("echo > started; sleep 0.7; echo done")}))
        .argument("-p")
        .argument("pid")
        .start();
    until("a check is under way", || runner.file("started").exists().then_some(()));
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.exit().code(), Some(0));
    let said = messages(&runner);
    let want = [
        "received signal",
        "stopping",
        "completing checks in progress",
        "publishing check result",
        "closing client sockets",
        "stopping reactor",
    ];
    assert_eq!(said[said.len() - want.len()..], want.map(str::to_owned));
    let lines = runner.lines_of("log");
    assert!(lines.iter().any(|line| line["signal"] == "TERM"));
    assert!(lines.iter().any(|line| line["checks_in_progress"] == json!(["slow"])));
    assert_eq!(results_of(&lines, "slow").last().unwrap()["output"], "done\n");
    assert!(std::fs::read_to_string(runner.file("pid")).unwrap().trim().parse::<u32>().is_ok());
}

#[test]
fn a_second_signal_ends_the_waiting_and_says_what_was_killed() {
    let mut runner = Runner::with_checks(json!({"endless": every_second("echo $$ > started; sleep 1000")})).start();
    let id = until("a check is under way", || {
        std::fs::read_to_string(runner.file("started")).ok().filter(|id| id.ends_with('\n'))
    });
    runner.signal(Signal::SIGTERM);
    runner.message("completing checks in progress");
    runner.signal(Signal::SIGINT);
    assert_eq!(runner.exit().code(), Some(0));
    let said = messages(&runner);
    let want = ["killing checks in progress", "closing client sockets", "stopping reactor"];
    assert_eq!(said[said.len() - want.len()..], want.map(str::to_owned));
    assert!(results_of(&runner.lines_of("log"), "endless").is_empty());
    assert!(!std::path::Path::new(&format!("/proc/{}", id.trim())).exists());
}

#[test]
fn after_the_grace_period_the_groups_are_killed_and_named() {
    let command = "trap '' TERM; (trap '' TERM; sleep 1000) & echo $! > started; wait; sleep 1000";
    let checks = json!({"endless": every_second(command)});
    let mut runner = Runner::with_checks(checks).argument("--grace_period").argument("1").start();
    let id = until("a check is under way", || {
        std::fs::read_to_string(runner.file("started")).ok().filter(|id| id.ends_with('\n'))
    });
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.exit().code(), Some(0));
    let lines = runner.lines_of("log");
    let killed = lines.iter().find(|line| line["message"] == "killing checks in progress").unwrap();
    assert_eq!((&killed["level"], &killed["checks_in_progress"]), (&json!("error"), &json!(["endless"])));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[test]
fn hup_takes_a_valid_configuration_and_only_that() {
    let runner = Runner::with_checks(json!({"old": every_second("echo one")})).start();
    runner.results("old", 1);
    runner.checks(json!({"old": {"standalone": true, "command": "true"}, "b b": every_second("true")}));
    runner.signal(Signal::SIGHUP);
    let failure = runner.message("check interval must be an integer greater than 0");
    assert_eq!((&failure["level"], &failure["field"]), (&json!("error"), &json!("checks.old.interval")));
    runner.message("check name cannot contain spaces or special characters");
    runner.message("failed to reload configuration, the previous one stays in use");
    let so_far = results_of(&runner.lines_of("log"), "old").len();
    runner.results("old", so_far + 1);

    runner.checks(json!({"new": every_second("echo two")}));
    runner.signal(Signal::SIGHUP);
    assert_eq!(runner.message("reloaded configuration")["checks"], 1);
    assert_eq!(runner.results("new", 1)[0]["output"], "two\n");
}

#[test]
fn a_check_under_way_stays_so_over_a_reload() {
    let slow = json!({"slow": every_second("echo > started; sleep 1.2")});
    let runner = Runner::with_checks(slow).start();
    until("a check is under way", || runner.file("started").exists().then_some(()));
    runner.signal(Signal::SIGHUP);
    runner.message("reloaded configuration");
    let skipped = runner.message("previous check command execution in progress");
    assert_eq!(skipped["check"]["name"], "slow");
}

/// A26.
#[test]
fn standalone_checks_run_by_themselves() {
    let runner = Runner::with_checks(json!({"tick": every_second("echo WARNING; exit 1")})).start();
    for result in runner.results("tick", 2) {
        assert_eq!((&result["output"], &result["status"]), (&json!("WARNING\n"), &json!(1)));
        assert!(result["issued"].is_i64(), "{result}");
    }
}

/// A48.
#[test]
fn a_pid_file_holds_the_id_of_the_process() {
    let runner = Runner::new().argument("-p").argument("pid").start();
    let written =
        until("the PID file", || std::fs::read_to_string(runner.file("pid")).ok().filter(|id| id.ends_with('\n')));
    assert_eq!(written, format!("{}\n", runner.id()));
}

/// A48.
#[test]
fn a_pid_file_that_cannot_be_written_is_fatal() {
    let (status, log) = Runner::new().argument("-p").argument("missing/pid").run();
    assert_eq!(status, Some(2));
    let last: Vec<&str> = log.lines().rev().take(2).collect();
    assert!(last[1].contains("\"message\":\"could not write to pid file\",\"pid_file\":\"missing/pid\""), "{log}");
    assert!(last[0].contains("SENSU NOT RUNNING!"), "{log}");
}

#[test]
fn a_stopped_runner_makes_no_burst_when_it_goes_on() {
    let runner = Runner::with_checks(json!({"tick": every_second("true")})).start();
    let issued = |ticks: Vec<Value>| -> Vec<i64> { ticks.iter().filter_map(|tick| tick["issued"].as_i64()).collect() };
    runner.results("tick", 1);
    runner.signal(Signal::SIGSTOP);
    let before = issued(runner.results("tick", 1));
    let last = before[before.len() - 1];
    until("slots have gone by", || (jiff::Timestamp::now().as_second() > last + 2).then_some(()));
    runner.signal(Signal::SIGCONT);
    let seconds = issued(runner.results("tick", before.len() + 1));
    assert!(seconds.windows(2).all(|pair| pair[1] > pair[0]), "never twice in a second: {seconds:?}");
    assert!(seconds[before.len()] - last > 2, "missed slots are not made up for: {seconds:?}");
    let missed = runner.message("check executions were missed, the process did not run or the clock was set");
    assert_eq!(missed["checks"], json!(["tick"]));
}

/// A service manager's side of `NOTIFY_SOCKET`.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(runner: Runner) -> (Self, Runner) {
        let file = runner.file("notify");
        let manager = Self(UnixDatagram::bind(&file).unwrap());
        (manager, runner.environment("NOTIFY_SOCKET", file.to_str().unwrap().to_owned()))
    }

    fn datagram(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.0.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    }

    /// The next thing that is told, apart from the status.
    fn told(&self) -> String {
        let without_status =
            |text: String| text.lines().filter(|line| !line.starts_with("STATUS=")).collect::<Vec<_>>().join("\n");
        std::iter::repeat_with(|| without_status(self.datagram())).find(|told| !told.is_empty()).unwrap()
    }

    /// The next status.
    fn status(&self) -> String {
        let status = |text: String| text.lines().find_map(|line| line.strip_prefix("STATUS=").map(str::to_owned));
        std::iter::repeat_with(|| status(self.datagram())).flatten().next().unwrap()
    }
}

#[test]
fn the_service_manager_is_told_and_its_socket_is_not_the_commands() {
    let command = "echo \"manager: $NOTIFY_SOCKET$WATCHDOG_USEC$WATCHDOG_PID\"";
    let (manager, runner) = Manager::listen(Runner::with_checks(json!({"a": every_second(command)})));
    let mut runner = runner.start();
    assert_eq!(manager.told(), "READY=1");
    assert_eq!(runner.results("a", 1)[0]["output"], "manager: \n");
    runner.signal(Signal::SIGHUP);
    let reloading = manager.told();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|since| since.parse::<u64>().ok());
    assert!(since.is_some(), "{reloading}");
    assert_eq!(manager.told(), "READY=1");
    runner.signal(Signal::SIGTERM);
    assert_eq!(manager.told(), "STOPPING=1");
    assert_eq!(runner.exit().code(), Some(0));
}

#[test]
fn the_watchdog_is_fed_also_while_a_stop_waits_for_checks() {
    let check = json!({"slow": every_second("touch started; while [ ! -e end ]; do sleep 0.05; done")});
    let (manager, runner) = Manager::listen(Runner::with_checks(check));
    let mut runner = runner.before("export WATCHDOG_PID=$$ WATCHDOG_USEC=2000000").start();
    assert_eq!(manager.told(), "READY=1");
    assert_eq!([manager.told(), manager.told()], ["WATCHDOG=1", "WATCHDOG=1"]);
    until("a check is under way", || runner.file("started").exists().then_some(()));
    runner.signal(Signal::SIGTERM);
    let told: Vec<String> = std::iter::repeat_with(|| manager.told()).take_while(|told| told != "STOPPING=1").collect();
    assert!(told.iter().all(|told| told == "WATCHDOG=1"), "{told:?}");
    assert_eq!(manager.told(), "WATCHDOG=1");
    runner.write("end", "");
    assert_eq!(runner.exit().code(), Some(0));
}

#[test]
fn the_unit_s_status_is_how_the_log_stands() {
    let (manager, runner) = Manager::listen(Runner::with_checks(json!({"a": every_second("true")})));
    let log = runner.file("log");
    std::fs::create_dir(&log).unwrap();
    let runner = runner.before("exec >stdout").start();
    let refused =
        format!("Logging to standard output, {} cannot be opened: Is a directory (os error 21)", log.display());
    assert_eq!(manager.status(), refused);
    std::fs::remove_dir(&log).unwrap();
    assert_eq!(manager.status(), format!("Logging to {}", log.display()));
    // Only when the directory stands in its place is the file deleted: else it might be created anew.
    std::fs::rename(&log, runner.file("moved")).unwrap();
    std::fs::create_dir(&log).unwrap();
    std::fs::remove_file(runner.file("moved")).unwrap();
    assert_eq!(manager.status(), "Not logging, lines wait: Is a directory (os error 21)");
    drop(runner);
}

/// The words of the unit's `ExecStart`, where the operator adds none.
fn exec_start() -> Vec<String> {
    let unit = include_str!("../../../packaging/debian/checkscript-runner.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    line.split(' ').filter(|word| *word != "$RUNNER_ARGS").map(str::to_owned).collect()
}

#[test]
fn the_unit_calls_it_as_it_can_be_called() {
    let options = checkscript_runner::cli::Options::try_parse_from(exec_start()).unwrap();
    assert_eq!(options.record(), Some("/run/checkscript-runner/checkscript-runner.pid.runs".into()));
}
