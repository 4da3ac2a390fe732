//! How servers are asked, as a configuration says it in the words of Prometheus's `http_config`: `basic_auth`,
//! `authorization`, `http_headers`, `tls_config`, with every secret and certificate either in place or in a file of its own (`*_file`).
//!
//! Files are read when the configuration is, at start and at each reload; those of a client certificate are followed besides. No failure shows
//! what a secret is.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::headers;
use super::identity::{Files, Identity, certificates, private_key};
use super::tls::{self, Settings};
use crate::config::{Fields, Place};
use crate::web_config::Stamp;

/// Credentials and TLS towards a server. The default has none, and trusts the system's authorities.
#[derive(Clone, Default)]
pub struct HttpConfig {
    pub(super) authorization: Option<HeaderValue>,
    more: HeaderMap,
    pub(super) tls: Option<ClientConfig>,
}

/// A text that stands in the field `NAME`, or in the file that `NAME_file` names.
struct Given<'a> {
    /// The one of the two that is there.
    place: Option<Place<'a>>,
    /// The text, where it could be read.
    bytes: Option<Vec<u8>>,
    /// The file as it was before it was read, where it came from one.
    file: Option<Stamp>,
}

// === impl HttpConfig ===

impl HttpConfig {
    /// Reads `basic_auth`, `authorization`, `http_headers` and `tls_config`, if they are there. Files are relative to `folder`, which
    /// is that of the configuration.
    pub fn read(fields: &mut Fields<'_>, folder: &Path) -> Self {
        let (basic, other) = (fields.place("basic_auth"), fields.place("authorization"));
        if let (Some(_), Some(second)) = (&basic, &other) {
            second.fail("cannot be given together with basic_auth");
        }
        let basic = basic.and_then(|place| basic_auth(&place, folder));
        let other = other.and_then(|place| authorization(&place, folder));
        let tls = fields.place("tls_config").and_then(|place| tls_config(&place, folder));
        let more = fields.place("http_headers").map(|place| headers::read(&place, folder)).unwrap_or_default();
        Self { authorization: basic.or(other), more, tls }
    }

    /// What every request carries.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = self.more.clone();
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        headers
    }

    /// Whether it has credentials of its own.
    pub fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }
}

/// Shows no secret.
impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorization, more: _, tls } = self;
        let mut shown = f.debug_struct("HttpConfig");
        shown.field("authorization", &authorization.is_some()).field("tls", &tls.is_some()).finish()
    }
}

fn basic_auth(place: &Place<'_>, folder: &Path) -> Option<HeaderValue> {
    let mut fields = place.fields();
    let user = Given::read(&mut fields, ["username", "username_file"], folder);
    let password = Given::read(&mut fields, ["password", "password_file"], folder);
    fields.end();
    match &user.place {
        None => place.fail("needs one of username and username_file"),
        Some(place) if user.bytes.as_ref().is_some_and(|user| user.contains(&b':')) => {
            place.fail("a user name cannot hold a colon");
        }
        Some(_) => {}
    }
    let both = [user.bytes?, b":".to_vec(), password.bytes.unwrap_or_default()].concat();
    header(place, format!("Basic {}", BASE64_STANDARD.encode(both)).as_bytes())
}

fn authorization(place: &Place<'_>, folder: &Path) -> Option<HeaderValue> {
    let mut fields = place.fields();
    let scheme = |text: &str| match text {
        text if text.eq_ignore_ascii_case("basic") => Err("use basic_auth instead".to_owned()),
        text => Ok(text.to_owned()),
    };
    let scheme = fields.place("type").map_or(Some("Bearer".to_owned()), |place| place.value(scheme));
    let credentials = Given::read(&mut fields, ["credentials", "credentials_file"], folder);
    fields.end();
    if credentials.place.is_none() {
        place.fail("needs one of credentials and credentials_file");
    }
    header(place, &[scheme?.as_bytes(), b" ", &credentials.bytes?].concat())
}

fn header(place: &Place<'_>, value: &[u8]) -> Option<HeaderValue> {
    match HeaderValue::from_bytes(value) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Some(value)
        }
        Err(_) => {
            place.fail("holds characters that no HTTP header can have");
            None
        }
    }
}

fn tls_config(place: &Place<'_>, folder: &Path) -> Option<ClientConfig> {
    let mut fields = place.fields();
    let authorities = Given::read(&mut fields, ["ca", "ca_file"], folder);
    let certificate = Given::read(&mut fields, ["cert", "cert_file"], folder);
    let key = Given::read(&mut fields, ["key", "key_file"], folder);
    let name = |text: &str| ServerName::try_from(text.to_owned()).map_err(|_| format!("`{text}` is not a host's name"));
    let server_name = fields.place("server_name").map(|place| place.value(name));
    let unverified = fields.boolean("insecure_skip_verify").unwrap_or(false);
    fields.end();
    if certificate.place.is_some() != key.place.is_some() {
        place.fail("a client certificate needs both cert or cert_file and key or key_file");
    }
    let roots = match authorities.place {
        None => Some(super::system_authorities()),
        Some(_) => authorities.parse(roots),
    };
    let identity = match (certificate.place.is_some(), key.place.is_some()) {
        (true, true) => {
            let files = certificate.file.clone().zip(key.file.clone());
            let files = files.map(|(certificate, key)| Files { certificate, key });
            Some(Identity { certificates: certificate.parse(certificates)?, key: key.parse(private_key)?, files })
        }
        _ => None,
    };
    let server_name = server_name.map_or(Some(None), |name| name.map(Some))?;
    let made = tls::client_config(Settings { roots: roots?, identity, server_name, unverified });
    made.map_err(|what| place.fail(what)).ok()
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("not a usable certificate authority: {error}"))?;
    }
    Ok(roots)
}

