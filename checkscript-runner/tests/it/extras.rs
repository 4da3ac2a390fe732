//! What sensu-client does not know, for those who ask for it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use checkscript_runner::definitions::{Attribute, Features};
use serde_json::{Value, json};

use crate::bench::{Bench, run};
use crate::harness::Runner;

async fn run_with(attribute: Attribute, definition: Value) -> Value {
    run_with_all(vec![attribute], definition).await
}

async fn run_with_all(attributes: Vec<Attribute>, definition: Value) -> Value {
    let features = Features { attributes, ..Features::default() };
    let mut bench = Bench::with(json!({"checks": {"one": definition}}), features);
    bench.start("one");
    bench.result().await
}

#[tokio::test]
async fn attributes_of_these_names_are_only_passed_on_unless_asked_for() {
    let definition = json!({
        "command": "echo \"[$COLOUR]\"; exit 4", "env": {"COLOUR": "red"}, "user": 5, "exit_map": "none", "timezone": [],
    });
    let result = run(definition).await;
    assert_eq!((&result["output"], &result["status"]), (&json!("[]\n"), &json!(4)));
    assert_eq!((&result["env"], &result["user"]), (&json!({"COLOUR": "red"}), &json!(5)));
}

#[tokio::test]
async fn env_is_given_to_the_command_and_its_hook() {
    let definition = json!({
        "command": "echo \"$COLOUR $WHERE\"; exit 1", "env": {"COLOUR": "dark red", "WHERE": ":::name:::"},
        "note": ":::name:::",
        "hooks": {"non-zero": {"command": "echo $COLOUR"}},
    });
    let result = run_with(Attribute::Env, definition).await;
    assert_eq!(result["output"], "dark red web-1\n");
    assert_eq!(result["hooks"]["non-zero"]["output"], "dark red\n");
    assert_eq!(result["env"]["WHERE"], ":::name:::", "what the token stands for may be secret");
    assert_eq!(result["note"], "web-1");
}

#[tokio::test]
async fn exit_map_replaces_the_status_and_keeps_the_commands_own() {
    let definition =
        json!({"command": "exit 4", "exit_map": {"4": 2}, "hooks": {"critical": {"command": "echo hook"}}});
    let result = run_with(Attribute::ExitMap, definition).await;
    assert_eq!((&result["status"], &result["exit_status"]), (&json!(2), &json!(4)));
    assert_eq!(result["hooks"]["critical"]["output"], "hook\n", "what is published chooses the hook");
    let plain = run_with(Attribute::ExitMap, json!({"command": "exit 1", "exit_map": {"4": 2}})).await;
    assert_eq!((&plain["status"], plain.get("exit_status")), (&json!(1), None));
    let late = run_with(Attribute::ExitMap, json!({"command": "sleep 9", "timeout": 0.1, "exit_map": {"2": 0}})).await;
    assert_eq!(late["status"], 2, "a timeout is not the command's own status");
}

#[tokio::test]
async fn a_command_runs_as_its_user() {
    // Whoever runs this is a user too; root can be somebody else.
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap();
    let user = if own.uid.is_root() { "nobody" } else { &own.name };
    let result = run_with(Attribute::User, json!({"command": "id -un", "user": user})).await;
    assert_eq!(result["output"], format!("{user}\n"));
}

