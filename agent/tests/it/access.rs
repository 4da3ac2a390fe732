//! Who reads what, by the flags, with real passwords and certificates.

use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SanType};
use reqwest::{Client, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use service::http::{ClientOptions, fleet_client};

use crate::serving::{Agent, folder_with, result};

/// What shows outputs, and what does not.
const DETAIL: [&str; 6] =
    ["/", "/?status=ok", "/checks/disk", "/api/v1/checks", "/api/v1/checks/disk", "/api/v1/checks/disk/history"];

fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

async fn agent(web_config: &str, files: &[(&str, &str)], flags: &[&str]) -> Agent {
    let folder = folder_with(&[result("disk", 0, "secret output")]);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    files.iter().for_each(|(name, text)| write(name, text));
    write("web.yml", web_config);
    let config = format!("--web.config.file={}", folder.path().join("web.yml").display());
    Agent::on(folder, &[&[config.as_str()], flags].concat()).await
}

async fn status(client: &Client, base: &str, path: &str, user: Option<(&str, &str)>) -> StatusCode {
    let request = client.get(format!("{base}{path}"));
    let request = match user {
        Some((name, password)) => request.basic_auth(name, Some(password)),
        None => request,
    };
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn metrics_are_open_while_outputs_are_for_some_users() {
    let users = format!("basic_auth_users:\n  ops: {}\n  prometheus: {}\n", hash("o"), hash("p"));
    let agent = agent(&users, &[], &["--web.unauthenticated-metrics", "--detail.allow-users=ops"]).await;
    let client = fleet_client(&ClientOptions::new(service::build_info!())).unwrap();
    assert_eq!(status(&client, &agent.base, "/metrics", None).await, StatusCode::OK);
    for path in DETAIL {
        assert_eq!(status(&client, &agent.base, path, None).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(status(&client, &agent.base, path, Some(("ops", "p"))).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            status(&client, &agent.base, path, Some(("prometheus", "p"))).await,
            StatusCode::FORBIDDEN,
            "{path}"
        );
        assert_eq!(status(&client, &agent.base, path, Some(("ops", "o"))).await, StatusCode::OK, "{path}");
    }
    agent.stopped().await;
}

/// An authority, and certificates that it issues.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// Certificate and key, as PEM.
    fn issue(&self, common_name: &str, alternative: SanType) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = vec![alternative];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn client(&self, common_name: &str, dns_name: &str) -> Client {
        let (certificate, key) = self.issue(common_name, SanType::DnsName(dns_name.try_into().unwrap()));
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        built(self.trusted().with_client_auth_cert(vec![certificate], key).unwrap())
    }

    fn trusted(&self) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(service::tls_provider());
        builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots)
    }
}

fn built(config: rustls::ClientConfig) -> Client {
    Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_certificate_opens_outputs_by_its_common_or_alternative_name() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("web-1", SanType::IpAddress([127, 0, 0, 1].into()));
    let config = "tls_server_config:\n  cert_file: web.crt\n  key_file: web.key\n  client_ca_file: ca.crt\n  \
                  client_auth_type: VerifyClientCertIfGiven\n";
    let files = [("web.crt", certificate.as_str()), ("web.key", &key), ("ca.crt", &authority.pem)];
    let agent = agent(config, &files, &["--detail.allow-client-names=proxy-1,proxy.example.org"]).await;
    let base = agent.base.replace("http:", "https:");
    for (client, expected) in [
        (built(authority.trusted().with_no_client_auth()), StatusCode::FORBIDDEN),
        (authority.client("web-2", "web-2.example.org"), StatusCode::FORBIDDEN),
        (authority.client("web-2", "a.proxy.example.org"), StatusCode::FORBIDDEN),
        (authority.client("proxy-1", "x"), StatusCode::OK),
        (authority.client("x", "proxy.example.org"), StatusCode::OK),
    ] {
        assert_eq!(status(&client, &base, "/metrics", None).await, StatusCode::OK);
        for path in DETAIL {
            assert_eq!(status(&client, &base, path, None).await, expected, "{path}");
        }
    }
    agent.stopped().await;
}
