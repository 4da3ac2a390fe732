//! What holds for any input. The fuzz target `headers` asserts it of what it comes upon, the tests of what fuzzing began with and found.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION};
use service::{BuildInfo, Server, WebFlags};
use tokio_util::sync::CancellationToken;

/// `ops:secret`, which base64 writes in this way and no other.
const RIGHT: &[u8] = b"b3BzOnNlY3JldA==";

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    web: WebFlags<0>,
}

/// A server with one user, open for as long as the process lives.
static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| {
    let (opened, is_open) = mpsc::channel();
    thread::spawn(move || {
        let folder = tempfile::tempdir().expect("there is a place for files");
        let file = folder.path().join("web.yml");
        let hash = bcrypt::hash("secret", 4).expect("it has a hash");
        fs::write(&file, format!("basic_auth_users: {{ops: {hash}}}\n")).expect("a file can be written");
        let config = format!("--web.config.file={}", file.display());
        let flags = Flags::parse_from(["server", "--web.listen-address=127.0.0.1:0", &config]);
        let info = BuildInfo { name: "test-server", version: "1.2.3", revision: "abc" };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime");
        runtime.block_on(async {
            let server = Server::new(info, &flags.web).expect("the file is valid");
            let bound = server.bind().expect("there is a port");
            opened.send(bound.addresses()[0]).expect("somebody waits");
            bound.run(CancellationToken::new()).await.expect("it serves");
        });
    });
    is_open.recv().expect("it is opened")
});

/// The `Authorization` of a scrape: who writes user and password as RFC 7617 has it is answered, in one of the formats, and nobody else is.
pub(crate) fn credentials(headers: &HeaderMap) {
    let mut request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".to_vec();
    for (name, value) in headers.iter().filter(|(name, _)| [AUTHORIZATION, ACCEPT].contains(name)) {
        request.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    let answer = answer(&request);
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let authorization = headers.get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    let is_right = authorization
        .split_at_checked(6)
        .is_some_and(|(scheme, rest)| scheme.eq_ignore_ascii_case(b"basic ") && rest == RIGHT);
    assert!(head.starts_with(if is_right { "HTTP/1.1 200" } else { "HTTP/1.1 401" }), "{headers:?}: {head}");
    if is_right {
        let is_open = head.contains("content-type: application/openmetrics-text; version=1.0.0");
        assert!(is_open || head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        assert_eq!(body.ends_with("# EOF\n"), is_open, "{head}");
    }
}

fn answer(request: &[u8]) -> String {
    let mut stream = TcpStream::connect(*SERVER).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("there is such a time");
    stream.write_all(request).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text, and ends");
    answer
}
