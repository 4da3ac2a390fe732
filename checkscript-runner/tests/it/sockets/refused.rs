//! Bad input, by every way in.

use std::fs;
use std::io::{Read, Write};

use check_result::log::Line;
use serde_json::{Value, json};

use super::{HTTP, JSON, PLAIN, answer, connect, http, post, rest, runner_with, tcp, udp};
use crate::harness::{Runner, results_of};

fn started() -> (Runner, std::net::Ipv4Addr) {
    let (runner, address) = runner_with(json!({"http_socket": {"user": "ops", "password": "s3"}}));
    let runner = runner.argument("-L").argument("debug").start();
    // Logged before the sockets are bound; the first connection waits for that.
    runner.message("binding client http socket");
    crate::harness::until("the sockets", || std::net::TcpStream::connect((address, HTTP)).ok());
    (runner, address)
}

/// A33, A35: what is no UTF-8 is taken with a warning.
#[test]
fn documents_that_are_no_results_by_tcp() {
    let (runner, address) = started();
    for (data, reply) in [
        (&b"[]"[..], "ok"),
        (b"null", "invalid"),
        (b"\"text\"", "invalid"),
        (b"[1]", "invalid"),
        (b"{}", "invalid"),
        (b"{\"name\":\"a\",\"output\":\"x\",\"source\":\"\"}", "invalid"),
        (b"{\"name\":\"a\",\"output\":\"\xff\xfe\"}", "ok"),
        (b"}", "invalid"),
        (&[0; 100], "invalid"),
    ] {
        assert_eq!(tcp(address, data), reply, "{}", String::from_utf8_lossy(data));
    }
    let result = &runner.results("a", 1)[0];
    assert_eq!(result["output"], "\u{fffd}\u{fffd}");
    runner.message("data from socket is not a valid UTF-8 sequence, processing it anyways");
}

/// A38.
#[test]
fn a_bad_datagram_does_not_harm_the_next() {
    let (runner, address) = started();
    udp(address, b"{\"partial\":");
    udp(address, &[b'['; 60_000]);
    udp(address, b"");
    udp(address, b"{\"name\":\"good\",\"output\":\"x\"}");
    assert_eq!(runner.results("good", 1).len(), 1);
    let lines = runner.lines_of("log");
    let refused: Vec<&Value> =
        lines.iter().filter(|line| line["message"] == "failed to process check result from socket").collect();
    assert_eq!(refused.len(), 3);
    assert_eq!(refused[2]["error"], "check must be a hash");
}

#[test]
fn an_oversized_document_is_refused_by_tcp_and_http() {
    let (runner, address) = started();
    let long = [&b"{\"name\":\"long\",\"output\":\""[..], &vec![b'x'; 3 << 20], b"\"}"].concat();
    let mut stream = connect(address, PLAIN);
    // The runner may close before all is sent; its answer is there all the same.
    stream.write_all(&long).ok();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"invalid");
    let mut stream = connect(address, HTTP);
    let head =
        format!("POST /results HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", long.len());
    stream.write_all(&[head.as_bytes(), &long].concat()).ok();
    assert_eq!(answer(&rest(stream)).response(), (413, json!("check result is larger than 2097152 bytes")));
    assert!(results_of(&runner.lines_of("log"), "long").is_empty());
    let megabyte = [&b"{\"name\":\"mega\",\"output\":\""[..], &vec![b'x'; 1 << 20], b"\"}"].concat();
    assert_eq!(tcp(address, &megabyte), "ok");
    assert_eq!(post(address, &megabyte).status.0, 202);
}

#[test]
fn invalid_results_by_http_are_the_senders_fault() {
    let (runner, address) = started();
    let name = "check name cannot contain spaces or special characters";
    for (body, status, text) in [
        (&b"{\"name\":\"a b\",\"output\":\"x\"}"[..], 400, name),
        (b"42", 400, "check must be a hash"),
        (b"[{\"name\":\"first\",\"output\":\"\"},{\"name\":\"\",\"output\":\"\"}]", 400, name),
        (b"{\"a\":", 400, "Failed to parse JSON body"),
    ] {
        assert_eq!(post(address, body).response(), (status, json!(text)));
    }
    assert_eq!(runner.results("first", 1).len(), 1);
    let logged = runner.message("http socket error while processing request");
    assert_eq!((&logged["level"], &logged["error"]), (&json!("error"), &json!(name)));
}

#[test]
fn two_lengths_are_no_request_and_harm_nobody() {
    let (runner, address) = started();
    let mut stream = connect(address, HTTP);
    let request =
        "POST /results HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]";
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(answer(&rest(stream)).status.0, 400);
    assert_eq!(post(address, b"[]").status, (202, "OK".to_owned()));
    runner.message("http socket error while processing request");
}

