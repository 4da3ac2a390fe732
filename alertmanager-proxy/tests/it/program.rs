//! The program from outside.

use std::process::{Command, Output};

use serde_json::json;

use crate::alertmanager::Alertmanager;
use crate::world::{Proxy, closed_port, config};

/// The exit code, and what was told on standard error and standard output.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, stdout } =
        Command::new(env!("CARGO_BIN_EXE_alertmanager-proxy")).args(arguments).output().unwrap();
    (status.code(), String::from_utf8([stderr, stdout].concat()).unwrap())
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

#[test]
fn check_config_tells_every_failure() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("bad.yml");
    std::fs::write(&file, "alertmanagers: [{url: am}]\nhold: soon\nannotations: {a: '{{'}\n").unwrap();
    let (code, told) = run(&["check-config", file.to_str().unwrap()]);
    let lines: Vec<_> = told.lines().map(|line| line.strip_prefix(file.to_str().unwrap()).unwrap()).collect();
    assert_eq!((code, lines.len()), (Some(1), 3), "{told}");
    for (line, says) in
        lines.iter().zip([":1: alertmanagers[0].url: ", ":2: hold: ", ":3: annotations.a: not a template"])
    {
        assert!(line.starts_with(says), "{told}");
    }
    assert_eq!(run(&["check-config", "/nowhere/x.yml"]).0, Some(1));
    assert_eq!(run(&["check-config"]).0, Some(2));
}

#[test]
fn check_config_tells_where_credentials_go_to_others_than_nodes() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("proxy.yml");
    let source = "match: {job: checkscript}, url: 'http://{{ labels.instance }}/', allow: [10.0.0.1]";
    let credentials = "basic_auth: {username: me, password: secret}";
    let sources = [
        source.to_owned(),
        format!("{source}, {credentials}"),
        format!("{source}, {credentials}, allow_ports: [9780]"),
        format!("{source}, {credentials}, allow_ports: [9780]").replace("job: checkscript", "check: '.+'"),
        format!("{source}, {credentials}, allow_ports: [9780]").replace("job: checkscript", "job: '.+'"),
        source.replace("job: checkscript", ""),
    ];
    let sources: Vec<_> = sources.iter().map(|source| format!("  - {{{source}}}\n")).collect();
    let text = format!("alertmanagers: [{{url: 'http://127.0.0.1:1'}}]\nsources:\n{}", sources.concat());
    std::fs::write(&file, text).unwrap();
    let (code, told) = run(&["check-config", file.to_str().unwrap()]);
    let warnings: Vec<_> = told.lines().filter(|line| line.contains("WARNING")).collect();
    assert_eq!((code, warnings.len()), (Some(0), 3), "{told}");
    assert!(warnings[0].starts_with("sources[1]: WARNING: its credentials go to any port"), "{told}");
    for (index, warning) in [3, 4].into_iter().zip(&warnings[1..]) {
        let says = format!("sources[{index}]: WARNING: its credentials go to whatever any job scrapes");
        assert!(warning.starts_with(&says), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_asks_alertmanagers_for_their_group_wait() {
    let (fine, short, down) = (Alertmanager::start().await, Alertmanager::start().await, closed_port().await);
    short.configure("route: {receiver: mail, routes: [{group_wait: 1s}, {receiver: pager, group_wait: 5m}]}");
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("proxy.yml");
    std::fs::write(&file, config(&[fine.address, short.address, down], "")).unwrap();
    let (code, told) =
        tokio::task::spawn_blocking(move || run(&["check-config", file.to_str().unwrap()])).await.unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!((code, lines.len()), (Some(0), 4), "{told}");
    assert!(lines[0].ends_with("proxy.yml: valid; Alertmanagers: 3, sources: 1"), "{told}");
    assert_eq!(lines[1], format!("http://{}: every group_wait is longer than the hold", fine.address));
    let says =
        "WARNING: route.routes[0] (receiver mail) has a group_wait of 1s, which must be longer than the hold of 3s";
    assert!(lines[2].starts_with(&format!("http://{}: {says}", short.address)), "{told}");
    assert!(lines[3].contains("not known: Connection refused"), "{told}");
}

#[tokio::test]
async fn a_hold_that_group_wait_does_not_cover_is_shown() {
    let alertmanager = Alertmanager::start().await;
    alertmanager.configure("route: {receiver: mail, routes: [{group_wait: 1s}, {group_wait: 5s}]}");
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let series =
        format!("alertmanager_proxy_short_group_wait_routes{{alertmanager=\"http://{}\"}}", alertmanager.address);
    proxy.until_metric(&series, 1.0).await;
    proxy.configure(&config(&[alertmanager.address], "hold: 6s"));
    assert_eq!(proxy.client.post(proxy.url("/-/reload")).json(&json!({})).send().await.unwrap().status(), 200);
    proxy.until_metric(&series, 2.0).await;
}
