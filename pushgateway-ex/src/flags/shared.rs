//! The flags of a store that several gateways share.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use redis::{ClientTlsConfig, TlsCertificates};
use service::ConfigError;

use crate::store::shared::{Access, Address, FORMS, Login};

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Where pushes are kept that several gateways take.
#[derive(Clone, Debug, Args)]
pub struct SharedFlags {
    /// Redis or Valkey that keeps what was pushed, for any number of gateways, in the place of --persistence.file:
    /// redis://USER:PASSWORD@HOST:PORT/DATABASE, redis+sentinel://HOST:PORT,.../MASTER/DATABASE or redis+cluster://HOST:PORT,...; rediss for
    /// TLS; port, database and credentials may be left out
    #[arg(id = "storage", long = "storage", value_name = "URL", conflicts_with_all = ["file", "interval", "sync"])]
    url: Option<Secret>,

    /// File with the password, in the place of one in the URL; read again for each connection
    #[arg(long = "storage.redis-password-file", value_name = "FILE", requires = "storage")]
    password_file: Option<PathBuf>,

    /// File with the password that the sentinels themselves ask for, which is not the one of the server; read again for each connection
    #[arg(long = "storage.redis-sentinel-password-file", value_name = "FILE", requires = "storage")]
    sentinel_password_file: Option<PathBuf>,

    /// User by whom the sentinels know that password, where they have ACLs
    #[arg(
        long = "storage.redis-sentinel-user",
        value_name = "NAME",
        requires_all = ["storage", "sentinel_password_file"],
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    sentinel_user: Option<String>,

    /// Prefix of the store's keys; gateways of the same prefix have the same groups
    #[arg(long = "storage.redis-prefix", value_name = "NAME", default_value = "pushgateway-ex", value_parser = prefix)]
    prefix: String,

    /// How long connecting to the store, or an answer of it, may take
    #[arg(long = "storage.redis-timeout", value_name = "DURATION", default_value = "5s", value_parser = timeout)]
    timeout: Duration,

    /// PEM file of the authorities that may have issued the store's certificate [default: the system's]
    #[arg(long = "storage.redis-ca-file", value_name = "FILE", requires = "storage")]
    ca_file: Option<PathBuf>,

    /// PEM file of the certificate that the store is shown
    #[arg(long = "storage.redis-cert-file", value_name = "FILE", requires_all = ["storage", "key_file"])]
    cert_file: Option<PathBuf>,

    /// PEM file of its key
    #[arg(long = "storage.redis-key-file", value_name = "FILE", requires_all = ["storage", "cert_file"])]
    key_file: Option<PathBuf>,
}

/// A URL that may have a password in it, so that neither the program nor the parser of its flags may show it.
#[derive(Clone)]
struct Secret(String);

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

// === impl SharedFlags ===

impl SharedFlags {
    /// How the store is reached, and the prefix of its keys, if there is one.
    ///
    /// # Errors
    /// A URL that is none, files that cannot be used.
    pub(crate) fn access(&self) -> Result<Option<(Access, &str)>, ConfigError> {
        let Some(Secret(url)) = &self.url else { return Ok(None) };
        let address = Address::parse(url)
            .map_err(|wrong| ConfigError::new(format_args!("--storage: {wrong}; the URL is to be {FORMS}")))?;
        if address.has_password() && self.password_file.is_some() {
            return Err(ConfigError::new("--storage has a password, and so has --storage.redis-password-file"));
        }
        if !address.has_sentinels() && self.sentinel_password_file.is_some() {
            return Err(ConfigError::new("--storage.redis-sentinel-password-file: --storage names no sentinels"));
        }
        let password_file = self.password_file.clone();
        let sentinel = Login { user: self.sentinel_user.clone(), password_file: self.sentinel_password_file.clone() };
        let access = Access { address, password_file, sentinel, tls: self.tls()?, timeout: self.timeout };
        access.check().map_err(|wrong| ConfigError::new(format_args!("--storage: {wrong}")))?;
        Ok(Some((access, &self.prefix)))
    }

    /// The store as `/api/v1/status` shows it.
    pub(super) fn shown(&self) -> String {
        let address = self.url.as_ref().and_then(|Secret(url)| Address::parse(url).ok());
        address.map_or_else(String::new, |address| address.to_string())
    }

    fn tls(&self) -> Result<Option<TlsCertificates>, ConfigError> {
        let root_cert = self.ca_file.as_deref().map(authorities).transpose()?;
        let client_tls = match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => {
                Some(ClientTlsConfig { client_cert: read("cert", cert)?, client_key: read("key", key)? })
            }
            _ => None,
        };
        let wanted = root_cert.is_some() || client_tls.is_some();
        Ok(wanted.then_some(TlsCertificates { client_tls, root_cert }))
    }
}

fn read(flag: &str, file: &Path) -> Result<Vec<u8>, ConfigError> {
    let shown = file.display();
    std::fs::read(file).map_err(|error| ConfigError::new(format_args!("--storage.redis-{flag}-file={shown}: {error}")))
}

/// The library takes a file without any, and then trusts nobody.
fn authorities(file: &Path) -> Result<Vec<u8>, ConfigError> {
    let pem = read("ca", file)?;
    if pem.windows(BEGIN.len()).any(|part| part == BEGIN) {
        return Ok(pem);
    }
    Err(ConfigError::new(format_args!("--storage.redis-ca-file={}: no certificate in PEM", file.display())))
}

/// The prefix is the hash tag, which ends with its first brace.
fn prefix(prefix: &str) -> Result<String, String> {
    let bad = prefix.is_empty() || prefix.contains(['{', '}']);
    if bad { Err("a prefix has at least one character and no braces".to_owned()) } else { Ok(prefix.to_owned()) }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = service::duration(text)?;
    if timeout.is_zero() { Err("nothing is done in no time".to_owned()) } else { Ok(timeout) }
}
