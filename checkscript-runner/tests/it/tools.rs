//! The tools: what they print, in whole, and how they exit. What is expected stands in `fixtures/tools`; after a wanted
//! change `BLESS=1` writes it anew, to be read in the difference before it is committed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex::Regex;
use serde_json::{Value, json};

use crate::harness::{fixture, read, until};

/// A tool in a directory with `config.json` and `conf.d`; programs are found in its `plugins` and in the system's. All
/// paths are relative, so that what is printed does not depend on where this runs.
fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checkscript-runner"));
    command.args(["-c", "config.json", "-d", "conf.d"]).args(arguments).current_dir(directory).stdin(Stdio::null());
    command.env_clear().env("PATH", "plugins:/usr/bin:/bin").env("TZ", "JST-9");
    command
}

fn p01(arguments: &[&str]) -> Command {
    command(&fixture("p01"), arguments)
}

/// All that a person sees.
fn seen(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    format!("{stdout}--- standard error\n{stderr}--- exit status {}\n", status.code().unwrap())
}

fn assert_is(name: &str, got: &str) {
    let file = fixture("tools").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, got).unwrap();
    }
    assert_eq!(got, read(&file), "{name}; if it is wanted, see the head of this module");
}

#[test]
fn check_config_of_a_tree_that_runs() {
    assert_is("check-config/p01.txt", &seen(p01(&["check-config"])));
}

#[test]
fn check_config_says_what_variables_have_no_effect_and_why() {
    let directory = tree(&json!({"a": {"standalone": true, "command": "true", "interval": 60}}));
    let mut command = command(directory.path(), &["check-config"]);
    command.env("RABBITMQ_URL", "amqp://rabbit").env("REDIS_URL", "redis://r").env("SENSU_API_PORT", "4567");
    let text = seen(command);
    assert!(text.contains("no effect  RABBITMQ_URL, REDIS_URL, SENSU_API_PORT\n"), "{text}");
    assert!(text.contains("RABBITMQ_URL, REDIS_URL: a variable of the environment, there is no transport\n"), "{text}");
    assert!(text.contains("SENSU_API_PORT: a variable of the environment, there is no Sensu server\n"), "{text}");
    assert!(text.ends_with("exit status 0\n"), "{text}");
}

#[test]
fn check_config_of_invalid_configurations() {
    let mut cases: Vec<_> = fs::read_dir(fixture("p09/cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert_eq!(cases.len(), 17);
    for case in cases {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("conf.d")).unwrap();
        fs::copy(fixture("p09/config.json"), directory.path().join("config.json")).unwrap();
        fs::copy(&case, directory.path().join("conf.d/bad.json")).unwrap();
        let name = case.file_stem().unwrap().to_str().unwrap();
        let text = seen(command(directory.path(), &["check-config"]));
        assert_is(&format!("check-config/p09/{name}.txt"), &text);
        if name == "several" {
            let text = seen(command(directory.path(), &["check-config", "--format=json"]));
            assert_is("check-config/p09/several.json.txt", &text);
        }
    }
}

#[test]
fn check_config_of_what_is_valid_and_yet_not_right() {
    assert_is("check-config/habits.txt", &seen(command(&fixture("tools/habits"), &["check-config"])));
}

#[test]
fn check_config_of_a_configuration_that_needs_no_attention_exits_0() {
    let directory = tree(&json!({"a": {"standalone": true, "command": "true", "interval": 60, "timeout": 10}}));
    assert_is("check-config/good.txt", &seen(command(directory.path(), &["check-config"])));
}

#[test]
fn check_config_follows_the_options_that_change_what_is_honoured() {
    let directory = tree(&json!({
        "opted": {"standalone": true, "command": "true", "interval": 60, "env": {"A": "1"}, "timezone": "Asia/Tokyo"},
        "own": {"subscribers": ["client:web-1"], "command": "true", "interval": 60},
        "shared": {"subscribers": ["roundrobin:client:web-1"], "command": "true", "interval": 60},
        "others": {"subscribers": ["db"], "command": "no-such-program :::none:::", "interval": 1, "handle": false},
    }));
    assert_is("check-config/options.txt", &seen(command(directory.path(), &["check-config"])));
    let options = ["--enable_attributes=env", "--default_timeout=30", "--standalone_only", "check-config"];
    assert_is("check-config/options-given.txt", &seen(command(directory.path(), &options)));
}

#[test]
fn check_config_tells_a_time_that_never_comes_from_a_text_that_is_no_time() {
    let directory = tree(&json!({"a": {"standalone": true, "command": "true", "cron": "0 0 31 2 *", "timeout": 10}}));
    assert_is("check-config/never.txt", &seen(command(directory.path(), &["check-config"])));
}

#[test]
fn check_config_of_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path(), &["check-config"]);
    assert_is("check-config/nothing.txt", &seen_with(&mut command, ("SENSU_CLIENT_NAME", "web-1")));
}

