//! Where the store is: the URL of `--storage`.

use std::fmt;

use percent_encoding::percent_decode_str;
use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};

/// The URLs there are, for people.
pub const FORMS: &str = "redis://HOST[:PORT][/DATABASE], redis+sentinel://HOST[:PORT],…/MASTER[/DATABASE] or \
                         redis+cluster://HOST[:PORT],…, with rediss for TLS, and USER:PASSWORD@ before the hosts";

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What answers at the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server itself.
    Server,
    /// Sentinels, who know where the master of this name is.
    Sentinels(String),
    /// Nodes of a cluster.
    Cluster,
}

/// The URL, checked. It is shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) kind: Kind,
    pub(super) tls: bool,
    /// Hosts and ports, at least one.
    pub(super) nodes: Vec<(String, u16)>,
    user: String,
    password: Option<String>,
    database: i64,
}

// === impl Address ===

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not show its password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("not a URL")?;
        let (base, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match base {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err("an unknown scheme".to_owned()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if [authority, path].iter().any(|part| part.contains(['?', '#'])) {
            return Err("it has a query or a fragment; in a password write %3F for ? and %23 for #".to_owned());
        }
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = credentials.split_once(':').map_or((credentials, None), |(user, password)| {
            (user, Some(password).filter(|password| !password.is_empty()))
        });
        let (kind, port, database) = match kind {
            "" => (Kind::Server, PORT, path),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err("it does not name the sentinels' master".to_owned());
                }
                (Kind::Sentinels(decoded(master)?), SENTINEL_PORT, database)
            }
            "cluster" => (Kind::Cluster, PORT, path),
            _ => return Err("an unknown scheme".to_owned()),
        };
        let nodes = hosts.split(',').map(|host| node(host, port)).collect::<Result<Vec<_>, _>>()?;
        if kind == Kind::Server && nodes.len() > 1 {
            return Err("it names more than one host".to_owned());
        }
        let database = if database.is_empty() { Ok(0) } else { database.parse::<u16>() };
        let database = database.map_err(|_| "its database is not a number")?;
        if kind == Kind::Cluster && database > 0 {
            return Err("a cluster has no databases but 0".to_owned());
        }
        let password = password.map(decoded).transpose()?;
        Ok(Self { kind, tls, nodes, user: decoded(user)?, password, database: database.into() })
    }

    /// Whether the URL has a password.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Whether it is of sentinels.
    pub fn has_sentinels(&self) -> bool {
        matches!(self.kind, Kind::Sentinels(_))
    }

    /// How to connect to one server, with a password that stands elsewhere if there is one.
    pub(super) fn server(&self, host: &str, port: u16, password: Option<&str>) -> redis::RedisResult<ConnectionInfo> {
        let mut settings = RedisConnectionInfo::default().set_db(self.database);
        if let Some(password) = password.or(self.password.as_deref()) {
            settings = settings.set_password(password);
            if !self.user.is_empty() {
                settings = settings.set_username(&self.user);
            }
        }
        Ok(self.bare(host, port)?.set_redis_settings(settings))
    }

    /// How to connect to a server, without what it is told of who asks.
    pub(super) fn bare(&self, host: &str, port: u16) -> redis::RedisResult<ConnectionInfo> {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let info = format!("{scheme}://{host}:{port}").into_connection_info()?;
        Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(match self.kind {
            Kind::Server => "://",
            Kind::Sentinels(_) => "+sentinel://",
            Kind::Cluster => "+cluster://",
        })?;
        match (&*self.user, &self.password) {
            ("", None) => {}
            (user, None) => write!(f, "{user}@")?,
            (user, Some(_)) => write!(f, "{user}:***@")?,
        }
        for (index, (host, port)) in self.nodes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if host.contains(':') { write!(f, "{comma}[{host}]:{port}")? } else { write!(f, "{comma}{host}:{port}")? }
        }
        if let Kind::Sentinels(master) = &self.kind {
            write!(f, "/{master}")?;
        }
        if self.kind == Kind::Cluster { Ok(()) } else { write!(f, "/{}", self.database) }
    }
}

/// Shows no password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn node(text: &str, default: u16) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a `[` without a `]`")?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or("text behind a `]`")?) })
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    let port = port.map_or(Ok(default), str::parse);
    // The text may be a part of a password that has a character it should not have.
    Ok((host.to_owned(), port.map_err(|_| "a port is not a number")?))
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "it is not UTF-8 when decoded")?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_shown_without_their_passwords() {
        for (url, shown) in [
            ("redis://h", "redis://h:6379/0"),
            ("valkeys://[::1]:7000/3", "rediss://[::1]:7000/3"),
            ("redis://:s%40cret@h", "redis://:***@h:6379/0"),
            ("rediss://me:s:cr@t@h:1/2", "rediss://me:***@h:1/2"),
            ("redis://me@h", "redis://me@h:6379/0"),
            ("redis+sentinel://a,b:7/main", "redis+sentinel://a:26379,b:7/main/0"),
            ("rediss+sentinel://u:secret@a/main/4", "rediss+sentinel://u:***@a:26379/main/4"),
            ("redis+cluster://a,b:7", "redis+cluster://a:6379,b:7"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.to_owned(), shown.to_owned()));
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused_without_showing_it() {
        for url in [
            "secret",
            "http://secret",
            "redis://",
            "redis://h:secret",
            "redis://a,secret",
            "redis://h/secret",
            "redis://u:secret?@h",
            "redis://u:secret/x@h",
            "redis+sentinel://h",
            "redis+cluster://h/1",
            "redis+secret://h",
            "redis://[secret",
            "redis://u:%FFsecret@h",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
