//! The local sockets of the real binary.
//!
//! Each runner listens on a loopback address of its own (all of 127.0.0.0/8 is the machine's), so that tests can use
//! sensu-client's ports beside each other.

mod golden;
mod life;
mod refused;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Runner;

const PLAIN: u16 = 3030;
const HTTP: u16 = 3031;
/// Far longer than an answer takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// An address that no other test of this or another process uses.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A runner whose client definition has these attributes, with sockets at its own address.
fn runner_with(mut client: Value) -> (Runner, Ipv4Addr) {
    let address = own_address();
    for socket in ["socket", "http_socket"] {
        if client[socket].is_null() {
            client[socket] = json!({});
        }
        client[socket]["bind"] = address.to_string().into();
    }
    client["name"] = "web-1".into();
    client["address"] = "127.0.0.1".into();
    let runner = Runner::new();
    runner.write("config.json", &json!({"client": client}).to_string());
    (runner, address)
}

fn connect(address: Ipv4Addr, port: u16) -> TcpStream {
    let stream = TcpStream::connect((address, port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Reads until the other side closes.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Sends a document and reads the answer.
fn tcp(address: Ipv4Addr, data: &[u8]) -> String {
    let mut stream = connect(address, PLAIN);
    stream.write_all(data).unwrap();
    String::from_utf8(rest(stream)).unwrap()
}

fn udp(address: Ipv4Addr, data: &[u8]) {
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(data, (address, PLAIN)).unwrap();
}

/// An answer, taken apart.
struct Answer {
    /// The code and its words.
    status: (u16, String),
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn response(&self) -> (u16, Value) {
        (self.status.0, self.json()["response"].clone())
    }
}

fn http(address: Ipv4Addr, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut stream = connect(address, HTTP);
    stream.write_all(&[request.as_bytes(), body].concat()).unwrap();
    answer(&rest(stream))
}

fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a header");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut status = lines.next().unwrap().splitn(3, ' ').skip(1);
    let code = status.next().unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into()));
    Answer {
        status: (code, status.next().unwrap().to_owned()),
        headers: headers.collect(),
        body: bytes[end + 4..].to_vec(),
    }
}

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

fn post(address: Ipv4Addr, body: &[u8]) -> Answer {
    http(address, "POST", "/results", &JSON, body)
}