fn seen_with(command: &mut Command, (name, value): (&str, &str)) -> String {
    command.env(name, value);
    seen(std::mem::replace(command, Command::new("true")))
}

#[test]
fn colours_are_for_terminals() {
    let plain = seen(p01(&["check-config"]));
    assert!(!plain.contains('\u{1b}'));
    let coloured = seen_with(&mut p01(&["check-config"]), ("CLICOLOR_FORCE", "1"));
    assert!(coloured.contains("\u{1b}[33mattention\u{1b}[0m"), "{coloured}");
    let escapes = Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert_eq!(escapes.replace_all(&coloured, ""), plain);
}

#[test]
fn what_a_file_says_is_no_terminal_escape() {
    let check = json!({"standalone": true, "command": "\u{1b}[2J\nx", "cron": "* * * * * \u{1b}[2J", "\u{1b}[2J": ":::\u{1b}:::"});
    let directory = tree(&json!({"a": check, "\u{1b}[2J": 5}));
    for tool in ["check-config", "list"] {
        let text = seen(command(directory.path(), &[tool]));
        assert!(!text.contains('\u{1b}') && text.contains("\u{fffd}[2J"), "{text}");
    }
    let valid = tree(&json!({"a": check}));
    let text = seen(command(valid.path(), &["list"]));
    assert!(text.lines().any(|line| line.contains("\u{fffd}[2J\u{fffd}x")), "{text}");
}

fn tree(checks: &Value) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("conf.d")).unwrap();
    let client = json!({"client": {"name": "web-1", "address": "10.0.0.1"}});
    fs::write(directory.path().join("config.json"), client.to_string()).unwrap();
    fs::write(directory.path().join("conf.d/checks.json"), json!({"checks": checks}).to_string()).unwrap();
    directory
}

#[test]
fn list_shows_what_runs_here_the_next_one_first() {
    let text = seen(p01(&["list"]));
    let (table, rest) = text.split_once("--- standard error\n").unwrap();
    let (head, rows) = table.split_once('\n').unwrap();
    let starts: Vec<_> = rows.lines().map(|row| &row[.."2026-01-01T00:00:00.000+09:00".len()]).collect();
    assert!(starts.is_sorted(), "{table}");
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+09:00").unwrap();
    let mut rows: Vec<_> = rows.lines().map(|row| time.replace(row, "YYYY-MM-DDTHH:MM:SS.mmm+09:00")).collect();
    rows.sort();
    assert_is("list/p01.txt", &format!("{head}\n{}\n--- standard error\n{rest}", rows.join("\n")));
}

#[test]
fn list_for_programs() {
    let Output { status, stdout, .. } = p01(&["list", "--format=json"]).output().unwrap();
    let rows: Value = serde_json::from_slice(&stdout).unwrap();
    let named = |name: &str| {
        let mut row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
        assert!(row["next_start"].take().as_str().unwrap().ends_with("+09:00"));
        row
    };
    let want = json!({
        "name": "switch-ping", "source": "app-osaka-01-switch", "next_start": null, "interval": 20, "phase": 0.75,
        "cron": null, "timeout": null, "subdued": false, "command": "echo 'PING CRITICAL 100% loss'; exit 2",
    });
    assert_eq!((status.code(), named("switch-ping")), (Some(0), want));
    let want = json!({
        "name": "cron-report", "source": null, "next_start": null, "interval": null, "phase": null,
        "cron": "* * * * *", "timeout": null, "subdued": false, "command": "echo 'cron ran'",
    });
    assert_eq!(named("cron-report"), want);
    assert_eq!(named("maint-window")["subdued"], true);
}

#[test]
fn list_of_nothing_and_of_an_invalid_configuration() {
    let nothing = tree(&json!({}));
    assert_is("list/nothing.txt", &seen(command(nothing.path(), &["list"])));
    let invalid = tree(&json!({"a": {"standalone": true, "command": "true", "interval": 0}, "b": 5}));
    assert_is("list/invalid.txt", &seen(command(invalid.path(), &["list"])));
}

