//! The way to the store. Each step of it has a time limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::{
    Client, ConnectionInfo, ConnectionLike, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, TlsCertificates,
};

use super::address::{Address, Kind};

/// An open connection.
pub(super) type Connection = Box<dyn ConnectionLike + Send>;

/// How the store is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where it is.
    pub address: Address,
    /// A file that holds the password, read for each connection: who changes it there changes it everywhere.
    pub password_file: Option<PathBuf>,
    /// What sentinels are told of who asks, which is not what the server is told.
    pub sentinel: Login,
    /// Authorities and identity, where they are not the system's and none.
    pub tls: Option<TlsCertificates>,
    /// How long a step may take.
    pub timeout: Duration,
}

/// What sentinels are told of who asks them. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The user, where it is not the default one.
    pub user: Option<String>,
    /// A file that holds the password, read for each connection.
    pub password_file: Option<PathBuf>,
}

// === impl Access ===

impl Access {
    /// Whether the settings can be used, found out without connecting.
    ///
    /// # Errors
    /// A file that cannot be read or has no certificates.
    pub fn check(&self) -> Result<(), String> {
        let (host, port) = &self.address.nodes[0];
        self.sentinel.password().map_err(|error| error.to_string())?;
        let password = self.password().map_err(|error| error.to_string())?;
        let info = self.address.server(host, *port, password.as_deref()).map_err(|error| error.to_string())?;
        self.client(info).map(drop).map_err(|error| error.to_string())
    }

    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let password = self.password()?;
        let password = password.as_deref();
        match &self.address.kind {
            Kind::Server => {
                let (host, port) = &self.address.nodes[0];
                Ok(Box::new(self.open(self.address.server(host, *port, password)?)?))
            }
            Kind::Sentinels(master) => self.master(master, password),
            Kind::Cluster => self.cluster(password),
        }
    }

    /// The library's own way to sentinels has no time limits.
    fn master(&self, name: &str, password: Option<&str>) -> RedisResult<Connection> {
        let mut last = None;
        for (host, port) in &self.address.nodes {
            let found = self.ask_sentinel(host, *port, name);
            match found.and_then(|(host, port)| self.open(self.address.server(&host, port, password)?)) {
                Ok(connection) => return Ok(Box::new(connection)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("an address has at least one node"))
    }

    /// Where the master is. One that is none any more, or not yet, refuses what it is asked.
    fn ask_sentinel(&self, host: &str, port: u16, name: &str) -> RedisResult<(String, u16)> {
        let settings = self.sentinel.settings()?;
        let info = self.address.bare(host, port)?.set_redis_settings(settings);
        let found: RedisResult<Option<(String, u16)>> = self.open(info).and_then(|mut sentinel| {
            redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).query(&mut sentinel)
        });
        let found = found.map_err(|error| refused(host, port, error))?;
        found.ok_or_else(|| wrong("the sentinel knows no such master", name))
    }

    fn cluster(&self, password: Option<&str>) -> RedisResult<Connection> {
        let nodes = self.address.nodes.iter().map(|(host, port)| self.address.server(host, *port, password));
        let mut builder = ClusterClient::builder(nodes.collect::<RedisResult<Vec<_>>>()?)
            .connection_timeout(self.timeout)
            .response_timeout(self.timeout)
            // Enough to follow a slot that has moved; who waits for more is told and tries again.
            .retries(3)
            .min_retry_wait(10)
            .max_retry_wait(200);
        if let Some(certificates) = self.tls.as_ref().filter(|_| self.address.tls) {
            builder = builder.certs(certificates.clone());
        }
        let connection = builder.build()?.get_connection()?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(Box::new(connection))
    }

    fn open(&self, info: ConnectionInfo) -> RedisResult<redis::Connection> {
        let connection = self.client(info)?.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match &self.tls {
            Some(certificates) if self.address.tls => Client::build_with_tls(info, certificates.clone()),
            _ => Client::open(info),
        }
    }

    fn password(&self) -> RedisResult<Option<String>> {
        self.password_file.as_deref().map(password).transpose()
    }
}

// === impl Login ===

impl Login {
    fn settings(&self) -> RedisResult<RedisConnectionInfo> {
        let mut settings = RedisConnectionInfo::default();
        if let Some(password) = self.password()? {
            settings = settings.set_password(password);
        }
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        Ok(settings)
    }

    fn password(&self) -> RedisResult<Option<String>> {
        self.password_file.as_deref().map(password).transpose()
    }
}

fn password(file: &Path) -> RedisResult<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| wrong("the password cannot be read", &format!("{}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Says that it was the sentinel: what it misses is another password than the server's.
fn refused(host: &str, port: u16, error: RedisError) -> RedisError {
    if error.is_io_error() {
        return error;
    }
    wrong("the sentinel refuses to be asked", &format!("{host}:{port}: {error}"))
}

fn wrong(what: &'static str, which: &str) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, what, which.to_owned()))
}
