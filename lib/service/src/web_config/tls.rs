//! `tls_server_config`.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::checks::Checks;
use super::client_cert;
use super::raw::{RawTls, Text};
use crate::config::Located;
use crate::tls;

/// Go's names of the curves that rustls has with ring.
const CURVES: [(&str, NamedGroup); 3] =
    [("CurveP256", NamedGroup::secp256r1), ("CurveP384", NamedGroup::secp384r1), ("X25519", NamedGroup::X25519)];

/// Settings for TLS. None for an empty section, which means plain HTTP, and after at least one failure.
pub(super) fn server_config(section: &Located<RawTls>, checks: &mut Checks<'_>) -> Option<Arc<ServerConfig>> {
    let raw = &section.value;
    if raw.is_empty() {
        return None;
    }
    let certificate = Pem::read(raw.cert.as_ref(), raw.cert_file.as_ref(), "cert", checks);
    let key = Pem::read(raw.key.as_ref(), raw.key_file.as_ref(), "key", checks);
    for (inline, file, name) in [(&raw.cert, &raw.cert_file, "cert"), (&raw.key, &raw.key_file, "key")] {
        if inline.as_ref().or(file.as_ref()).is_none() {
            checks.fail("tls_server_config", section, format_args!("needs one of {name} and {name}_file"));
        }
    }
    let authorities = Pem::read(raw.client_ca.as_ref(), raw.client_ca_file.as_ref(), "client_ca", checks)
        .and_then(|pem| roots(&pem, checks));
    let provider = Arc::new(provider(raw, checks));
    let verifier = client_cert::verifier(section, authorities, &provider, checks);
    let versions = versions(raw, checks);
    let identity = identity(certificate?, key?, checks)?;
    let mut config = build(&provider, &versions?, verifier?, identity)
        .map_err(|error| checks.fail("tls_server_config", section, error))
        .ok()?;
    config.ignore_client_order = raw.prefer_server_cipher_suites.unwrap_or(true);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(Arc::new(config))
}

impl RawTls {
    /// Whether nothing is set. Stricter than exporter-toolkit, where a section without certificate and client settings is
    /// plain HTTP: who writes a `min_version` expects TLS.
    fn is_empty(&self) -> bool {
        let texts = [
            &self.cert,
            &self.cert_file,
            &self.key,
            &self.key_file,
            &self.client_ca,
            &self.client_ca_file,
            &self.client_auth_type,
            &self.min_version,
            &self.max_version,
        ];
        let lists = [&self.client_allowed_sans, &self.cipher_suites, &self.curve_preferences];
        texts.iter().all(|text| text.is_none())
            && lists.iter().all(|list| list.is_empty())
            && self.prefer_server_cipher_suites.is_none()
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn build(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    verifier: Arc<dyn ClientCertVerifier>,
    (certificates, key): Identity,
) -> Result<ServerConfig, String> {
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|error| format!("the versions and cipher suites do not fit together: {error}"))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
            other => format!("the certificate or its key cannot be used: {other}"),
        })
}

/// PEM text, given in the file itself or by the name of another one.
struct Pem {
    bytes: Vec<u8>,
    field: String,
    line: u64,
}

impl Pem {
    /// Takes the field `name`, or the file that the field `name_file` names.
    fn read(inline: Option<&Text>, file: Option<&Text>, name: &str, checks: &mut Checks<'_>) -> Option<Self> {
        let field = format!("tls_server_config.{name}");
        let Some(file) = file else {
            let text = inline?;
            return Some(Self { bytes: text.value.clone().into_bytes(), field, line: text.line });
        };
        let field = format!("{field}_file");
        if inline.is_some() {
            checks.fail(&field, file, format_args!("cannot be given together with {name}"));
            return None;
        }
        let path = checks.resolve(&file.value);
        match checks.read(&path) {
            Ok(bytes) => Some(Self { bytes, field, line: file.line }),
            Err(error) => {
                checks.fail(&field, file, format_args!("cannot read {}: {error}", path.display()));
                None
            }
        }
    }