/// What a run prints, its duration and times masked.
fn ran(arguments: &[&str]) -> String {
    let duration = Regex::new(r"after \d+\.\d{3} s").unwrap();
    let fields = Regex::new(r#""(issued|executed|duration)":[0-9.]+"#).unwrap();
    let text = seen(p01(arguments));
    fields.replace_all(&duration.replace(&text, "after N s"), "\"$1\":N").into_owned()
}

#[test]
fn run_prints_the_output_and_exits_with_the_status() {
    for name in ["proc-list", "disk-data", "mem-free", "disk-token", "token-missing", "router-a:router-ping"] {
        assert_is(&format!("run/{}.txt", name.replace(':', "-")), &ran(&["run", name]));
    }
    assert_is("run/disk-data.json.txt", &ran(&["run", "disk-data", "--format=json"]));
    // The shell's words differ from machine to machine.
    let missing = ran(&["run", "missing-plugin"]);
    assert!(missing.contains("missing-plugin is UNKNOWN, exit status 127 after"), "{missing}");
    assert!(missing.ends_with("--- exit status 127\n"), "{missing}");
}

#[test]
fn run_shows_the_hook_that_ran_and_says_that_the_check_is_subdued() {
    let always = json!({"days": {"all": [{"begin": "12:00 AM", "end": "11:59:59 PM"}]}});
    let hooks =
        json!({"critical": {"command": "echo top; cat $SENSU_LOADED_TEMPFILE; exit 4"}, "ok": {"command": "true"}});
    let check = json!({
        "standalone": true, "command": "echo bad; exit 2", "interval": 60, "hooks": hooks, "subdue": always,
    });
    let directory = tree(&json!({"a": check}));
    let duration = Regex::new(r"after \d+\.\d{3} s").unwrap();
    let text = seen(command(directory.path(), &["run", "a"]));
    assert_is("run/hook.txt", &duration.replace(&text, "after N s"));
}

#[test]
fn run_finds_a_check_by_the_key_that_it_stands_under_and_says_why_one_does_not_run() {
    let directory = tree(&json!({
        "key": {"name": "other", "standalone": true, "command": "true", "interval": 60},
        "for-others": {"subscribers": ["db"], "command": "true", "interval": 60},
    }));
    for (name, status, text) in [
        ("key", 0, "other is OK"),
        ("other", 0, "other is OK"),
        ("for-others", 3, "check for-others does not run on web-1: the client subscribes to none of its `subscribers`"),
    ] {
        let Output { status: got, stderr, .. } = command(directory.path(), &["run", name]).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(got.code() == Some(status) && stderr.contains(text), "{name}: {stderr}");
    }
}

#[test]
fn run_ends_a_check_at_its_timeout() {
    assert_is("run/stuck-nfs.txt", &ran(&["run", "stuck-nfs"]));
}

#[test]
fn run_names_what_is_like_an_unknown_name() {
    assert_is("run/unknown.txt", &ran(&["run", "disk-rot"]));
    assert_is("run/unknown-altogether.txt", &ran(&["run", "zzz"]));
    let checks = json!({
        "a": {"name": "ping", "source": "router-a", "standalone": true, "command": "true", "interval": 60},
        "b": {"name": "ping", "source": "router-b", "standalone": true, "command": "true", "interval": 60},
    });
    let ambiguous = tree(&checks);
    assert_is("run/ambiguous.txt", &seen(command(ambiguous.path(), &["run", "ping"])));
}

#[test]
fn run_tells_checks_of_one_name_apart_by_the_keys_of_their_definitions() {
    let check = |command: &str| json!({"name": "long", "standalone": true, "command": command, "interval": 60});
    let directory = tree(&json!({"a": check("exit 1"), "b": check("exit 2")}));
    for (name, status, text) in [
        ("long", 3, "there are several checks long, say which one: a, b\n"),
        ("a", 1, "long is WARNING"),
        ("b", 2, "long is CRITICAL"),
    ] {
        let Output { status: got, stderr, .. } = command(directory.path(), &["run", name]).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(got.code() == Some(status) && stderr.contains(text), "{name}: {stderr}");
    }
}

#[test]
fn run_says_what_a_status_was_mapped_from() {
    let check = json!({"standalone": true, "command": "true", "interval": 60, "exit_map": {"0": 2}});
    let directory = tree(&json!({"a": check}));
    for (options, text) in [
        (&["--enable_attributes=exit_map"][..], "a is CRITICAL, exit status 2 (mapped from 0) after "),
        (&[], "a is OK, exit status 0 after "),
    ] {
        let arguments = [&["run", "a"], options].concat();
        let Output { stderr, .. } = command(directory.path(), &arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(stderr.contains(text), "{stderr}");
    }
}

#[test]
fn a_run_that_is_interrupted_takes_its_check_with_it() {
    let script = "echo $$ > pid.new; mv pid.new pid; sleep 1000";
    let directory = tree(&json!({"long": {"standalone": true, "command": script, "interval": 60}}));
    let mut command = command(directory.path(), &["run", "long"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = until("the check writes its process id", || {
        fs::read_to_string(directory.path().join("pid")).ok()?.trim().parse::<i32>().ok()
    });
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(String::from_utf8(stderr).unwrap().contains("stopped by INT, the check's processes are killed"));
    assert!(kill(Pid::from_raw(pid), None).is_err(), "the check's shell is gone");
}

#[test]
fn help_shows_sensu_clients_options_and_the_tools() {
    let help = seen(p01(&["--help"]));
    for part in [
        "-c, --config <FILE>",
        "-P, --print_config",
        "Tools:\n  check-config  ",
        "\n  list  ",
        "\n  run  ",
        "Examples:\n",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    for tool in ["check-config", "list", "run"] {
        assert_is(&format!("help-{tool}.txt"), &seen(p01(&[tool, "--help"])));
    }
}
