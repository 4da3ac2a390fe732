//! Twenty thousand nodes, played by one server: each has an address of its own in 127.0.0.0/8 and the port is the same.
//!
//! One in ten takes the connection and never answers, one in twenty refuses it (its port is one where nobody listens),
//! every other answers any request with the detail of a failed check, its output 2 kB long.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub(crate) const NODES: u32 = 20_000;

/// The first node's address, of all nodes that are played by their addresses.
pub(crate) const FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

/// The thread that plays them all.
pub(crate) const THREAD: &str = "nodes";

/// Of this many nodes, the first two hang and the third refuses.
const OF: u32 = 20;

/// Connections that may wait to be taken.
const BACKLOG: u32 = 4096;

/// The nodes, until the bench ends.
#[derive(Debug)]
pub(crate) struct Nodes {
    port: u16,
    closed_port: u16,
    /// Why they have ended before.
    failed: Arc<OnceLock<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Answers,
    Hangs,
    Refuses,
}

// === impl Nodes ===

impl Nodes {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let (sender, port) = std::sync::mpsc::channel();
        let failed = Arc::<OnceLock<String>>::default();
        let play = move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
                let listener = socket.listen(BACKLOG)?;
                sender.send(listener.local_addr()?.port())?;
                serve(listener).await
            })
        };
        let fails = Arc::clone(&failed);
        let play = move || {
            let ended = play().err().map_or_else(|| "without a word".to_owned(), |error| format!("{error:#}"));
            fails.get_or_init(|| ended);
        };
        thread::Builder::new().name(THREAD.to_owned()).spawn(play)?;
        let closed_port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self { port: port.recv().context("the nodes do not start")?, closed_port, failed })
    }

    /// Fails where they do not answer any more: what was measured then is worth nothing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.failed.get().map_or(Ok(()), |why| bail!("the played nodes have ended: {why}"))
    }

    /// The `instance` of a node.
    pub(crate) fn instance(&self, node: u32) -> String {
        let port = if kind(node) == Kind::Refuses { self.closed_port } else { self.port };
        format!("{}:{port}", address(node))
    }

    /// How many of all nodes answer.
    pub(crate) fn answering() -> u32 {
        (0..NODES).filter(|node| kind(*node) == Kind::Answers).count().try_into().expect("fewer than all nodes")
    }
}

fn kind(node: u32) -> Kind {
    match node % OF {
        0 | 1 => Kind::Hangs,
        2 => Kind::Refuses,
        _ => Kind::Answers,
    }
}

fn address(node: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(FIRST) + node)
}

fn number(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => u32::from(address).saturating_sub(u32::from(FIRST)),
        IpAddr::V6(_) => 0,
    }
}

async fn serve(listener: TcpListener) -> anyhow::Result<()> {
    let answer = answer();
    loop {
        let (stream, _) = listener.accept().await.context("cannot take a connection")?;
        match kind(number(stream.local_addr()?.ip())) {
            Kind::Answers => drop(tokio::spawn(talk(stream, answer))),
            _ => drop(tokio::spawn(hang(stream))),
        }
    }
}

/// Says nothing until the proxy gives up. So there are as many of these as it has connections.
async fn hang(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 4096];
    while stream.read(&mut request).await? > 0 {}
    Ok(())
}

/// One request, one answer: the proxy keeps no connection.
async fn talk(mut stream: TcpStream, answer: &'static [u8]) -> std::io::Result<()> {
    let (mut request, mut length) = ([0; 4096], 0);
    while !request[..length].ends_with(b"\r\n\r\n") && length < request.len() {
        match stream.read(&mut request[length..]).await? {
            0 => return Ok(()),
            read => length += read,
        }
    }
    stream.write_all(answer).await
}

/// Made once, for as long as the bench runs.
fn answer() -> &'static [u8] {
    let now = jiff::Timestamp::now().as_second();
    let output = format!("CRITICAL: / 93%\n{}\n", "x".repeat(1_980));
    let body = json!({
        "labels": {"check": "check-disk"}, "client": "web-1",
        "client_attributes": {"address": "10.0.0.1", "subscriptions": ["base", "web"]},
        "check": {
            "name": "check-disk", "command": "check-disk.rb -w 80 -c 90", "interval": 60, "handlers": ["mail", "slack"],
            "subscribers": ["base"], "issued": now, "executed": now, "duration": 0.012, "status": 2, "output": output
        },
        "occurrences": 4, "status_changed": now
    })
    .to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes().leak()
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::Shutdown;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_node_is_known_by_its_address() {
        for node in [0, 1, 255, 256, NODES - 1] {
            assert_eq!(number(IpAddr::V4(address(node))), node);
        }
        assert_eq!(Nodes::answering(), 17_000);
    }

    #[test]
    fn a_node_answers_refuses_or_hangs_until_one_gives_up() {
        let nodes = Nodes::start().expect("they start");
        let ask = |node| -> std::io::Result<String> {
            let mut stream = std::net::TcpStream::connect(nodes.instance(node))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
            stream.shutdown(Shutdown::Write)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        assert!(ask(3).expect("it answers").starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(ask(2).expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
        assert_eq!(ask(0).expect("it lets go"), "");
        assert!(nodes.check().is_ok());
    }
}