    fn certificates(&self, checks: &mut Checks<'_>) -> Option<Vec<CertificateDer<'static>>> {
        let read: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match read {
            Ok(certificates) if !certificates.is_empty() => Some(certificates),
            Ok(_) => self.fail("holds no PEM certificate", checks),
            Err(error) => self.fail(format_args!("not PEM: {error}"), checks),
        }
    }

    fn fail<T>(&self, message: impl std::fmt::Display, checks: &mut Checks<'_>) -> Option<T> {
        checks.fail_at(self.line, &self.field, message);
        None
    }
}

fn identity(certificate: Pem, key: Pem, checks: &mut Checks<'_>) -> Option<Identity> {
    let certificates = certificate.certificates(checks);
    let key = match PrivateKeyDer::from_pem_slice(&key.bytes) {
        Ok(key) => Some(key),
        Err(pem::Error::NoItemsFound) => key.fail("holds no PEM private key", checks),
        Err(error) => key.fail(format_args!("not PEM: {error}"), checks),
    };
    Some((certificates?, key?))
}

fn roots(pem: &Pem, checks: &mut Checks<'_>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in pem.certificates(checks)? {
        if let Err(error) = roots.add(certificate) {
            return pem.fail(format_args!("holds a certificate that cannot be an authority: {error}"), checks);
        }
    }
    Some(roots)
}

/// The versions from `min_version` to `max_version`.
fn versions(raw: &RawTls, checks: &mut Checks<'_>) -> Option<Vec<&'static SupportedProtocolVersion>> {
    let version = |text: &Option<Text>, field: &str, default| match text {
        None => Some(default),
        Some(text) => match text.value.as_str() {
            "" => Some(default),
            "TLS12" => Some(12),
            "TLS13" => Some(13),
            other => {
                let message = format_args!("`{other}` is not supported; TLS12 and TLS13 are");
                checks.fail(&format!("tls_server_config.{field}"), text, message);
                None
            }
        },
    };
    let min = version(&raw.min_version, "min_version", 12);
    let max = version(&raw.max_version, "max_version", 13);
    match (min?, max?) {
        (12, 12) => Some(vec![&TLS12]),
        (12, 13) => Some(vec![&TLS13, &TLS12]),
        (13, 13) => Some(vec![&TLS13]),
        _ => {
            let at = raw.min_version.as_ref().or(raw.max_version.as_ref()).map_or(0, |text| text.line);
            checks.fail_at(at, "tls_server_config.min_version", "is above max_version");
            None
        }
    }
}

/// The provider with the suites and curves that the file names. As in Go, the suites of TLS 1.3 are always on.
fn provider(raw: &RawTls, checks: &Checks<'_>) -> CryptoProvider {
    let mut provider = CryptoProvider::clone(&tls::provider());
    if !raw.cipher_suites.is_empty() {
        let (newest, older): (Vec<_>, Vec<_>) =
            provider.cipher_suites.into_iter().partition(|suite| suite.tls13().is_some());
        let known: Vec<_> = older.into_iter().map(|suite| (format!("{:?}", suite.suite()), suite)).collect();
        let chosen = choose(&raw.cipher_suites, "cipher_suites", &known, checks);
        provider.cipher_suites = newest.into_iter().chain(chosen).collect();
    }
    if !raw.curve_preferences.is_empty() {
        let name = |group: NamedGroup| CURVES.iter().find(|(_, known)| *known == group).map_or("", |(name, _)| name);
        let known: Vec<_> = provider.kx_groups.iter().map(|group| (name(group.name()).to_owned(), *group)).collect();
        provider.kx_groups = choose(&raw.curve_preferences, "curve_preferences", &known, checks);
    }
    provider
}

/// The entries that are named, in the order of the names.
fn choose<T: Copy>(names: &[Text], field: &str, known: &[(String, T)], checks: &Checks<'_>) -> Vec<T> {
    let mut chosen = Vec::new();
    for name in names {
        match known.iter().find(|(known, _)| *known == name.value) {
            Some((_, entry)) => chosen.push(*entry),
            None if field == "cipher_suites" && is_tls13(&name.value) => {}
            None => {
                let all: Vec<_> = known.iter().map(|(known, _)| known.as_str()).collect();
                let message = format_args!("`{}` is not supported; these are: {}", name.value, all.join(", "));
                checks.fail(&format!("tls_server_config.{field}"), name, message);
            }
        }
    }
    chosen
}

/// Go's names of the suites of TLS 1.3, which may be listed and are on anyway.
fn is_tls13(name: &str) -> bool {
    matches!(name, "TLS_AES_128_GCM_SHA256" | "TLS_AES_256_GCM_SHA384" | "TLS_CHACHA20_POLY1305_SHA256")
}