#[test]
fn paths_and_methods_as_sensu_client_routes_them() {
    let (_runner, address) = started();
    assert_eq!(http(address, "GET", "/info?x=1", &[], b"").status.0, 200);
    assert_eq!(http(address, "HEAD", "/info", &[], b"").status.0, 405);
    assert_eq!(http(address, "GET", "/info/", &[], b"").status.0, 404);
    assert_eq!(http(address, "GET", "/", &[], b"").json()["endpoints"].as_object().unwrap().len(), 4);
    assert_eq!(http(address, "POST", "/results", &[], b"[]").status.0, 415);
    assert_eq!(http(address, "POST", "/results", &JSON, b"").status.0, 400);
}

/// A page of a browser on this machine may send plain text to anybody without being asked for.
#[test]
fn what_only_names_json_in_a_parameter_is_no_json() {
    let (runner, address) = started();
    let body = b"{\"name\":\"page\",\"output\":\"x\"}";
    let sent = |content_type| http(address, "POST", "/results", &[("Content-Type", content_type)], body).status.0;
    for foreign in [
        "text/plain;a=application/json",
        "text/plain; application/json",
        "multipart/form-data;a=application/json",
        "x-application/jsonfoo",
        "application/json-seq",
        "application/json, text/plain",
    ] {
        assert_eq!(sent(foreign), 415, "{foreign}");
    }
    assert!(results_of(&runner.lines_of("log"), "page").is_empty());
    for own in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x"] {
        assert_eq!(sent(own), 202, "{own}");
    }
    assert_eq!(runner.results("page", 3).len(), 3);
}

/// With an attribute of as many empty arrays, which take as much memory as any other.
fn result_of(name: &str, arrays: usize) -> String {
    format!("{{\"name\":\"{name}\",\"output\":\"\",\"x\":[{}[]]}}", "[],".repeat(arrays - 1))
}

#[test]
fn a_result_of_very_many_values_is_refused_and_never_logged() {
    let (runner, address) = started();
    let one = "check must not have more than 10000 JSON values";
    let all = "check results must not have more than 100000 JSON values together: send fewer at a time";
    for (values, status, reason) in [(5_100, 400, one), (500_000, 413, all)] {
        let many = result_of("many", values);
        assert_eq!(tcp(address, many.as_bytes()), "invalid");
        assert_eq!(post(address, many.as_bytes()).response(), (status, json!(reason)));
        let lines = runner.lines_of("log");
        let logged: Vec<_> =
            lines.iter().filter(|line| line["message"] == "failed to process check result from socket").collect();
        assert_eq!(logged.last().map(|line| (&line["level"], &line["error"])), Some((&json!("error"), &json!(reason))));
    }
    assert!(results_of(&runner.lines_of("log"), "many").is_empty());
    let most = result_of("most", 4_990);
    assert_eq!(tcp(address, most.as_bytes()), "ok");
    runner.results("most", 1);
    let log = fs::read(runner.file("log")).unwrap();
    let read =
        |line: &[u8]| matches!(check_result::log::read_line(line), Line::Result(read) if read.result.name() == "most");
    assert!(log.split(|byte| *byte == b'\n').any(read), "what the runner takes its readers take");
}

/// A42.
#[test]
fn protect_all_endpoints_guards_info_and_results() {
    let options = json!({"user": "ops", "password": "s3", "protect_all_endpoints": true});
    let (runner, address) = runner_with(json!({"http_socket": options}));
    let runner = runner.start();
    crate::harness::until("the socket", || std::net::TcpStream::connect((address, HTTP)).ok());
    let right = ("Authorization", "Basic b3BzOnMz");
    assert_eq!(http(address, "GET", "/info", &[], b"").status.0, 401);
    assert_eq!(http(address, "GET", "/info", &[right], b"").status.0, 200);
    let body = b"{\"name\":\"a\",\"output\":\"x\"}";
    assert_eq!(post(address, body).status.0, 401);
    assert_eq!(http(address, "POST", "/results", &[JSON[0], right], body).status.0, 202);
    assert_eq!(http(address, "GET", "/brew", &[], b"").status.0, 418);
    assert_eq!(runner.results("a", 1).len(), 1);
    runner.message("http socket refusing to serve unauthorized request");
}

#[test]
fn without_a_password_settings_are_never_shown() {
    let (runner, address) = runner_with(json!({}));
    let _runner = runner.start();
    crate::harness::until("the socket", || std::net::TcpStream::connect((address, HTTP)).ok());
    assert_eq!(http(address, "GET", "/settings", &[("Authorization", "Basic Og==")], b"").status.0, 401);
}
