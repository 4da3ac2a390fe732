//! Where a server listens: addresses in Go's notation, and sockets that systemd opened.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::str::FromStr;

use anyhow::Context as _;
use socket2::{Domain, Socket, Type};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// An address to listen on: `:9095` (every interface, IPv4 and IPv6), `host:9095`, `127.0.0.1:9095`, `[::1]:9095`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Empty for every interface.
    host: String,
    port: u16,
}

/// Why a text is not a [`ListenAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// There is no `:` that sets off a port.
    #[error("no port; write `host:port` or `:port`")]
    NoPort,
    /// What follows the last `:` is not a port.
    #[error("`{0}` is not a port from 0 to 65535")]
    Port(String),
    /// An IPv6 address without brackets, or brackets around something else.
    #[error("an IPv6 address is written in brackets: `[::1]:9095`")]
    Brackets,
}

impl ListenAddress {
    /// Every interface.
    #[must_use]
    pub fn any(port: u16) -> Self {
        Self { host: String::new(), port }
    }

    /// Where a program listens if it is not told: on the loopback interface alone, or on every one.
    pub(crate) fn usual(port: u16, loopback: bool) -> Self {
        if loopback { Self { host: Ipv4Addr::LOCALHOST.to_string(), port } } else { Self::any(port) }
    }

    /// Opens the socket.
    ///
    /// # Errors
    /// When the host is not known, or the address cannot be bound.
    pub(crate) fn bind(&self) -> anyhow::Result<TcpListener> {
        self.open().with_context(|| format!("cannot listen on {self}"))
    }

    fn open(&self) -> anyhow::Result<TcpListener> {
        if self.host.is_empty() {
            return Ok(any_interface(self.port)?);
        }
        let found: Vec<SocketAddr> =
            (self.host.as_str(), self.port).to_socket_addrs().context("the host name is not known")?.collect();
        // A name may stand for several addresses; Go's net.Listen takes one of them and prefers IPv4.
        let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
        Ok(listen(*address.context("the host name has no address")?)?)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ListenAddressError::NoPort)?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bracketed {
            Some(inside) if inside.parse::<Ipv6Addr>().is_ok() => inside,
            Some(_) => return Err(ListenAddressError::Brackets),
            None if host.contains([':', '[', ']']) => return Err(ListenAddressError::Brackets),
            None => host,
        };
        let port = port.parse().map_err(|_| ListenAddressError::Port(port.to_owned()))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// The sockets that systemd passed.
///
/// # Errors
/// When there are none, or one is not a TCP socket.
pub(crate) fn from_systemd() -> anyhow::Result<Vec<TcpListener>> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..passed.len() {
        let taken = passed.take_tcp_listener(index).context("systemd passed a socket that is not a TCP one")?;
        listeners.extend(taken);
    }
    anyhow::ensure!(
        !listeners.is_empty(),
        "systemd passed no socket: --web.systemd-socket needs a .socket unit that starts this service"
    );
    Ok(listeners)
}

/// One socket for both families where the machine has IPv6, else one for IPv4, as Go's `:port`.
fn any_interface(port: u16) -> std::io::Result<TcpListener> {
    match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if no_ipv6(&error) => listen((Ipv4Addr::UNSPECIFIED, port).into()),
        opened => opened,
    }
}

fn no_ipv6(error: &std::io::Error) -> bool {
    use nix::errno::Errno;
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restarted server must not wait until the last connections of its predecessor are forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_come_back_as_written() {
        for text in [":9095", "127.0.0.1:9095", "node.example.org:80", "[::1]:9095", "[::]:0"] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn mistakes_are_told_apart() {
        use ListenAddressError::{Brackets, NoPort, Port};
        for (text, error) in [
            ("", NoPort),
            ("localhost", NoPort),
            (":http", Port("http".into())),
            (":65536", Port("65536".into())),
            ("localhost:", Port(String::new())),
            ("::1:9095", Brackets),
            ("[node]:9095", Brackets),
            ("[::1:9095", Brackets),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }

    #[test]
    fn every_interface_takes_ipv4_clients() {
        let listener = ListenAddress::any(0).bind().unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = ListenAddress::from_str("127.0.0.1:0").unwrap().bind().unwrap();
        let again = ListenAddress { host: "127.0.0.1".into(), port: taken.local_addr().unwrap().port() };
        let message = format!("{:#}", again.bind().unwrap_err());
        assert!(message.starts_with(&format!("cannot listen on {again}: ")), "{message}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_taken_comes_back_as_an_equal_address(text in "(\\[?[a-z0-9:.]{0,12}\\]?):[0-9]{0,6}") {
            if let Ok(address) = text.parse::<ListenAddress>() {
                proptest::prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