/// The variables of a definition, which its user may make into code by what lies where they point to.
#[tokio::test]
async fn what_has_the_runners_rights_does_not_have_the_definitions_variables() {
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap();
    let user = if own.uid.is_root() { "nobody" } else { &own.name };
    let user = nix::unistd::User::from_name(user).unwrap().unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let awkward = "a b  $(c) `d` \" ' \\ \n é *";
    let result = run_with_all(vec![Attribute::User, Attribute::Env], json!({
        "command": "printf %s \"$LD_LIBRARY_PATH|$AWKWARD|$EMPTY|$HOME|$PATH\"; env | grep -c ^CHECKSCRIPT_ENV_; exit 3",
        "user": user.name,
        "env": {
            "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": directory.path().join("trace"), "LD_LIBRARY_PATH": "/home/oracle/lib",
            "AWKWARD": awkward, "EMPTY": "", "HOME": "/elsewhere", "PATH": "/usr/bin:/bin", "CHECKSCRIPT_RUN": "another's",
        },
    })).await;
    let want = format!("/home/oracle/lib|{awkward}||/elsewhere|/usr/bin:/bin0\n");
    assert_eq!((&result["output"], &result["status"]), (&json!(want), &json!(3)));
    // The loader has written down whose code it ran under which name: as root it would be root's file.
    let traces: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|trace| trace.unwrap()).collect();
    assert!(!traces.is_empty(), "the command has the variables");
    for trace in traces {
        assert_eq!(trace.metadata().unwrap().uid(), user.uid.as_raw());
        let text = fs::read_to_string(trace.path()).unwrap();
        assert!(!text.contains("setpriv"), "{text}");
    }
}

/// On the way to another user a variable has a name that may be that of another one.
#[tokio::test]
async fn each_variable_has_its_own_value_whatever_they_are_called() {
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap();
    let user = if own.uid.is_root() { "nobody" } else { &own.name };
    let (short, long, longer) = ("X", "CHECKSCRIPT_ENV_X", "CHECKSCRIPT_ENV_CHECKSCRIPT_ENV_X");
    for names in [[short, long, longer], [longer, long, short], [long, short, longer]] {
        let result = run_with_all(vec![Attribute::User, Attribute::Env], json!({
            "command": "echo $X $CHECKSCRIPT_ENV_X $CHECKSCRIPT_ENV_CHECKSCRIPT_ENV_X; env | grep -c ^CHECKSCRIPT_ENV_",
            "user": user,
            "env": names.map(|name| (name, name.len().to_string())).into_iter().collect::<indexmap::IndexMap<_, _>>(),
        })).await;
        assert_eq!(result["output"], "1 17 33\n2\n", "{names:?}");
    }
}

#[tokio::test]
async fn checks_without_a_timeout_get_the_default_one() {
    let features = Features { default_timeout: Some(0.1), ..Features::default() };
    let checks = json!({"none": {"command": "sleep 1000"}, "zero": {"command": "echo fine", "timeout": 0}});
    let mut bench = Bench::with(json!({"checks": checks}), features);
    bench.start("none");
    let result = bench.result().await;
    assert_eq!((&result["output"], result.get("timeout")), (&json!("Execution timed out"), None));
    bench.start("zero");
    assert_eq!(bench.result().await["output"], "fine\n");
}

#[test]
fn what_is_asked_for_is_validated_and_else_not() {
    let checks = json!({"a": {
        "standalone": true, "interval": 60, "command": "true",
        "env": {"1X": "a", "OK": 5, "UID": "0"}, "user": "no such user", "exit_map": {"256": 1, "4": -1}, "timezone": "Tokyo",
    }});
    let names = "--enable_attributes=env,user,exit_map,timezone";
    let (status, log) = Runner::with_checks(checks.clone()).argument(names).run();
    assert_eq!(status, Some(2));
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let fatal: Vec<Value> = lines.filter(|line| line["level"] == "fatal").map(|line| line["message"].clone()).collect();
    let want = [
        "check env names must be letters, digits and underscores, no digit first",
        "check env values must each be a string",
        "check env names must not be of those that a shell has for itself (BASHOPTS, BASH_VERSINFO, EUID, OPTIND, PPID, SHELLOPTS, UID)",
        "check user must be a user of this machine",
        "check exit_map keys must each be an exit status",
        "check exit_map values must each be a status between 0 and 255",
        "check timezone must be a name of the IANA time zone database",
        "SENSU NOT RUNNING!",
    ];
    assert_eq!(fatal, want);
    assert_eq!(Runner::with_checks(checks).argument("--validate_config").run().0, Some(0));
}