// === impl Given ===

impl<'a> Given<'a> {
    fn read(fields: &mut Fields<'a>, [name, file]: [&'static str; 2], folder: &Path) -> Self {
        let (inline, file) = (fields.place(name), fields.place(file));
        let Some(file) = file else {
            let bytes = inline.as_ref().and_then(|place| place.text()).map(String::into_bytes);
            return Self { place: inline, bytes, file: None };
        };
        if inline.is_some() {
            file.fail(format_args!("cannot be given together with {name}"));
        }
        let mut stamp = None;
        let bytes = file.value(|path| {
            let path = folder.join(path);
            stamp = Some(Stamp::of(&path));
            std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        });
        // As Prometheus: an editor's line break at the end is not part of a password.
        let bytes = bytes.map(|bytes| bytes.trim_ascii().to_vec());
        Self { place: Some(file), bytes, file: stamp }
    }

    /// What `parse` makes of the text; a failure is noted where the text or its file is named.
    fn parse<T>(&self, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Option<T> {
        let place = self.place.as_ref()?;
        parse(self.bytes.as_deref()?).map_err(|what| place.fail(what)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn read(text: &str, folder: &Path) -> Result<HttpConfig, Vec<String>> {
        let read = |root: Place<'_>| {
            let mut fields = root.fields();
            let config = HttpConfig::read(&mut fields, folder);
            fields.end();
            config
        };
        parse(text, read).map_err(|error| error.failures().to_vec())
    }

    #[test]
    fn credentials_become_a_header_that_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "open sesame\n").unwrap();
        for (text, want) in [
            ("basic_auth: {username: me, password: 1.10}", "Basic bWU6MS4xMA=="),
            ("basic_auth: {username_file: secret, password_file: secret}", "Basic b3BlbiBzZXNhbWU6b3BlbiBzZXNhbWU="),
            ("basic_auth: {username: me}", "Basic bWU6"),
            ("authorization: {credentials: abc}", "Bearer abc"),
            ("authorization: {type: Token, credentials_file: secret}", "Token open sesame"),
        ] {
            let config = read(text, folder.path()).unwrap();
            assert_eq!(config.authorization.as_ref().unwrap(), want, "{text}");
            assert!(config.authorization.as_ref().unwrap().is_sensitive() && config.has_credentials());
            assert_eq!(format!("{config:?}"), "HttpConfig { authorization: true, tls: false }");
        }
        assert!(!read("", folder.path()).unwrap().has_credentials());
    }

    #[test]
    fn mistakes_are_told_without_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "hunter2").unwrap();
        let gone =
            format!("cannot read {}: No such file or directory (os error 2)", folder.path().join("gone").display());
        for (text, want) in [
            ("basic_auth: {password: x}", "1: basic_auth: needs one of username and username_file"),
            ("basic_auth: {username: \"a:b\"}", "1: basic_auth.username: a user name cannot hold a colon"),
            ("basic_auth: {username: a, password_file: gone}", &format!("1: basic_auth.password_file: {gone}")),
            (
                "basic_auth: {username: a, password: hunter2, password_file: secret}",
                "1: basic_auth.password_file: cannot be given together with password",
            ),
            ("authorization: {}", "1: authorization: needs one of credentials and credentials_file"),
            ("authorization: {type: Basic, credentials: x}", "1: authorization.type: use basic_auth instead"),
            (
                "authorization: {credentials: \"hunter2\\n\"}",
                "1: authorization: holds characters that no HTTP header can have",
            ),
            (
                "basic_auth: {username: a}\nauthorization: {credentials: x}",
                "2: authorization: cannot be given together with basic_auth",
            ),
            ("tls_config: {ca_file: secret}", "1: tls_config.ca_file: holds no certificate in PEM form"),
            (
                "tls_config: {key: x}",
                "1: tls_config: a client certificate needs both cert or cert_file and key or key_file",
            ),
            ("tls_config: {server_name: \"a b\"}", "1: tls_config.server_name: `a b` is not a host's name"),
            ("tls_config: {insecure: true}", "1: tls_config.insecure: unknown field; known here: ca, ca_file, "),
        ] {
            let told = read(text, folder.path()).unwrap_err();
            assert!(told.iter().any(|failure| failure.starts_with(want)), "{text}: {told:?}");
            assert!(!told.concat().contains("hunter2"), "{told:?}");
        }
    }
}
