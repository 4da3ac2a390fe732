//! What the real sensu-client was sent (`p05/timeline.json`), sent again: the same replies, the same log.
//!
//! Everything is compared but times, and what is listed here as [`mended`] on sensu-client's side.

use std::io::Write;
use std::net::Ipv4Addr;

use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};

use super::{Answer, connect, http, rest, udp};
use crate::harness::{Runner, fixture, read};

/// Messages of the sockets.
const COMPARED: [&str; 9] = [
    "binding client",
    "socket received",
    "data from socket",
    "failed to process check result",
    "discarding data buffer",
    "http socket",
    "publishing check result",
    "closing client sockets",
    "stopping reactor",
];

/// A30, A34, A38, A40, A41.
#[test]
fn everything_is_answered_and_logged_as_sensu_client_does_at_info() {
    replay("info");
}

/// A35, A39.
#[test]
fn everything_is_answered_and_logged_as_sensu_client_does_at_debug() {
    replay("debug");
}

fn replay(level: &str) {
    let address = super::own_address();
    let mut runner = Runner::new();
    let config = read(&fixture("p05/config.json"));
    let (start, end) = config.split_once("\"s3same\"").unwrap();
    // In the place that sensu-client gives to the default.
    let config = format!("{start}\"s3same\", \"bind\": \"{address}\" }}, \"socket\": {{\"bind\": \"{address}\"{end}");
    runner.write("config.json", &config);
    runner.write("conf.d/checks.json", &read(&fixture("p05/checks.json")));
    runner = runner.argument("-L").argument(level).start();
    runner.message("configuring sensu spawn");
    until_listening(address);
    for event in events(level) {
        if let Some(pieces) = event["tcp"].as_str() {
            assert_eq!(tcp(&runner, address, pieces, level), event["reply"], "{event}");
        } else if let Some(data) = event["udp"].as_str() {
            send_datagram(&runner, address, &bytes(data), level);
        } else if event["http"].is_array() {
            compare(&request(address, &event["http"]), &event, address);
        }
    }
    runner.signal(Signal::SIGTERM);
    assert_eq!(runner.exit().code(), Some(0));
    let log = read(&fixture(&format!("p05/log/{level}.log")));
    let golden: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let want: Vec<String> = golden.iter().filter(|line| is_compared(line)).filter_map(mended).collect();
    let got: Vec<String> =
        runner.lines_of("log").iter().filter(|line| is_compared(line)).map(|line| masked(line, address)).collect();
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(got, want);
    }
    assert_eq!(got.len(), want.len());
}

/// The sockets are bound soon after the start; nothing in the log of level info says when.
fn until_listening(address: Ipv4Addr) {
    for port in [super::PLAIN, super::HTTP] {
        crate::harness::until("the sockets", || std::net::TcpStream::connect((address, port)).ok());
    }
}

/// What was done in the run at the level.
fn events(level: &str) -> Vec<Value> {
    let timeline: Vec<Value> = serde_json::from_str(&read(&fixture("p05/timeline.json"))).unwrap();
    let done = timeline.into_iter().map(|event| event["did"].clone());
    let done = done.skip_while(|event| *event != json!(format!("--- run at {level}")));
    done.skip(1).take_while(|event| *event != "sent SIGTERM").filter(Value::is_object).collect()
}

/// The timeline shows bytes as characters of Latin-1.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

fn tcp(runner: &Runner, address: Ipv4Addr, pieces: &str, level: &str) -> String {
    let mut stream = connect(address, super::PLAIN);
    let pieces: Vec<Vec<u8>> = pieces.split('|').map(bytes).collect();
    let (last, first) = pieces.split_last().unwrap();
    for piece in first {
        let before = received(runner);
        stream.write_all(piece).unwrap();
        // Or two pieces would arrive as one.
        if level == "debug" {
            runner.wait("the piece", |_| (received(runner) > before).then_some(()));
        }
    }
    stream.write_all(last).unwrap();
    String::from_utf8(rest(stream)).unwrap()
}

fn received(runner: &Runner) -> usize {
    let lines = runner.lines_of("log");
    lines.iter().filter(|line| line["message"] == "socket received data").count()
}

/// Nobody answers, so the log tells when it has come.
fn send_datagram(runner: &Runner, address: Ipv4Addr, data: &[u8], level: &str) {
    let before = runner.lines_of("log").len();
    udp(address, data);
    if data != b"ping" || level == "debug" {
        runner.wait("the datagram", |lines| (lines.len() > before && about_udp(lines)).then_some(()));
    }
}

/// The last line may also be a check's, which says nothing.
fn about_udp(lines: &[Value]) -> bool {
    let last = lines.iter().rfind(|line| line.pointer("/payload/check/name") != Some(&json!("sock-base"))).unwrap();
    let message = last["message"].as_str().unwrap();
    message.starts_with("failed to process") || message == "publishing check result" || message.ends_with("ping")
}

