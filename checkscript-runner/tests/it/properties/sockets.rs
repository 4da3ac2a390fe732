//! What applications push to the sockets.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use check_result::log::{Line, read_line, write_result};
use check_result::{CheckResult, Object};
use checkscript_runner::definitions::{Client, Definitions};
use checkscript_runner::notice::{Notice, Sink};
use checkscript_runner::sockets::Sockets;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Zoned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PLAIN: u16 = 3030;
const HTTP: u16 = 3031;
/// `ops:secret`, which base64 writes in this way and no other.
const RIGHT: &[u8] = b"b3BzOnNlY3JldA==";

/// Keeps what is published.
#[derive(Default)]
struct Kept(Mutex<Vec<CheckResult>>);

impl Sink for Kept {
    fn publish(&self, result: &CheckResult) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(result.clone());
    }

    fn notice(&self, _: &Notice) {}
}

/// The sockets, open for as long as the process lives.
struct Open {
    address: Ipv4Addr,
    kept: Arc<Kept>,
}

static SOCKETS: LazyLock<Open> = LazyLock::new(|| {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, high.max(1), low, 250);
    let bind = json!({"bind": address.to_string()});
    let guarded = json!({"bind": bind["bind"], "user": "ops", "password": "secret"});
    let attributes = Object::from_iter([("socket".to_owned(), bind), ("http_socket".to_owned(), guarded)]);
    let client = Arc::new(Client { name: "web-1".to_owned(), attributes });
    let definitions = Definitions { client, checks: Vec::new(), spawn_limit: 1, settings: None };
    let kept = Arc::new(Kept::default());
    let (sink, (opened, is_open)) = (Arc::clone(&kept), std::sync::mpsc::channel());
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime");
        runtime.block_on(async {
            let (_definitions, watched) = watch::channel(Arc::new(definitions));
            let sockets = Sockets::open(sink, watched).await;
            opened.send(()).expect("somebody waits");
            sockets.run(CancellationToken::new()).await;
        });
    });
    is_open.recv().expect("they are opened");
    Open { address, kept }
});

impl Open {
    /// What is answered to bytes, and the results that came of them.
    fn exchange(&self, port: u16, bytes: &[u8]) -> (Vec<u8>, Vec<CheckResult>) {
        let mut stream = TcpStream::connect((self.address, port)).expect("somebody listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("there is such a time");
        // Who is answered early need not listen to the end. HTTP knows its own; who hangs up there wants no answer.
        let sent = stream.write_all(bytes);
        let _ = if port == PLAIN { sent.and_then(|()| stream.shutdown(Shutdown::Write)) } else { sent };
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        (answer, std::mem::take(&mut *self.kept.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A document that an application pushes: it is answered once, taken the same whichever way it comes, and what is logged of it can be read.
pub(crate) fn pushed(document: &[u8]) {
    let (reply, by_tcp) = SOCKETS.exchange(PLAIN, document);
    let head = format!(
        "POST /results HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        document.len()
    );
    let (answer, by_http) = SOCKETS.exchange(HTTP, &[head.as_bytes(), document].concat());
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap_or_default();
    match &*reply {
        b"" => assert!(document.is_empty() && by_tcp.is_empty()),
        b"pong" => assert!(document.trim_ascii() == b"ping" && by_tcp.is_empty()),
        b"ok" => assert_eq!(status, "202", "{answer}"),
        b"invalid" => assert!(["400", "413"].contains(&status), "{answer}"),
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
    assert_eq!(told(&by_tcp), told(&by_http));
    by_tcp.iter().for_each(can_be_read);
}

/// The `Authorization` of a request for the settings: they are shown to who writes user and password as RFC 7617 has it, and to nobody else.
pub(crate) fn credentials(headers: &HeaderMap) {
    let mut request = b"GET /settings HTTP/1.1\r\nHost: x\r\n".to_vec();
    for value in headers.get_all(AUTHORIZATION) {
        request.extend([b"Authorization: ", value.as_bytes(), b"\r\n"].concat());
    }
    let (answer, _) = SOCKETS.exchange(HTTP, &[&request[..], b"\r\n"].concat());
    let authorization = headers.get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    let is_right = authorization
        .split_at_checked(6)
        .is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case(b"basic ") && rest.trim_ascii_start() == RIGHT);
    let (answer, wanted) = (String::from_utf8_lossy(&answer), if is_right { "HTTP/1.1 200" } else { "HTTP/1.1 401" });
    assert!(answer.starts_with(wanted), "{headers:?}: {answer}");
}

/// The results without the times of this run.
fn told(results: &[CheckResult]) -> Vec<Value> {
    let timeless = |result: &CheckResult| {
        let of_run = |(name, _): &(&String, &Value)| !["issued", "executed"].contains(&name.as_str());
        result.check().iter().filter(of_run).map(|(name, value)| (name.clone(), value.clone())).collect::<Object>()
    };
    results.iter().map(|result| Value::Object(timeless(result))).collect()
}

/// A definition may be nested deeper than readers go, which count and tell it.
fn can_be_read(result: &CheckResult) {
    let mut line = Vec::new();
    write_result(&mut line, &Zoned::now(), result);
    match read_line(line.trim_ascii_end()) {
        Line::Result(logged) => assert_eq!(logged.result.key(), result.key()),
        Line::Invalid(_) if line.iter().filter(|byte| b"[{".contains(byte)).count() > 100 => {}
        other => panic!("{other:?}: {}", String::from_utf8_lossy(&line)),
    }
}
