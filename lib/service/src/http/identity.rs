//! Our own certificate towards a server, and following the files that it came from.
//!
//! What makes certificates (cert-manager, an ACME client) renews them long before they end and tells nobody. A program that showed the one it
//! started with would be refused one day, months later. So files are looked at once a second, as those of the web config are, and what
//! cannot be used leaves the old certificate in force. Connections that stand keep the certificate that they were made with.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, SignatureScheme};

use crate::tls;
use crate::web_config::Stamp;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// A certificate and its key.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// The files of both as they were before they were read; none unless both came from files.
    pub(super) files: Option<Files>,
}

/// The files of a certificate and of its key.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: Stamp,
    pub(super) key: Stamp,
}

/// The certificate in force.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

// === impl Identity ===

impl Identity {
    /// As the TLS library takes it; a failure in words. Within a runtime the files are followed for as long as it is in use.
    pub(super) fn resolver(self, provider: &CryptoProvider) -> Result<Arc<dyn ResolvesClientCert>, String> {
        let shown = Arc::new(Shown(ArcSwap::from_pointee(certified(self.certificates, self.key, provider)?)));
        if let (Some(files), Ok(runtime)) = (self.files, tokio::runtime::Handle::try_current()) {
            runtime.spawn(follow(Arc::downgrade(&shown), files));
        }
        Ok(shown)
    }
}

/// The certificate with its key, if they belong together.
fn certified(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    CertifiedKey::from_der(certificates, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
        other => format!("the certificate or its key cannot be used: {other}"),
    })
}

/// Every certificate of a text in PEM form, at least one; a failure in words.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(found) if found.is_empty() => Err("holds no certificate in PEM form".to_owned()),
        found => found.map_err(|error| format!("not a certificate in PEM form: {error}")),
    }
}

/// The private key of a text in PEM form; a failure in words, which shows nothing of it.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| "holds no private key in PEM form".to_owned())
}

/// Follows the files until nobody has the certificate any more.
async fn follow(shown: Weak<Shown>, mut files: Files) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if shown.strong_count() == 0 {
            return;
        }
        let seen = files.clone();
        let looked = tokio::task::spawn_blocking(move || (!seen.is_current()).then(|| seen.read()));
        if let Ok(Some((now, read))) = looked.await {
            files = now;
            let Some(shown) = shown.upgrade() else { return };
            take(&shown, files.certificate.path(), read);
        }
    }
}

fn take(shown: &Shown, path: &Path, read: Result<CertifiedKey, String>) {
    let file = path.display();
    match read {
        Ok(certified) => {
            shown.0.store(Arc::new(certified));
            tracing::info!(%file, "Took the changed client certificate {file} over");
        }
        Err(error) => {
            tracing::error!(%file, %error, "Cannot use the changed client certificate {file}, the old one stays: {error}");
        }
    }
}

// === impl Files ===

impl Files {
    fn is_current(&self) -> bool {
        self.certificate.is_current() && self.key.is_current()
    }

    /// What is in the files now, and how they were just before.
    fn read(&self) -> (Self, Result<CertifiedKey, String>) {
        let files = Self { certificate: Stamp::of(self.certificate.path()), key: Stamp::of(self.key.path()) };
        let read =
            |path: &Path| std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
        let made = (|| {
            let certificates = certificates(&read(files.certificate.path())?)?;
            certified(certificates, private_key(&read(files.key.path())?)?, &tls::provider())
        })();
        (files, made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["proxy".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn what_cannot_be_used_is_told_and_leaves_the_certificate_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        let ours = pair();
        std::fs::write(&certificate, &ours.0).unwrap();
        std::fs::write(&key, &ours.1).unwrap();
        let files = Files { certificate: Stamp::of(&certificate), key: Stamp::of(&key) };
        let (files, read) = files.read();
        let shown = Shown(ArcSwap::from_pointee(read.unwrap()));
        assert!(files.is_current());
        let before = shown.resolve(&[], &[]).unwrap();

        let gone = format!("cannot read {}: No such file or directory (os error 2)", key.display());
        for (text, want) in [
            (Some(pair().1), "the key does not belong to the certificate"),
            (Some("half a file".to_owned()), "holds no private key in PEM form"),
            (None, gone.as_str()),
        ] {
            match &text {
                Some(text) => std::fs::write(&key, text).unwrap(),
                None => std::fs::remove_file(&key).unwrap(),
            }
            assert!(!files.is_current());
            let (_, read) = files.read();
            assert_eq!(read.as_ref().err().map(String::as_str), Some(want));
            take(&shown, &certificate, read);
            assert!(Arc::ptr_eq(&before, &shown.resolve(&[], &[]).unwrap()), "{text:?}");
        }
    }
}