fn request(address: Ipv4Addr, request: &Value) -> Answer {
    let text = |index: usize| request[index].as_str().unwrap();
    let headers = request[3].as_object().unwrap();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    http(address, text(0), text(1), &headers, &bytes(text(2)))
}

fn compare(got: &Answer, event: &Value, address: Ipv4Addr) {
    let want = String::from_utf8(bytes(event["body"].as_str().unwrap())).unwrap();
    let want: Value = serde_json::from_str(&want).unwrap();
    assert_eq!(got.header("Content-Length").unwrap(), got.body.len().to_string(), "{event}");
    assert_eq!(got.header("Content-Type").unwrap(), "application/json", "{event}");
    assert_eq!(got.header("WWW-Authenticate"), event["headers"]["WWW-Authenticate"].as_str(), "{event}");
    let target = event["http"][1].as_str().unwrap();
    // As text, so that the order of keys counts.
    if event["status"] == 500 {
        let reason = "{\"response\":\"check name cannot contain spaces or special characters\"}";
        assert_eq!((got.status.0, got.json().to_string().as_str()), (400, reason));
        return;
    }
    assert_eq!((got.status.0, got.status.1.as_str()), (event["status"].as_u64().unwrap() as u16, reason(event)));
    if target == "/info" && got.status.0 == 200 {
        assert_eq!(got.json()["sensu"], want["sensu"]);
        assert_eq!(got.json()["transport"]["connected"], true);
    } else if target.starts_with("/settings") && got.status.0 == 200 {
        assert_eq!(settings(&got.json(), address), settings(&want, address));
    } else {
        assert_eq!(got.json().to_string(), want.to_string(), "{event}");
    }
}

fn reason(event: &Value) -> &str {
    event["reason"].as_str().unwrap()
}

/// Without what differs by the test or the machine: the address, the number of processors.
fn settings(settings: &Value, address: Ipv4Addr) -> String {
    let mut settings = settings.clone();
    settings["client"].as_object_mut().unwrap().shift_remove("socket");
    settings["sensu"]["spawn"]["limit"] = "machine".into();
    settings.to_string().replace(&address.to_string(), "127.0.0.1")
}

fn is_compared(line: &Value) -> bool {
    let message = line["message"].as_str().unwrap();
    COMPARED.iter().any(|compared| message.starts_with(compared))
        && line.pointer("/payload/check/name") != Some(&json!("sock-base"))
}

/// A line of ours without times and addresses.
fn masked(line: &Value, address: Ipv4Addr) -> String {
    let mut line = line.as_object().unwrap().clone();
    mask(&mut line);
    for key in ["error", "parse_error"] {
        if line.get(key).and_then(Value::as_str).is_some_and(|text| text.contains(" at line ")) {
            line[key] = "syntax".into();
        }
    }
    Value::Object(line).to_string().replace(&address.to_string(), "127.0.0.1")
}

/// sensu-client's line as it is here, if there is one.
fn mended(line: &Value) -> Option<String> {
    let mut line = line.as_object().unwrap().clone();
    mask(&mut line);
    // Each ping leaves its watchdog behind.
    if line["message"] == "discarding data buffer for sender and closing connection" && line["data"] == "" {
        return None;
    }
    // The parser's words, and Ruby's where a document is no object.
    for key in ["error", "parse_error"] {
        match line.get(key).and_then(Value::as_str) {
            Some(text) if text.contains("[parse.c:") => line[key] = "syntax".into(),
            Some("no implicit conversion of Symbol into Integer") => line[key] = "check must be a hash".into(),
            _ => (),
        }
    }
    line.shift_remove("backtrace");
    if line.get("status") == Some(&json!(500)) {
        line["status"] = 400.into();
        line["status_string"] = "Bad Request".into();
        line["content"] = json!({"response": "check name cannot contain spaces or special characters"});
    }
    // No secrets in the log.
    if let Some(password) = line.get_mut("options").and_then(|options| options.get_mut("password")) {
        *password = "REDACTED".into();
    }
    Some(Value::Object(line).to_string())
}

/// Takes out what differs from run to run; contents that [`compare`] looks at too.
fn mask(line: &mut Map<String, Value>) {
    line["timestamp"] = "time".into();
    for time in ["/payload/check/issued", "/payload/check/executed"] {
        if let Some(time) = line.get_mut("payload").and_then(|payload| payload.pointer_mut(&time[8..])) {
            *time = "time".into();
        }
    }
    if let Some(content) = line.get_mut("content")
        && (content.get("sensu").is_some() || content.get("transport").is_some())
    {
        *content = "compared as an answer".into();
    }
}
