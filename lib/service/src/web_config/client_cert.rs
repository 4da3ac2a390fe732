//! Client certificates: `client_auth_type`, `client_ca(_file)`, `client_allowed_sans`.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::checks::Checks;
use super::raw::RawTls;
use crate::config::Located;

const TYPES: &str =
    "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert";

/// What is asked of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Nothing,
    /// A certificate that need not be issued by a known authority.
    Any {
        required: bool,
    },
    /// One that is.
    Verified {
        required: bool,
    },
}

/// The verifier for the section's policy, or none after at least one failure.
pub(super) fn verifier(
    section: &Located<RawTls>,
    authorities: Option<RootCertStore>,
    provider: &Arc<CryptoProvider>,
    checks: &mut Checks<'_>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let raw = &section.value;
    let policy = policy(raw, checks)?;
    let sans = sans(raw, policy, checks)?;
    let authority = raw.client_ca.as_ref().or(raw.client_ca_file.as_ref());
    let verifier: Arc<dyn ClientCertVerifier> = match (policy, authority) {
        (Policy::Nothing, None) => WebPkiClientVerifier::no_client_auth(),
        (Policy::Nothing, Some(authority)) => {
            let message =
                "client authorities need a client_auth_type that uses them, such as RequireAndVerifyClientCert";
            checks.fail("tls_server_config.client_ca_file", authority, message);
            return None;
        }
        (Policy::Any { required }, _) => {
            Arc::new(AnyClient { required, algorithms: provider.signature_verification_algorithms })
        }
        (Policy::Verified { .. }, None) => {
            let message = "this client_auth_type needs client_ca or client_ca_file";
            checks.fail("tls_server_config", section, message);
            return None;
        }
        (Policy::Verified { required }, Some(authority)) => {
            let roots = Arc::new(authorities?);
            let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
            let builder = if required { builder } else { builder.allow_unauthenticated() };
            let built = builder.build();
            built.map_err(|error| checks.fail("tls_server_config.client_ca_file", authority, error)).ok()?
        }
    };
    Some(if sans.is_empty() { verifier } else { Arc::new(AllowedSans { verifier, sans }) })
}

/// Whether the section's policy has certificates verified where they are given. One that it asks for unverified proves
/// nothing of its holder.
pub(super) fn verifies(raw: &RawTls) -> bool {
    let text = raw.client_auth_type.as_ref().map_or("", |text| &text.value);
    matches!(text, "VerifyClientCertIfGiven" | "RequireAndVerifyClientCert")
}

/// Whether nobody gets in without a verified certificate.
pub(super) fn demands(raw: &RawTls) -> bool {
    raw.client_auth_type.as_ref().is_some_and(|text| text.value == "RequireAndVerifyClientCert")
}

fn policy(raw: &RawTls, checks: &mut Checks<'_>) -> Option<Policy> {
    let Some(text) = &raw.client_auth_type else { return Some(Policy::Nothing) };
    match text.value.as_str() {
        "" | "NoClientCert" => Some(Policy::Nothing),
        "RequestClientCert" => Some(Policy::Any { required: false }),
        "RequireAnyClientCert" | "RequireClientCert" => Some(Policy::Any { required: true }),
        "VerifyClientCertIfGiven" => Some(Policy::Verified { required: false }),
        "RequireAndVerifyClientCert" => Some(Policy::Verified { required: true }),
        other => {
            let message = format_args!("`{other}` is not one of: {TYPES}");
            checks.fail("tls_server_config.client_auth_type", text, message);
            None
        }
    }
}

fn sans(raw: &RawTls, policy: Policy, checks: &mut Checks<'_>) -> Option<Vec<String>> {
    let field = "tls_server_config.client_allowed_sans";
    let listed = &raw.client_allowed_sans;
    let Some(first) = listed.first() else { return Some(Vec::new()) };
    if !matches!(policy, Policy::Any { required: true } | Policy::Verified { required: true }) {
        // Without a certificate there would be nothing to match, and the list would protect nothing.
        let message = "needs a client_auth_type of RequireAnyClientCert or RequireAndVerifyClientCert";
        checks.fail(field, first, message);
        return None;
    }
    let mails: Vec<_> = listed.iter().filter(|san| san.value.contains('@') && !san.value.contains(':')).collect();
    for mail in &mails {
        let message =
            format_args!("`{}`: e-mail addresses are not supported; DNS names, IP addresses and URIs are", mail.value);
        checks.fail(field, mail, message);
    }
    mails.is_empty().then(|| listed.iter().map(|san| san.value.clone()).collect())
}

/// Takes every certificate whose key the client has; who issued it is not looked at. Go's `RequireAnyClientCert` and
/// `RequestClientCert`.
#[derive(Debug)]
struct AnyClient {
    required: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Asks besides that one of the certificate's alternative names is listed.
#[derive(Debug)]
struct AllowedSans {
    verifier: Arc<dyn ClientCertVerifier>,
    sans: Vec<String>,
}

impl AllowedSans {
    /// Exact matches, as exporter-toolkit's: a wildcard in a certificate stands for itself.
    fn allow(&self, certificate: &CertificateDer<'_>) -> Result<bool, Error> {
        let certificate = webpki::EndEntityCert::try_from(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let is_listed = |name: &str| self.sans.iter().any(|san| san == name);
        let is_own_ip = |san: &String| {
            IpAddr::try_from(san.as_str())
                .is_ok_and(|ip| certificate.verify_is_valid_for_subject_name(&ServerName::IpAddress(ip)).is_ok())
        };
        Ok(certificate.valid_dns_names().any(is_listed)
            || certificate.valid_uri_names().any(is_listed)
            || self.sans.iter().any(is_own_ip))
    }
}

impl ClientCertVerifier for AllowedSans {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(certificate, intermediates, now)?;
        match self.allow(certificate)? {
            true => Ok(verified),
            false => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
