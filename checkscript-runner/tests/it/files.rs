//! Definition files that cannot be read: at the start they are left out, as sensu-client does; once they are in use, a
//! reload does not go on without them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use serde_json::{Value, json};

use crate::harness::{Runner, results_of};

const FAILED: &str = "failed to reload configuration, the previous one stays in use";
const UNREADABLE: &str = "config directory is not readable, ignoring its files";
const MISSING: &str = "config file does not exist or is not readable";

fn ticking() -> Runner {
    Runner::with_checks(json!({"tick": {"standalone": true, "interval": 1, "command": "true"}}))
}

/// What is said of a file, in order.
fn told(lines: &[Value], file: &str) -> Vec<(String, String)> {
    let of_file = lines.iter().filter(|line| line["file"].as_str().is_some_and(|path| path.ends_with(file)));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_file.map(|line| (text(&line["level"]), text(&line["message"]))).collect()
}

/// A45.
#[test]
fn bytes_that_are_no_utf_8_become_replacement_characters_also_beside_tokens() {
    let runner = ticking();
    let definition = b"{\"checks\": {\"tick\": {\"command\": \"echo :::name:::\xff:::none|caf\xe9:::\"}}}";
    fs::write(runner.file("conf.d/latin.json"), definition).unwrap();
    let runner = runner.start();
    assert_eq!(runner.results("tick", 1)[0]["output"], "web-1\u{fffd}caf\u{fffd}\n");
    runner.message("config file is not valid UTF-8, its bad bytes become U+FFFD");
}

/// Reloads, and waits for what the reload ends with.
fn reload(runner: &Runner, ending: &str) {
    let count = |lines: &[Value]| lines.iter().filter(|line| line["message"] == ending).count();
    let before = count(&runner.lines_of("log"));
    runner.signal(Signal::SIGHUP);
    runner.wait(ending, |lines| (count(lines) > before).then_some(()));
}

#[test]
fn what_cannot_be_read_at_the_start_is_warned_of_and_left_out() {
    let runner = ticking();
    symlink("nowhere", runner.file("conf.d/dangling.json")).unwrap();
    // Opening it would wait for who writes into it.
    mkfifo(&runner.file("conf.d/pipe.json"), Mode::S_IRWXU).unwrap();
    let runner = runner.start();
    runner.results("tick", 1);
    let left_out = [MISSING, "ignoring config file"].map(|text| ("warn".to_owned(), text.to_owned()));
    for file in ["dangling.json", "pipe.json"] {
        assert_eq!(told(&runner.lines_of("log"), file), left_out, "{file}");
    }
    // They were not in use, so a reload can do without them too.
    reload(&runner, "reloaded configuration");

    let (status, report) = runner.argument("check-config").run();
    assert_eq!(status, Some(1), "{report}");
    assert!(report.contains(&format!("attention  {MISSING}: /etc/sensu/conf.d/dangling.json")), "{report}");
}

#[test]
fn a_file_in_use_that_cannot_be_read_is_an_error_of_the_reload() {
    let runner = ticking().start();
    runner.results("tick", 1);
    for file in ["config.json", "conf.d/checks.json"] {
        let text = fs::read_to_string(runner.file(file)).unwrap();
        fs::remove_file(runner.file(file)).unwrap();
        symlink("nowhere", runner.file(file)).unwrap();
        reload(&runner, FAILED);
        let last = told(&runner.lines_of("log"), file).pop();
        assert_eq!(last, Some(("error".to_owned(), MISSING.to_owned())));
        fs::remove_file(runner.file(file)).unwrap();
        runner.write(file, &text);
        reload(&runner, "reloaded configuration");
    }
    fs::rename(runner.file("config.json"), runner.file("away")).unwrap();
    reload(&runner, FAILED);
    let last = told(&runner.lines_of("log"), "config.json").pop();
    assert_eq!(last, Some(("error".to_owned(), MISSING.to_owned())));
    let lines = runner.lines_of("log");
    let clients = lines.iter().filter_map(|line| line.pointer("/payload/client")).filter(|client| *client != "web-1");
    assert_eq!(clients.count(), 0, "it is the same client throughout");
    assert!(!results_of(&lines, "tick").is_empty());
}

