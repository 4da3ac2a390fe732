//! The program from outside.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } =
        Command::new(env!("CARGO_BIN_EXE_alertmanager-proxy")).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_config_that_cannot_be_used_ends_it_with_every_failure() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("bad.yml");
    std::fs::write(&file, "alertmanagers: [{url: am}]\nhold: soon\n").unwrap();
    let web = directory.path().join("web.yml");
    std::fs::write(&web, "basic_auth_user: {}\nbasic_auth_users: []\n").unwrap();
    let (file, web) = (file.to_str().unwrap(), web.to_str().unwrap());
    let (code, told) = run(&["--config.file", file, "--web.config.file", web]);
    assert_eq!(code, Some(2), "{told}");
    for failure in ["1: basic_auth_user: unknown field", "2: basic_auth_users: a mapping is expected"] {
        assert!(told.contains(&format!("{web}:{failure}")), "{told}");
    }
    for failure in ["1: alertmanagers[0].url: `am` is not a URL", "2: hold: `soon`"] {
        assert!(told.contains(&format!("{file}:{failure}")), "{told}");
    }
}

#[test]
fn a_missing_config_ends_it() {
    let (code, told) = run(&["--config.file", "/nowhere/proxy.yml"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("/nowhere/proxy.yml: cannot be read: No such file"), "{told}");
    let (code, told) = run(&[]);
    assert_eq!(code, Some(2));
    assert!(told.contains("--config.file <FILE>"), "{told}");
}
