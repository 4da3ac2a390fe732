//! Opening, reloading and closing, and what goes on meanwhile.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{HTTP, PLAIN, connect, own_address, post, rest, runner_with, tcp};
use crate::harness::{Runner, until};

fn is_open(address: Ipv4Addr, port: u16) -> bool {
    TcpStream::connect((address, port)).is_ok()
}

fn count(lines: &[Value], message: &str) -> usize {
    lines.iter().filter(|line| line["message"] == message).count()
}

#[test]
fn checks_run_without_a_socket_that_is_taken_and_it_is_bound_when_it_is_free() {
    let (runner, address) = runner_with(json!({}));
    runner.checks(json!({"a": {"standalone": true, "interval": 1, "command": "true"}}));
    let taken = TcpListener::bind((address, PLAIN)).unwrap();
    let runner = runner.start();
    let told = runner.message("could not bind client socket, checks run without it while it is tried again");
    assert_eq!((&told["level"], &told["socket"]), (&json!("error"), &json!("tcp")));
    assert_eq!(told["address"], format!("{address}:3030"));
    assert!(told["error"].as_str().unwrap().contains("in use"), "{told}");
    assert!(told["advice"].as_str().unwrap().contains("client.socket"), "{told}");
    runner.results("a", 1);
    drop(taken);
    assert_eq!(runner.message("client socket is bound now")["socket"], "tcp");
    assert_eq!(tcp(address, b"ping"), "pong");
    assert_eq!(post(address, b"[]").status.0, 202, "the others were not concerned");
}

#[test]
fn disabled_sockets_are_told_and_not_opened() {
    let disabled = json!({"enabled": false});
    let (runner, address) = runner_with(json!({"socket": disabled, "http_socket": disabled}));
    let runner = runner.start();
    let told = runner.message("client tcp/udp socket disabled per configuration");
    assert_eq!(told["level"], "info");
    runner.message("client http socket disabled per configuration");
    assert!(!is_open(address, PLAIN) && !is_open(address, HTTP));
}

fn write(runner: &Runner, client: &Value) {
    let named = json!({"name": "web-1", "address": "127.0.0.1"});
    let mut config = json!({"client": named});
    config["client"].as_object_mut().unwrap().extend(client.as_object().unwrap().clone());
    runner.write("config.json", &config.to_string());
}

#[test]
fn a_reload_binds_anew_only_what_has_changed() {
    let (before, after) = (own_address(), own_address());
    let runner = Runner::new().argument("-L").argument("debug");
    let at = |plain: Ipv4Addr, owner: &str| {
        json!({"socket": {"bind": plain.to_string()}, "signature": owner,
        "http_socket": {"bind": before.to_string()}})
    };
    write(&runner, &at(before, "one"));
    let runner = runner.start();
    until("the sockets", || (is_open(before, PLAIN) && is_open(before, HTTP)).then_some(()));
    // Unchanged settings keep the sockets, and a connection on them.
    let mut kept = connect(before, HTTP);
    write(&runner, &at(before, "two"));
    runner.signal(Signal::SIGHUP);
    runner.message("reloaded configuration");
    kept.write_all(b"GET /info HTTP/1.1\r\n\r\n").unwrap();
    assert!(rest(kept).starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert_eq!(post(before, b"{\"name\":\"a\",\"output\":\"x\"}").status.0, 202);
    let signed =
        runner.wait("the result", |lines| lines.iter().find_map(|line| line.pointer("/payload/signature").cloned()));
    assert_eq!(signed, "two");
    let lines = runner.lines_of("log");
    assert_eq!(count(&lines, "binding client tcp and udp sockets"), 1);

    write(&runner, &at(after, "two"));
    runner.signal(Signal::SIGHUP);
    until("the new address", || is_open(after, PLAIN).then_some(()));
    assert_eq!(tcp(after, b"ping"), "pong");
    until("the old address is left", || (!is_open(before, PLAIN)).then_some(()));
    let lines = runner.lines_of("log");
    assert_eq!(count(&lines, "binding client tcp and udp sockets"), 2);
    assert_eq!(count(&lines, "binding client http socket"), 1);
    assert!(is_open(before, HTTP));
}

#[test]
fn a_stop_closes_the_sockets_after_the_checks_and_ends_what_is_open() {
    let (runner, address) = runner_with(json!({}));
    let started = runner.file("started");
    let command = format!("touch {}; sleep 0.7; echo done", started.display());
    runner.checks(json!({"slow": {"standalone": true, "interval": 1, "command": command}}));
    let mut runner = runner.start();
    until("a check is under way", || started.exists().then_some(()));
    let silent = connect(address, PLAIN);
    runner.signal(Signal::SIGTERM);
    runner.message("completing checks in progress");
    assert_eq!(tcp(address, b"{\"name\":\"late\",\"output\":\"x\"}"), "ok");
    assert_eq!(runner.exit().code(), Some(0));
    assert_eq!(rest(silent), b"");
    let lines = runner.lines_of("log");
    let tail: Vec<&Value> = lines.iter().rev().take(2).map(|line| &line["message"]).collect();
    assert_eq!(tail, ["stopping reactor", "closing client sockets"]);
}

#[test]
fn checks_do_not_inherit_the_sockets() {
    let (runner, address) = runner_with(json!({}));
    runner.checks(json!({"fds": {"standalone": true, "interval": 1,
        "command": "for fd in /proc/self/fd/*; do readlink $fd; done | grep -c socket:"}}));
    let runner = runner.start();
    until("the sockets", || is_open(address, HTTP).then_some(()));
    let open = connect(address, PLAIN);
    let result = runner.results("fds", 2).pop().unwrap();
    assert_eq!(result["output"], "0\n");
    drop(open);
}

#[test]
fn more_connections_than_there_are_slots_wait_their_turn() {
    let (runner, address) = runner_with(json!({}));
    let runner = runner.start();
    until("the sockets", || is_open(address, PLAIN).then_some(()));
    let idle: Vec<TcpStream> = (0..150).map(|_| connect(address, PLAIN)).collect();
    runner.message("client socket has all the connections it takes, further ones wait");
    let mut waiting = connect(address, PLAIN);
    waiting.write_all(b"{\"name\":\"patient\",\"output\":\"x\"}").unwrap();
    drop(idle);
    assert_eq!(rest(waiting), b"ok");
    let lines = runner.lines_of("log");
    assert_eq!(count(&lines, "client socket has all the connections it takes, further ones wait"), 1);
}
