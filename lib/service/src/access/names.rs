//! The names in a client's certificate.

use std::net::IpAddr;
use std::sync::Arc;

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// What a verified certificate calls its holder; an extension of each request on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientNames(Arc<[String]>);

impl ClientNames {
    /// The names in `certificate`, DER, which has been verified. What cannot be read is no name.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        let names = Certificate::from_der(certificate).map(|certificate| read(&certificate)).unwrap_or_default();
        Self(names.into())
    }

    /// The first name that is listed.
    pub(crate) fn any_of(&self, listed: &[String]) -> Option<String> {
        self.0.iter().find(|name| listed.contains(name)).cloned()
    }

    /// The first name: the subject's common name, if it has one.
    pub(crate) fn first(&self) -> Option<String> {
        self.0.iter().find(|name| !name.is_empty()).cloned()
    }
}

fn read(certificate: &Certificate) -> Vec<String> {
    let certificate = certificate.tbs_certificate();
    let common_name = certificate.subject().common_name().ok().flatten().map(String::from);
    let alternatives = certificate.get_extension::<SubjectAltName>().ok().flatten();
    let alternatives = alternatives.map(|(_, SubjectAltName(names))| names).unwrap_or_default();
    common_name.into_iter().chain(alternatives.iter().filter_map(text)).collect()
}

fn text(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text) | GeneralName::UniformResourceIdentifier(text) | GeneralName::Rfc822Name(text) => {
            Some(text.to_string())
        }
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn every_kind_of_name_is_read() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "proxy-1");
        params.subject_alt_names = vec![
            SanType::DnsName("proxy.example.org".try_into().unwrap()),
            SanType::URI("spiffe://x/proxy".try_into().unwrap()),
            SanType::Rfc822Name("ops@example.org".try_into().unwrap()),
            SanType::IpAddress([10, 0, 0, 1].into()),
            SanType::IpAddress("fe80::1".parse().unwrap()),
        ];
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let names = ClientNames::of(certificate.der());
        for name in ["proxy-1", "proxy.example.org", "spiffe://x/proxy", "ops@example.org", "10.0.0.1", "fe80::1"] {
            assert_eq!(names.any_of(&[name.to_owned()]).as_deref(), Some(name), "{names:?}");
        }
        assert!(names.any_of(&["example.org".to_owned()]).is_none() && names.any_of(&[]).is_none());
        assert_eq!(names.first().as_deref(), Some("proxy-1"));
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        let names = ClientNames::of(b"\x30\x82\xff\xffnonsense");
        assert_eq!((names.first(), names), (None, ClientNames([].into())));
    }
}