#[test]
fn a_file_that_is_gone_from_its_directory_was_taken_away() {
    let runner = ticking();
    runner.write("conf.d/more.json", &json!({"checks": {}}).to_string());
    let runner = runner.start();
    runner.results("tick", 1);
    fs::remove_file(runner.file("conf.d/more.json")).unwrap();
    reload(&runner, "reloaded configuration");
}

#[test]
fn what_the_client_wants_hidden_is_hidden_wherever_it_stands_even_if_the_last_file_says_so() {
    const KEY: &str = "A-1-B-2";
    let runner = ticking();
    runner.write("conf.d/a.json", &json!({"client": {"license": {"key": KEY}, "license_key": KEY}}).to_string());
    let redact = json!(["license_key", "license"]);
    let bad = json!({"standalone": true, "interval": "x", "command": "true", "license_key": KEY});
    runner.write("conf.d/z.json", &json!({"client": {"redact": redact}}).to_string());
    let printed = runner.argument("--print_config");
    let (status, text) = printed.run();
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("\"license\":\"REDACTED\"") && !text.contains(KEY), "{text}");

    let runner = ticking();
    for name in ["a.json", "z.json"] {
        fs::copy(printed.file("conf.d").join(name), runner.file("conf.d").join(name)).unwrap();
    }
    runner.write("conf.d/b.json", &json!({"checks": {"bad": bad}, "client": {"license_key": 5}}).to_string());
    let (status, log) = runner.run();
    assert_eq!(status, Some(2), "{log}");
    assert!(
        log.contains("check interval must be an integer") && log.contains("applied sensu client overrides"),
        "{log}"
    );
    assert!(!log.contains(KEY), "{log}");
    let (_, report) = runner.argument("check-config").run();
    assert!(report.contains("depends on the order of files") && !report.contains(KEY), "{report}");
}

/// Root may read everything: then the runner is started as somebody else.
fn without_rights(runner: Runner) -> Runner {
    if !geteuid().is_root() {
        return runner;
    }
    chown(runner.file(""), Some(65534), Some(65534)).unwrap();
    runner.before("exec setpriv --reuid=65534 --regid=65534 --clear-groups -- \"$0\" \"$@\"")
}

#[test]
fn a_directory_in_a_directory_is_left_out_where_it_cannot_be_read_unless_files_of_it_are_in_use() {
    let directory = |runner: &Runner| runner.file("conf.d/more");
    let allow = |runner: &Runner, mode| fs::set_permissions(directory(runner), Permissions::from_mode(mode)).unwrap();
    let with_directory = || {
        let runner = without_rights(ticking());
        fs::create_dir(directory(&runner)).unwrap();
        runner.write("conf.d/more/checks.json", &json!({"checks": {}}).to_string());
        allow(&runner, 0);
        runner
    };
    let examined = with_directory().argument("check-config");
    let (status, report) = examined.run();
    allow(&examined, 0o755);
    assert_eq!(status, Some(1), "{report}");
    assert!(report.contains(&format!("attention  {UNREADABLE}: /etc/sensu/conf.d/more")), "{report}");

    let runner = with_directory();
    let runner = runner.start();
    runner.results("tick", 1);
    assert_eq!(runner.message(UNREADABLE)["level"], "warn");
    allow(&runner, 0o755);
    reload(&runner, "reloaded configuration");
    allow(&runner, 0);
    reload(&runner, FAILED);
    let failure = runner.message("insufficient permissions for loading");
    assert_eq!((&failure["level"], &failure["directory"]), (&json!("error"), &json!(directory(&runner))));
    allow(&runner, 0o755);
    reload(&runner, "reloaded configuration");
}

#[test]
fn a_directory_that_may_be_listed_and_not_searched_is_none() {
    let runner = without_rights(ticking());
    let allow = |mode| fs::set_permissions(runner.file("conf.d"), Permissions::from_mode(mode)).unwrap();
    allow(0o444);
    let (status, log) = runner.run();
    allow(0o755);
    assert_eq!(status, Some(2), "{log}");
    assert!(log.contains("\"insufficient permissions for loading\",\"directory\":\"/etc/sensu/conf.d\""), "{log}");
}
